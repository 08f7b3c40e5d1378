//! What may differ from run to run and from client to client, replaced by names.

use std::sync::LazyLock;

use regex::Regex;

/// A pattern and what takes its place, from the top.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\b[0-9a-f]{64}\b", "ID"),
        (r"\b[0-9a-f]{12}\b", "ID"),
        // The year 1 means "never" and stays.
        (r"\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "TIME"),
        (r"\b2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \w+", "TIME"),
        (r"(Less than a second|About an? (minute|hour)|\b\d+ (second|minute|hour|day)s?)\b", "A WHILE"),
        (r"0\.01 to .*", "0.01 to SO MANY"),
        (r"\b[1-9]\d*(\.\d+)?[kMGT]?i?B\b", "SIZE"),
        (r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC"),
        // The widths of columns follow their cells.
        (r"[ \t]{2,}", "  "),
    ];
    rules.into_iter().map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).collect()
});

/// Where to read more: every version of docker says it in other words.
static FOOTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^((See|Run) '(docker|skiff)[^']*'( for more information| for usage)?\.?|hint: .*|exit status \d+)$")
        .unwrap()
});

/// How lines begin that are messages of their own and no hints.
const MESSAGES: [&str; 4] = ["Error", "docker: ", "Usage: ", "template"];

/// The text as it is compared. `directory` is the session's own, whose name is another each time.
pub(crate) fn text(text: &str, directory: &str) -> String {
    let mut text = text.replace(directory, "DIR");
    for (pattern, name) in RULES.iter() {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    lines(&text, |_| true)
}

/// The same for standard error: without docker's pointers to its help and without our hints.
pub(crate) fn messages(messages: &str, directory: &str) -> String {
    let text =
        text(messages, directory).replace("Skiff daemon", "Docker daemon").replace("skiffd", "the docker daemon");
    let text = text.replace("skiff", "docker");
    let text = lines(&text, |line| !line.is_empty() && !FOOTER.is_match(line));
    // The second line of an error of the daemon is what a person can do about it. Docker's errors have one line.
    let mut refused = false;
    lines(&text, |line| {
        let hint = refused && !MESSAGES.iter().any(|word| line.starts_with(word));
        refused = line.contains("Error response from daemon: ");
        !hint
    })
}

/// The lines that are wanted, without the blanks at their ends.
fn lines(text: &str, wanted: impl FnMut(&&str) -> bool) -> String {
    text.lines().map(str::trim_end).filter(wanted).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_differs_from_run_to_run_is_named() {
    let id = "26e3b6fdf0119f24938620ccb2eb26e3b6fdf0119f24938620ccb2eb26e3b6fd";
    assert_eq!(text(&format!("sha256:{id} 26e3b6fdf011  \n"), "/x"), "sha256:ID ID\n");
    assert_eq!(text("Up 3 seconds   Exited (3) About a minute ago", "/x"), "Up A WHILE  Exited (3) A WHILE ago\n");
    assert_eq!(text("0B (virtual 1.99MB) 12B 01:02:03:0a:0b:0c", "/x"), "0B (virtual SIZE) SIZE MAC\n");
    assert_eq!(text("2026-11-24T12:00:00.1Z 0001-01-01T00:00:00Z /x/y", "/x"), "TIME 0001-01-01T00:00:00Z DIR/y\n");
}

#[test]
fn pointers_to_the_help_are_no_part_of_a_message() {
    let both = "docker: no.\nSee 'docker run --help'.\n\nRun 'docker run --help' for more information\n";
    assert_eq!(messages(both, "/x"), "docker: no.\n");
    assert_eq!(messages("skiff: no.\nhint: yes\n", "/x"), "docker: no.\n");
    let hint = "Error response from daemon: No such image: x\nFetch it.\nError: failed\n";
    assert_eq!(messages(hint, "/x"), "Error response from daemon: No such image: x\nError: failed\n");
}
