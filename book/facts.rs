//! Tables of what the engine needs and where it ends, read from the engine itself when the book is built.
//!
//! | in the page | becomes |
//! |---|---|
//! | `{{needs CHAPTER}}` | what the chapter's stage says that it needs, as `skiff doctor` asks for it |
//! | `{{limits}}` | the engine's limits: the constants below, with the words and the value that the source has |

use std::path::Path;

use anyhow::{Context as _, Result};
use namespaces::Check;

/// Constants that somebody may run into, by the file that has them. Words and values are the source's.
const LIMITS: [(&str, &str); 26] = [
    ("chapters/01-namespaces/src/root.rs", "MAX_LINKS"),
    ("chapters/01-namespaces/src/user.rs", "FILE_LIMIT"),
    ("chapters/02-cgroups/src/limits.rs", "LEAST_MEMORY"),
    ("chapters/02-cgroups/src/processes.rs", "PATIENCE"),
    ("chapters/03-unionfs/src/archive/mod.rs", "ADDITIONS"),
    ("chapters/03-unionfs/src/archive/sparse.rs", "SEGMENTS"),
    ("chapters/03-unionfs/src/unpack/mod.rs", "MEMBERS"),
    ("chapters/03-unionfs/src/unpack/orders.rs", "PATH"),
    ("chapters/03-unionfs/src/changes.rs", "DEPTH"),
    ("chapters/04-network/src/network.rs", "INTERFACE_NAME_MAX"),
    ("chapters/04-network/src/dns/answer.rs", "TTL"),
    ("chapters/05-volumes/src/copy_up.rs", "MAX_DEPTH"),
    ("chapters/06-images-registry/src/reference.rs", "NAME"),
    ("chapters/06-images-registry/src/reference.rs", "TAG"),
    ("chapters/06-images-registry/src/manifest.rs", "MANIFEST_LIMIT"),
    ("chapters/06-images-registry/src/manifest.rs", "CONFIG_LIMIT"),
    ("chapters/06-images-registry/src/load.rs", "FILES"),
    ("chapters/06-images-registry/src/registry/pull.rs", "THREADS"),
    ("chapters/06-images-registry/src/registry/transport.rs", "ATTEMPTS"),
    ("final/runtime/src/monitor/lines.rs", "LONGEST"),
    ("final/engine/src/containers/plan/log.rs", "MAX_SIZE"),
    ("final/engine/src/containers/restart.rs", "LONGEST"),
    ("final/engine/src/containers/health.rs", "OUTPUT"),
    ("final/engine/src/containers/exec.rs", "REMEMBERED"),
    ("final/engine/src/events.rs", "REMEMBERED"),
    ("final/daemon/src/body.rs", "LIMIT"),
];

/// What a chapter needs of the machine, and what to do where it is missing.
pub(crate) fn needs(chapter: &str) -> Result<String> {
    let chapter: u8 = chapter.parse().with_context(|| format!("{chapter} is not the number of a chapter"))?;
    let mut rows = vec!["| it needs | looked for | if it is missing |\n|---|---|---|\n".to_owned()];
    for (_, need) in doctor::needs().into_iter().filter(|(of, _)| *of == chapter) {
        let looked_for = match need.check {
            Check::Path(path) => format!("`{path}`"),
            Check::FileSystem(name) => format!("`{name}` in `/proc/filesystems`"),
            Check::Kernel(major, minor) => format!("Linux {major}.{minor}"),
            Check::Root => "user 0".to_owned(),
        };
        rows.push(format!("| {} | {looked_for} | {} |\n", need.what, need.remedy));
    }
    for (_, option, about) in doctor::kernel_options().iter().filter(|(of, ..)| *of == chapter) {
        rows.push(format!("| {about} | `{option}` | Use one of the distribution's ordinary kernels. |\n"));
    }
    Ok(rows.concat())
}

/// The engine's limits.
pub(crate) fn limits(repository: &Path) -> Result<String> {
    let mut rows = vec!["| limit | value | where |\n|---|---|---|\n".to_owned()];
    for (file, name) in LIMITS {
        let text = std::fs::read_to_string(repository.join(file)).with_context(|| format!("cannot read {file}"))?;
        let (words, value) = constant(&text, name).with_context(|| format!("{file} has no constant {name}"))?;
        rows.push(format!("| {words} | {} | `{file}` |\n", shown(&value)));
    }
    Ok(rows.concat())
}

/// A constant's documentation in one line, and its value as it is written.
fn constant(source: &str, name: &str) -> Option<(String, String)> {
    let mut words: Vec<&str> = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(word) = line.strip_prefix("///") {
            words.push(word.trim());
        } else if let Some((_, rest)) = line.split_once(&format!("const {name}: ")) {
            let (_, value) = rest.split_once(" = ")?;
            // Which items of the source the words lead to is of no use to a reader of the book.
            return Some((words.join(" ").replace(['[', ']'], ""), value.trim_end_matches(';').to_owned()));
        } else {
            words.clear();
        }
    }
    None
}

/// `4 << 20` as 4 Mi, `Duration::from_secs(10)` as 10 s; anything else as it is written.
fn shown(value: &str) -> String {
    let durations = [("from_millis(", "ms"), ("from_secs(", "s"), ("from_mins(", "min"), ("from_hours(", "h")];
    let duration = durations.iter().find_map(|(call, unit)| {
        let number = value.strip_prefix("Duration::")?.strip_prefix(call)?.strip_suffix(')')?;
        Some(format!("{number} {unit}"))
    });
    let number = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    let shifted = value.split_once("<<").and_then(|(left, right)| Some(number(left)? << number(right)?));
    let product =
        shifted.or_else(|| value.split('*').map(number).try_fold(1_u64, |product, factor| Some(product * factor?)));
    duration.or_else(|| product.map(rounded)).unwrap_or_else(|| format!("`{value}`"))
}

fn rounded(number: u64) -> String {
    match number {
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} Mi", n >> 20),
        n if n >= 1 << 12 && n % (1 << 10) == 0 => format!("{} Ki", n >> 10),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_read_with_its_words() {
        let source = "/// Of another.\nconst B: u8 = 1;\n\n/// The most\n/// of all [`A`].\npub(crate) const A: u64 = 4 << 20;\n";
        assert_eq!(constant(source, "A"), Some(("The most of all `A`.".to_owned(), "4 << 20".to_owned())));
        assert_eq!(constant(source, "C"), None);
    }

    #[test]
    fn values_are_shown_as_people_say_them() {
        let values = ["4 << 20", "16 * 1024", "4_000_000", "Duration::from_secs(10)", "\"x\""];
        assert_eq!(values.map(shown), ["4 Mi", "16 Ki", "4000000", "10 s", "`\"x\"`"]);
    }

    #[test]
    fn every_limit_is_in_the_source() {
        let table = limits(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert_eq!(table.lines().count(), LIMITS.len() + 2);
        assert!(!table.contains("|  |"), "{table}");
    }
}
