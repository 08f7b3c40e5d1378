//! A command line that cannot be understood, and help: what is wrong, how it goes, where to read more.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::commands::{Exit, GROUPS, LEAVES, Leaf};
use crate::error::{ENGINE, Error, Result};
use crate::output::print;
use crate::tree::{leaf, path, tree};

/// The commands that one meets first, in the order of the overview.
const COMMON: [&str; 8] = ["run", "exec", "ps", "pull", "images", "logs", "version", "info"];

/// Answers `--help` and `--version`; everything else is an error in docker's words.
pub(crate) fn explain(error: &clap::Error, arguments: &[OsString]) -> Result<Exit> {
    let path = path(arguments);
    match error.kind() {
        ErrorKind::DisplayHelp if path.is_empty() => overview(arguments),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print(help(&path, error))?;
            Ok(Exit(0))
        }
        ErrorKind::DisplayVersion => {
            print(format!("Skiff version {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit(0))
        }
        _ => Err(wrong(error, &path)),
    }
}

/// The help of a command, with its usage in front, as docker's.
fn help(path: &[&'static str], error: &clap::Error) -> String {
    let leaf = leaf(path);
    let also = leaf.map(also).unwrap_or_default();
    format!("{}{also}", error.render())
}

/// The other names of a command.
fn also(leaf: &Leaf) -> String {
    let group = |name: &str| format!("skiff {} {name}", leaf.group);
    let mut names: Vec<String> = Vec::new();
    if !leaf.group.is_empty() {
        names.extend([leaf.name].iter().chain(leaf.aliases).map(|name| group(name)));
    }
    if !leaf.top.is_empty() {
        names.push(format!("skiff {}", leaf.top));
    }
    if names.len() > 1 { format!("\nAliases:\n  {}\n", names.join(", ")) } else { String::new() }
}

/// What is wrong with a command line.
fn wrong(error: &clap::Error, path: &[&'static str]) -> Error {
    let name = std::iter::once("skiff").chain(path.iter().copied()).collect::<Vec<_>>().join(" ");
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let argument = text(ContextKind::InvalidArg);
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default().to_owned();
    let (message, exit) = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => (unknown_flag(&argument), ENGINE),
        ErrorKind::UnknownArgument
        | ErrorKind::TooFewValues
        | ErrorKind::TooManyValues
        | ErrorKind::MissingRequiredArgument => {
            (format!("'{name}' {}", count(leaf(path).map_or("COMMAND", |leaf| leaf.usage))), 1)
        }
        ErrorKind::InvalidSubcommand if path.is_empty() && absent(&text(ContextKind::InvalidSubcommand)).is_some() => {
            let word = text(ContextKind::InvalidSubcommand);
            return Error::new(format!("skiff has no command {word}: {}", absent(&word).unwrap_or_default()));
        }
        ErrorKind::InvalidSubcommand => {
            (format!("unknown command: {name} {}", text(ContextKind::InvalidSubcommand)), 1)
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => {
            (format!("flag needs an argument: {flag}"), ENGINE)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            (invalid_value(error, &text(ContextKind::InvalidValue), &flag, path), ENGINE)
        }
        _ => (error.kind().to_string(), ENGINE),
    };
    let suggested =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand].into_iter().find_map(|kind| error.get(kind));
    let mut wrong = Error::new(message).exit(exit).footer(format!("{}{}", usage(&name, path, error), more(&name)));
    // Docker's name stands in front of what is wrong with the words, and not of what is wrong with a flag.
    wrong.named = exit == 1;
    if error.kind() == ErrorKind::ValueValidation && flag == "--publish" {
        // The one flag that docker looks at after it has understood the command line.
        return Error::new(why(error)).exit(ENGINE).named().footer(more(&name));
    }
    wrong.hint = match suggested {
        Some(ContextValue::String(one)) => Some(format!("Did you mean {one}?")),
        Some(ContextValue::Strings(several)) => Some(format!("Did you mean {}?", several.join(" or "))),
        _ => None,
    };
    wrong
}

/// Why we lack a group of commands that docker has.
fn absent(word: &str) -> Option<&'static str> {
    match word {
        "swarm" | "node" | "service" | "stack" | "secret" | "config" => {
            Some("it is about swarms, and Skiff runs containers on one machine")
        }
        "plugin" => Some("it is about programs that extend dockerd, and Skiff loads none"),
        "checkpoint" => Some("Skiff cannot freeze a process into files and wake it up again"),
        _ => None,
    }
}

/// How the command goes, on the lines after the error. Docker shows nothing for a command that it does not know.
fn usage(name: &str, path: &[&'static str], error: &clap::Error) -> String {
    let rest = match (leaf(path), error.kind()) {
        (Some(leaf), _) => format!(" {}", leaf.usage),
        (None, ErrorKind::InvalidSubcommand) if path.is_empty() => return String::new(),
        (None, _) if path.is_empty() => " [OPTIONS] COMMAND [ARG...]".to_owned(),
        (None, _) => String::new(),
    };
    format!("\nUsage:  {name}{rest}\n")
}

/// `unknown flag: --foo`, `unknown shorthand flag: 'f' in -f`.
fn unknown_flag(argument: &str) -> String {
    match argument.strip_prefix('-') {
        Some(letter) if !letter.starts_with('-') => format!("unknown shorthand flag: '{letter}' in {argument}"),
        _ => format!("unknown flag: {argument}"),
    }
}

/// `invalid argument "x" for "--cpus" flag: why`.
fn invalid_value(error: &clap::Error, value: &str, flag: &str, path: &[&'static str]) -> String {
    let why = why(error);
    if flag.starts_with('-') {
        format!("invalid argument \"{value}\" for \"{}\" flag: {why}", with_short(flag, path))
    } else {
        format!("invalid argument \"{value}\": {why}")
    }
}

/// Why a value cannot be used.
fn why(error: &clap::Error) -> String {
    use std::error::Error as _;
    match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(valid))) => format!("must be one of {}", valid.join(", ")),
        _ => "it cannot be understood".to_owned(),
    }
}

/// `-m, --memory` for `--memory`: a flag with its short form, where it has one.
fn with_short(flag: &str, path: &[&'static str]) -> String {
    let command = leaf(path).map(|leaf| (leaf.define)(Command::new(leaf.name)));
    let long = flag.trim_start_matches('-');
    let argument = command.iter().flat_map(Command::get_arguments).find(|argument| argument.get_long() == Some(long));
    argument.and_then(clap::Arg::get_short).map_or_else(|| flag.to_owned(), |short| format!("-{short}, {flag}"))
}

/// How many arguments a command takes, read off its usage: `[OPTIONS] CONTAINER [CONTAINER...]` takes at least one.
fn count(usage: &str) -> String {
    let words: Vec<&str> = usage.split_whitespace().filter(|word| *word != "[OPTIONS]").collect();
    let required = words.iter().filter(|word| !word.starts_with('[')).count();
    let plural = |number: usize| if number == 1 { "" } else { "s" };
    if usage.contains("...") {
        format!("requires at least {required} argument{}", plural(required))
    } else if words.len() > required && required > 0 {
        format!("requires at least {required} and at most {} arguments", words.len())
    } else if words.len() > required {
        format!("requires at most {} argument{}", words.len(), plural(words.len()))
    } else if required == 0 {
        "accepts no arguments".to_owned()
    } else {
        format!("requires {required} argument{}", plural(required))
    }
}

fn more(name: &str) -> String {
    format!("\nRun '{name} --help' for more information\n")
}

/// An error of a command that was understood. Those of `run`, and wrong flags of
/// `create`, say where to read more and end with docker's own status.
pub(crate) fn finish(leaf: &Leaf, error: Error) -> Error {
    let flags = leaf.name == "create" && leaf.group == "container" && error.exit == Some(ENGINE);
    let ours = leaf.name == "run" && error.exit != Some(1);
    if error.message.is_empty() || !(flags || ours) {
        return error;
    }
    let exit = error.exit.unwrap_or(ENGINE);
    let error = if ours { error.named() } else { error };
    error.exit(exit).footer(more(&format!("skiff {}", leaf.top)))
}

/// The flags before the command that are told to who types none.
const OPTIONS: &[(&str, &str)] = &[
    ("-H, --host HOST", "Daemon to talk to: unix:///PATH, ssh://HOST or tcp://HOST:PORT"),
    ("-c, --context NAME", "Daemon to talk to, by the name of its context"),
    ("--tlsverify", "Use TLS with tcp://, and make sure that the daemon is the right one"),
    ("--tlscacert FILE", "Authority that signed its certificate (ca.pem in DOCKER_CERT_PATH)"),
    ("--tlscert FILE", "Our certificate (cert.pem in DOCKER_CERT_PATH)"),
    ("--tlskey FILE", "The key to ours (key.pem in DOCKER_CERT_PATH)"),
    ("-v, --version", "Print the version"),
];

/// What there is, for who types no command.
pub(crate) fn overview(arguments: &[OsString]) -> Result<Exit> {
    let path = path(arguments);
    if let [group] = path.as_slice() {
        print(group_overview(group))?;
        return Ok(Exit(0));
    }
    let mut out = String::from("Usage:  skiff [OPTIONS] COMMAND\n\nA container engine that you can read\n");
    let line = |out: &mut String, name: &str, about: &str| {
        let _ = writeln!(out, "  {name:<11} {about}");
    };
    out += "\nCommon commands:\n";
    for name in COMMON {
        let about = LEAVES.iter().find(|leaf| leaf.top == name).map_or("", |leaf| leaf.about);
        line(&mut out, name, about);
    }
    out += "\nThings:\n";
    for (name, about) in GROUPS {
        line(&mut out, name, about);
    }
    out += "\nCommands:\n";
    let mut others: Vec<&Leaf> =
        LEAVES.iter().filter(|leaf| !leaf.top.is_empty() && !COMMON.contains(&leaf.top)).collect();
    others.sort_by_key(|leaf| leaf.top);
    for leaf in others {
        line(&mut out, leaf.top, leaf.about);
    }
    out += "\nOptions:\n";
    for (flag, about) in OPTIONS {
        let _ = writeln!(out, "  {flag:<19} {about}");
    }
    out += "\nRun 'skiff COMMAND --help' for more information on a command.\n";
    out += "Try 'skiff run --rm hello' first.\n";
    print(out)?;
    Ok(Exit(0))
}

fn group_overview(group: &str) -> String {
    let about = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, about)| about);
    let mut out = format!("Usage:  skiff {group} COMMAND\n\n{about}\n\nCommands:\n");
    for leaf in LEAVES.iter().filter(|leaf| leaf.group == group) {
        let _ = writeln!(out, "  {:<11} {}", leaf.name, leaf.about);
    }
    out + &format!("\nRun 'skiff {group} COMMAND --help' for more information on a command.\n")
}

/// The whole tree with all flags, for completions.
pub(crate) fn whole() -> Command {
    let mut command = tree(false, |_| true);
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("skiff").chain(line.split_whitespace()).map(OsString::from).collect()
    }

    /// The message, the exit status and the hint of a wrong command line.
    fn said(line: &str) -> String {
        let error = tree(false, |_| true).try_get_matches_from(words(line)).unwrap_err();
        let error = explain(&error, &words(line)).unwrap_err();
        format!(
            "{} [{}]{}",
            error.message,
            error.exit.unwrap(),
            error.hint.map_or(String::new(), |hint| format!(" {hint}"))
        )
    }

    #[test]
    fn wrong_command_lines_are_explained_in_dockers_words() {
        insta::assert_snapshot!(said("ps --foo"), @"unknown flag: --foo [125]");
        insta::assert_snapshot!(said("ps --fomat x"), @"unknown flag: --fomat [125] Did you mean --format?");
        insta::assert_snapshot!(said("ps -z"), @"unknown shorthand flag: 'z' in -z [125]");
        insta::assert_snapshot!(said("ps extra"), @"'skiff ps' accepts no arguments [1]");
        insta::assert_snapshot!(said("run"), @"'skiff run' requires at least 1 argument [1]");
        insta::assert_snapshot!(said("exec web"), @"'skiff exec' requires at least 2 arguments [1]");
        insta::assert_snapshot!(said("run --network"), @"flag needs an argument: --network [125]");
        insta::assert_snapshot!(said("run --cpus x i"), @r#"invalid argument "x" for "--cpus" flag: failed to parse x as a rational number [125]"#);
        insta::assert_snapshot!(said("run --pull foo i"), @r#"invalid argument "foo" for "--pull" flag: must be one of always, missing, never [125]"#);
        insta::assert_snapshot!(said("container rename x"), @"'skiff container rename' requires 2 arguments [1]");
        insta::assert_snapshot!(said("volume create a b"), @"'skiff volume create' requires at most 1 argument [1]");
        insta::assert_snapshot!(said("imags"), @"unknown command: skiff imags [1] Did you mean image or images?");
        insta::assert_snapshot!(said("container foo"), @"unknown command: skiff container foo [1]");
        insta::assert_snapshot!(said("stop -t x c"), @r#"invalid argument "x" for "-t, --timeout" flag: invalid digit found in string [125]"#);
    }
}
