//! From words to a function: the commands as a tree that clap can read.
//!
//! Only names are there from the beginning. The flags of a command are defined when its name was found, because defining
//! those of all commands would take longer than most of them run.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use crate::client::{Client, Endpoint};
use crate::commands::{Exit, GROUPS, LEAVES, Leaf};
use crate::error::{Error, Result};
use crate::grammar::boolean;
use crate::usage;

/// Understands the command line and does what it says.
pub(crate) fn run(arguments: &[OsString]) -> Result<Exit> {
    let mut root = tree(arguments.iter().any(gives_boolean));
    let mut matches = match root.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage::explain(&error, arguments),
    };
    let host = matches.remove_one::<String>("host");
    let endpoint = Endpoint::choose(host.as_deref(), |name| std::env::var(name).ok())?;
    let Some((leaf, matches)) = find(matches) else { return usage::overview(arguments) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(format!("cannot start: {error}")))?;
    let client = Client::new(endpoint);
    runtime.block_on((leaf.run)(matches, &client)).map_err(|error| usage::finish(leaf, error))
}

/// The command that was named, and its part of the matches.
fn find(mut matches: ArgMatches) -> Option<(&'static Leaf, ArgMatches)> {
    let (name, mut inner) = matches.remove_subcommand()?;
    match inner.remove_subcommand() {
        Some((leaf, inner)) => {
            LEAVES.iter().find(|known| known.group == name && known.name == leaf).map(|leaf| (leaf, inner))
        }
        None => LEAVES.iter().find(|known| known.top == name).map(|leaf| (leaf, inner)),
    }
}

/// The whole tree. With `values`, flags that need no value may have one all the same.
pub(crate) fn tree(values: bool) -> Command {
    let command = |leaf: &'static Leaf, name: &'static str, path: String| {
        let define = if values { leaf.define_with_values } else { leaf.define };
        Command::new(name).about(leaf.about).override_usage(format!("{path} {}", leaf.usage)).defer(define)
    };
    let top = LEAVES.iter().filter(|leaf| !leaf.top.is_empty());
    let mut root = root().subcommands(top.map(|leaf| command(leaf, leaf.top, format!("skiff {}", leaf.top))));
    for (name, about) in GROUPS {
        let leaves = LEAVES.iter().filter(|leaf| leaf.group == *name);
        let leaves =
            leaves.map(|leaf| command(leaf, leaf.name, format!("skiff {name} {}", leaf.name)).aliases(leaf.aliases));
        root = root.subcommand(Command::new(*name).about(*about).subcommands(leaves));
    }
    root
}

/// The flags that stand before the command.
fn root() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    Command::new("skiff")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .arg(flag("version", "Print the version").short('v').action(ArgAction::Version))
        .arg(flag("host", "Daemon to talk to: unix:///PATH or tcp://HOST:PORT").short('H').value_name("HOST"))
        .arg(flag("debug", "Accepted for docker's sake").short('D').action(ArgAction::SetTrue))
        .arg(flag("config", "Accepted for docker's sake").value_name("DIRECTORY"))
        .arg(flag("log-level", "Accepted for docker's sake").short('l').value_name("LEVEL"))
}

/// Defines the flags of a command, with the habits of docker's: a flag given twice counts the last time, and a value may
/// begin with a dash.
pub(crate) fn define<C: Args>(command: Command) -> Command {
    let command = C::augment_args(command).args_override_self(true).disable_help_flag(true);
    let taken = command.get_arguments().any(|argument| argument.get_short() == Some('h'));
    let help = Arg::new("help").long("help").help("Print this text").action(ArgAction::Help);
    let command = command.mut_args(|argument| {
        let value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append);
        if value && !argument.is_positional() { argument.allow_hyphen_values(true) } else { argument }
    });
    command.arg(if taken { help } else { help.short('h') })
}

/// The same for a command line in which a flag that needs no value has one, as in `--rm=false`. Apart, because the help
/// would show it.
pub(crate) fn define_with_values<C: Args>(command: Command) -> Command {
    define::<C>(command).mut_args(|argument| match argument.get_action() {
        ArgAction::SetTrue => argument
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true")
            .value_parser(boolean),
        _ => argument,
    })
}

/// Whether an argument looks like `--rm=false`.
fn gives_boolean(argument: &OsString) -> bool {
    let text = argument.to_str().unwrap_or_default();
    text.starts_with('-') && text.split_once('=').is_some_and(|(_, value)| boolean(value).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_sound() {
        for values in [false, true] {
            tree(values).debug_assert();
        }
    }

    #[test]
    fn every_name_is_found_again() {
        for leaf in LEAVES {
            for words in [vec![leaf.group, leaf.name], vec![leaf.top]] {
                if words.contains(&"") {
                    continue;
                }
                let command = words.iter().fold(tree(false), |command, word| {
                    command.find_subcommand(word).unwrap_or_else(|| panic!("{word}")).clone()
                });
                assert!(command.get_about().is_some());
            }
        }
    }

    #[test]
    fn values_of_flags_are_noticed() {
        assert!(gives_boolean(&"--rm=false".into()));
        assert!(gives_boolean(&"-t=0".into()));
        assert!(!gives_boolean(&"--name=x".into()));
        assert!(!gives_boolean(&"A=1".into()));
    }
}
