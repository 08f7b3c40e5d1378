//! A `console` block as a transcript: commands, and what each is expected to print.
//!
//! ```text
//! # namespaces run /tmp/box hostname     a command; `> ` continues it
//! galley                                 what it prints; `[..]` stands for anything within a line,
//! ...                                    a line of three dots for any number of lines
//! [exit 1]                               its status, when it is not 0
//! ```

/// One command of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What is typed.
    pub(crate) command: String,
    /// What is expected to be printed, and the status as its last line.
    pub(crate) expected: Vec<String>,
}

/// The steps of a block's lines.
pub(crate) fn parse(lines: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut typing = false;
    for line in lines {
        if let Some(command) = line.strip_prefix("# ") {
            steps.push(Step { command: command.to_owned(), expected: Vec::new() });
            typing = true;
            continue;
        }
        let Some(step) = steps.last_mut() else { continue };
        match line.strip_prefix("> ") {
            Some(more) if typing => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            _ => {
                typing = false;
                step.expected.push((*line).to_owned());
            }
        }
    }
    steps
}

/// Whether what was printed is what was expected.
pub(crate) fn fits(expected: &[String], found: &[String]) -> bool {
    match (expected, found) {
        ([], found) => found.is_empty(),
        ([dots, rest @ ..], found) if dots == "..." => {
            (0..=found.len()).any(|skipped| fits(rest, found.get(skipped..).unwrap_or_default()))
        }
        ([line, rest @ ..], [first, more @ ..]) => line_fits(line, first) && fits(rest, more),
        (_, []) => false,
    }
}

/// `[..]` is anything within the line.
fn line_fits(expected: &str, found: &str) -> bool {
    let found = found.trim_end();
    let Some((before, after)) = expected.split_once("[..]") else { return expected.trim_end() == found };
    let Some(rest) = found.strip_prefix(before) else { return false };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| line_fits(after, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn commands_and_what_they_print() {
        let steps = parse(&["# a \\", "> b", "out", "> still out", "# c"]);
        assert_eq!(steps[0], Step { command: "a \\\nb".into(), expected: lines("out\n> still out") });
        assert_eq!(steps[1].command, "c");
    }

    #[test]
    fn what_varies_is_left_open() {
        assert!(fits(&lines("took [..] ms\n...\nend"), &lines("took 12 ms\na\nb\nend")));
        assert!(fits(&lines("..."), &[]));
        assert!(!fits(&lines("took [..] ms"), &lines("took 12 s")));
        assert!(!fits(&lines("a"), &lines("a\nb")));
    }
}
