//! The page for people: what isolates this process, how it came to be, what to try next. At most 80 columns.

use std::fmt::Write;

use crate::cgroup::{Limit, Limits};
use crate::facts::Facts;
use crate::mounts::Root;
use crate::namespaces::Namespace;
use crate::network::Interface;
use crate::rights::{CAPABILITIES, Rights, is_identity};

/// The width that the page keeps to.
const WIDTH: usize = 80;

/// Where the values of a section begin.
const INDENT: usize = 12;

/// Whether bold and dim may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// `false` writes plain text.
    pub(crate) colour: bool,
}

impl Style {
    /// For headings.
    fn bold(self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what explains.
    fn dim(self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole page.
pub(crate) fn page(facts: &Facts, style: Style) -> String {
    let parts = [
        greeting(facts, style),
        namespaces(&facts.namespaces, style),
        files(facts, style),
        limits(&facts.limits, style),
        rights(facts, style),
        network(facts, style),
        steps(style),
        next(style),
    ];
    parts.join("\n")
}

/// A boat, and who is speaking.
fn greeting(facts: &Facts, style: Style) -> String {
    let user =
        facts.rights.as_ref().and_then(|rights| rights.uid).map_or_else(String::new, |uid| format!(", user {uid}"));
    let host = facts.hostname.as_ref().map_or_else(String::new, |name| format!(" on the host {name}"));
    // Every namespace the host's: somebody started this program without a container around it.
    let outside =
        !facts.namespaces.is_empty() && facts.namespaces.iter().all(|namespace| namespace.own() == Some(false));
    let title = style.bold(if outside { "Hello. I am not in a container." } else { "Hello from inside a container." });
    let who = format!("I am process {}{user}{host}.", facts.pid);
    format!(
        "
      |\\
      | \\        {title}
      |__\\
   ___|____      {who}
   \\______/      I asked the kernel what I can see and what I may do.
  ~~~~~~~~~~~
"
    )
}

/// Which namespaces are its own.
fn namespaces(found: &[Namespace], style: Style) -> String {
    let mut out = heading("Namespaces", "what I see of the machine, and whether I see it alone", style);
    if found.is_empty() {
        return out + &missing("/proc/self/ns");
    }
    for namespace in found {
        let own = match namespace.own() {
            Some(true) => "its own",
            Some(false) => "the host's",
            None => "not known",
        };
        let meaning = style.dim(namespace.meaning());
        let _ = writeln!(out, "  {:<9} {}  {own:<10}  {meaning}", namespace.kind, namespace.id);
    }
    out
}

/// Root, layers, mounts.
fn files(facts: &Facts, style: Style) -> String {
    let mut out = heading("Files", "image layers below, a layer to write on top", style);
    match &facts.root {
        Some(root) => out += &layers(root),
        None => return out + &missing("/proc/self/mountinfo"),
    }
    let hidden = format!(
        "{} mounts; {} paths of /proc and /sys hidden, {} read-only",
        facts.mounts,
        facts.masked.len(),
        facts.readonly_paths.len()
    );
    out + &row("mounts", &hidden)
}

/// The root file system, and of an overlay its upper and lower layers.
fn layers(root: &Root) -> String {
    let access = if root.readonly { "read-only" } else { "writable" };
    let mut out = row("/", &format!("{}, {access}", root.kind));
    if let Some(upper) = &root.upper {
        out += &row("upper", &shorten(upper));
    }
    let shown = 4;
    for (place, lower) in root.lower.iter().take(shown).enumerate() {
        out += &row(if place == 0 { "lower" } else { "" }, &shorten(lower));
    }
    if root.lower.len() > shown {
        out += &row("", &format!("and {} more below", root.lower.len() - shown));
    }
    out
}

/// What the cgroup allows.
fn limits(limits: &Limits, style: Style) -> String {
    let version = limits.version.map_or_else(String::new, |version| format!(", cgroup version {version}"));
    let mut out = heading("Limits", &format!("how much it may use{version}"), style);
    if limits.version.is_none() {
        return out + &missing("/sys/fs/cgroup");
    }
    let mut line = |name: &str, limit: &Option<Limit>, show: &dyn Fn(u64) -> String| {
        let Some(limit) = limit else { return };
        let max = limit.max.map_or_else(|| "no limit".to_owned(), show);
        let used = limit.used.map_or_else(String::new, |used| format!(", {} in use", show(used)));
        out += &row(name, &format!("{max}{used}"));
    };
    line("memory", &limits.memory, &bytes);
    line("cpu", &limits.cpu, &|thousandths| format!("{}.{:03} processors", thousandths / 1000, thousandths % 1000));
    line("pids", &limits.pids, &|number| number.to_string());
    out
}

/// Capabilities, seccomp, users.
fn rights(facts: &Facts, style: Style) -> String {
    let mut out = heading("Rights", "what is left of root's power", style);
    let Some(rights) = &facts.rights else { return out + &missing("/proc/self/status") };
    out += &capabilities(rights);
    out += &row(
        "seccomp",
        match rights.seccomp {
            Some(0) => "none: every system call is allowed",
            Some(1) => "strict: only read, write and exit are allowed",
            Some(2) => "a filter decides which system calls are allowed",
            _ => "not known",
        },
    );
    out += &row(
        "setuid",
        match rights.no_new_privileges {
            Some(true) => "no program gives more rights than this one has",
            Some(false) => "set-user-id programs work, within the capabilities above",
            None => "not known",
        },
    );
    let users = match facts.uid_map.first() {
        None => "not known".to_owned(),
        Some(_) if is_identity(&facts.uid_map) => "the host's numbers: 0 here is 0 there".to_owned(),
        Some(range) => {
            format!("{} here is {} on the host, {} numbers in a row", range.inside, range.outside, range.count)
        }
    };
    out + &row("users", &users)
}

/// The names, wrapped. Of nearly all, it is the missing ones that say something.
fn capabilities(rights: &Rights) -> String {
    let (held, all) = (&rights.effective, CAPABILITIES.len());
    let missing: Vec<String> =
        CAPABILITIES.iter().map(|&name| name.to_owned()).filter(|name| !held.contains(name)).collect();
    match (held.len(), missing.len()) {
        (0, _) => row("capable", &format!("none of {all} capabilities")),
        (_, 0) => row("capable", "all capabilities, like root on the host"),
        (_, 1..=9) => row("capable", &format!("all of {all} capabilities but")) + &wrap(&missing),
        (count, _) => row("capable", &format!("{count} of {all} capabilities")) + &wrap(held),
    }
}

/// Interfaces and the way out.
fn network(facts: &Facts, style: Style) -> String {
    let mut out = heading("Network", "who I am to others, and the way to them", style);
    if facts.interfaces.is_empty() {
        return out + &missing("/proc/net/dev");
    }
    for Interface { name, addresses, mac } in
        facts.interfaces.iter().filter(|interface| !interface.addresses.is_empty())
    {
        let mac = mac.as_ref().map_or_else(String::new, |mac| format!("  {mac}"));
        out += &row(name, &format!("{}{mac}", addresses.join(", ")));
    }
    let gateway = facts
        .gateway
        .map_or_else(|| "none: nothing beyond these can be reached".to_owned(), |gateway| gateway.to_string());
    out + &row("gateway", &gateway)
}

/// The six steps of `run`.
fn steps(style: Style) -> String {
    let steps = [
        ("image", "found it, or pulled it from a registry"),
        ("record", "wrote down what was asked for, so that nothing can be forgotten"),
        ("files", "stacked the image's layers and put an empty one on top"),
        ("network", "made an interface, gave it an address, opened the ports"),
        ("process", "started this program and connected it to your terminal"),
        ("end", "will keep the exit status and release what was held"),
    ];
    let mut out = heading("How I came to be", "the six steps of skiff run", style);
    for (place, (name, what)) in steps.iter().enumerate() {
        let _ = writeln!(out, "  {} {name:<8} {what}", place + 1);
    }
    out
}

/// What to type now.
fn next(style: Style) -> String {
    let commands = [
        ("skiff ps -a", "this container, unless it ran with --rm"),
        ("skiff images", "what can be run"),
        ("skiff run -it --rm IMAGE sh", "look around for yourself"),
        ("skiff run --rm --network none hello", "the same page with one thing less"),
    ];
    let mut out = heading("Try next", "", style);
    for (command, what) in commands {
        let _ = writeln!(out, "  {command:<36} {}", style.dim(what));
    }
    out
}

/// A section's title and what it is about.
fn heading(title: &str, about: &str, style: Style) -> String {
    let about = if about.is_empty() { String::new() } else { format!("  {}", style.dim(about)) };
    format!("{}{about}\n", style.bold(title))
}

/// One fact, cut where the terminal ends.
fn row(name: &str, value: &str) -> String {
    let width = WIDTH - INDENT;
    let cut: String = if value.chars().count() > width {
        value.chars().take(width - 1).chain(['…']).collect()
    } else {
        value.to_owned()
    };
    format!("  {name:<9} {cut}\n")
}

/// A section that could not be read.
fn missing(path: &str) -> String {
    format!("  cannot be read: {path} is not there\n")
}

/// Words in as many lines as they need.
fn wrap(words: &[String]) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in words {
        if let Some(line) = lines.last_mut().filter(|line| INDENT + line.len() + 1 + word.len() <= WIDTH) {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        } else {
            lines.push(word.clone());
        }
    }
    lines.iter().fold(String::new(), |out, line| out + &" ".repeat(INDENT) + line + "\n")
}

/// A path whose middle gives way: the 64 digits of a digest say nothing to a person.
fn shorten(path: &str) -> String {
    let short = |name: &str| {
        let digits = name.len() >= 32 && name.chars().all(|c| c.is_ascii_hexdigit());
        if digits { format!("{}…", name.get(..12).unwrap_or(name)) } else { name.to_owned() }
    };
    path.split('/').map(short).collect::<Vec<_>>().join("/")
}

/// `64 MiB`, rounded down to one decimal.
fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = number.saturating_mul(10);
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Interface;
    use crate::rights;

    const PLAIN: Style = Style { colour: false };

    fn sample() -> Facts {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let status = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        Facts {
            pid: 1,
            hostname: Some("3f2a9c1d7b42".into()),
            namespaces: vec![
                Namespace { kind: "pid", id: 4_026_532_183, host: Some(4_026_531_836) },
                Namespace { kind: "user", id: 4_026_531_837, host: Some(4_026_531_837) },
                Namespace { kind: "net", id: 4_026_532_001, host: None },
            ],
            rights: Some(rights::parse(status)),
            uid_map: rights::id_map("0 0 4294967295"),
            root: Some(Root {
                kind: "overlay".into(),
                readonly: false,
                lower: vec![format!("/var/lib/skiff/layers/{digest}"); 6],
                upper: Some(format!("/var/lib/skiff/containers/{digest}/upper")),
            }),
            limits: Limits {
                memory: Some(Limit { max: Some(64 << 20), used: Some(1_300_000) }),
                cpu: Some(Limit { max: Some(500), used: None }),
                pids: Some(Limit { max: None, used: Some(1) }),
                version: Some(2),
            },
            interfaces: vec![Interface {
                name: "eth0".into(),
                addresses: vec!["172.17.0.2/16".into()],
                mac: Some("02:42:ac:11:00:02".into()),
            }],
            ..Facts::default()
        }
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        for facts in [sample(), Facts::default()] {
            for line in page(&facts, PLAIN).lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn the_page_says_what_was_found() {
        let page = page(&sample(), PLAIN);
        for part in [
            "I am process 1, user 0 on the host 3f2a9c1d7b42.",
            "pid       4026532183  its own",
            "user      4026531837  the host's",
            "net       4026532001  not known",
            "upper     /var/lib/skiff/containers/9f86d081884c…/upper",
            "and 2 more below",
            "memory    64 MiB, 1.2 MiB in use",
            "cpu       0.500 processors",
            "pids      no limit, 1 in use",
            "14 of 41 capabilities",
            "eth0      172.17.0.2/16  02:42:ac:11:00:02",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }

    #[test]
    fn colour_is_only_added_never_needed() {
        let coloured = page(&sample(), Style { colour: true });
        let stripped = coloured.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(stripped, page(&sample(), PLAIN));
        assert_ne!(coloured, stripped);
    }

    #[test]
    fn without_proc_and_sys_each_section_says_so() {
        let page = page(&Facts::default(), PLAIN);
        for path in ["/proc/self/ns", "/proc/self/mountinfo", "/sys/fs/cgroup", "/proc/self/status", "/proc/net/dev"] {
            assert!(page.contains(&format!("cannot be read: {path}")), "{path}\n{page}");
        }
    }

    #[test]
    fn bytes_in_binary_units() {
        assert_eq!([bytes(512), bytes(1536), bytes(64 << 20), bytes(3 << 40)], ["512 B", "1.5 KiB", "64 MiB", "3 TiB"]);
    }
}
