//! From words to a function: the commands as a tree that clap can read.
//!
//! Only names are there from the beginning. The flags of a command are defined when its name was found, because defining
//! those of all commands would take longer than most of them run.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use crate::client::{Client, Endpoint, Tls, TlsFlags};
use crate::commands::{Exit, GROUPS, LEAVES, Leaf};
use crate::context::Contexts;
use crate::error::{Error, Result};
use crate::grammar::boolean;
use crate::login::Logins;
use crate::usage;

/// Understands the command line and does what it says.
pub(crate) fn run(arguments: &[OsString]) -> Result<Exit> {
    let arguments = &without_help(arguments);
    let mut matches = match understand(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage::explain(&error, arguments),
    };
    let host = matches.remove_one::<String>("host");
    let config = matches.remove_one::<String>("config");
    let context = matches.remove_one::<String>("context");
    let tls = TlsFlags {
        tls: matches.remove_one("tls"),
        verify: matches.remove_one("tlsverify"),
        authority: matches.remove_one("tlscacert"),
        certificate: matches.remove_one("tlscert"),
        key: matches.remove_one("tlskey"),
    };
    let Some((leaf, matches)) = find(matches) else { return usage::overview(arguments) };
    let environment = |name: &str| std::env::var(name).ok();
    let logins = Logins::at(config);
    let contexts = Contexts::choose(logins.directory().to_owned(), host.as_deref(), context.as_deref(), environment)?;
    let address = match leaf.group {
        // They are about contexts that may lead nowhere.
        "context" => None,
        _ => contexts.address()?,
    };
    let (endpoint, tls) = if let Some((host, tls)) = address {
        (Endpoint::parse(&host)?, tls)
    } else {
        let tls = Tls::choose(tls, logins.directory(), environment);
        (Endpoint::choose(host.as_deref(), tls.is_some(), environment)?, tls)
    };
    // Only ports need certificates: whether they can be read is nobody's business otherwise.
    let tls = tls.filter(|_| matches!(endpoint, Endpoint::Tcp { .. }) && leaf.group != "context");
    let tls = tls.map(|tls| tls.connector()).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(format!("cannot start: {error}")))?;
    let client = Client::new(endpoint, tls, logins, contexts);
    let result = runtime.block_on((leaf.run)(matches, &client));
    // The program ends now; taking everything apart first would only take time.
    std::mem::forget((runtime, client));
    result.map_err(|error| usage::finish(leaf, error))
}

/// `skiff help ps` is `skiff ps --help`.
fn without_help(arguments: &[OsString]) -> Vec<OsString> {
    let mut words = arguments.to_vec();
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.push("--help".into());
    }
    words
}

/// Understands the words. A tree with only the command that they name is made first, because that is quick; when it does not
/// fit, the whole tree says what is wrong and what was perhaps meant.
fn understand(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let values = arguments.iter().any(gives_boolean);
    if let Some(leaf) = leaf(&path(arguments)) {
        let mut tree = tree(values, |other| std::ptr::eq(other, leaf));
        let matches = tree.try_get_matches_from_mut(arguments);
        std::mem::forget(tree);
        if matches.is_ok() {
            return matches;
        }
    }
    tree(values, |_| true).try_get_matches_from(arguments)
}

/// The flags before a command that have a value, as a word of its own.
const VALUED: &[&str] =
    &["-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"];

/// The names of the command that the words name, as far as they name one: `[]`, `["ps"]`, `["container", "ls"]`.
pub(crate) fn path(arguments: &[OsString]) -> Vec<&'static str> {
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    // The value of -H is no command.
    let mut words = words.scan(false, |skip, word| {
        let value = std::mem::replace(skip, VALUED.contains(&word));
        Some(if value { "" } else { word })
    });
    let Some(first) = words.find(|word| !word.is_empty() && !word.starts_with('-')) else { return Vec::new() };
    if let Some(leaf) = LEAVES.iter().find(|leaf| leaf.top == first) {
        return vec![leaf.top];
    }
    let Some((group, _)) = GROUPS.iter().find(|(name, _)| *name == first) else { return Vec::new() };
    let second = words.next().unwrap_or_default();
    let found =
        LEAVES.iter().find(|leaf| leaf.group == *group && (leaf.name == second || leaf.aliases.contains(&second)));
    found.map_or_else(|| vec![*group], |leaf| vec![*group, leaf.name])
}

/// The command at a path.
pub(crate) fn leaf(path: &[&str]) -> Option<&'static Leaf> {
    match path {
        [top] => LEAVES.iter().find(|leaf| leaf.top == *top),
        [group, name] => LEAVES.iter().find(|leaf| leaf.group == *group && leaf.name == *name),
        _ => None,
    }
}

/// The command that was named, and its part of the matches.
fn find(mut matches: ArgMatches) -> Option<(&'static Leaf, ArgMatches)> {
    let (first, mut inner) = matches.remove_subcommand()?;
    match inner.remove_subcommand() {
        Some((second, inner)) => leaf(&[&first, &second]).map(|leaf| (leaf, inner)),
        None => leaf(&[&first]).map(|leaf| (leaf, inner)),
    }
}

/// The tree of the commands that `wanted` picks. With `values`, flags that need no value may have one all the same.
pub(crate) fn tree(values: bool, wanted: impl Fn(&Leaf) -> bool) -> Command {
    let command = |leaf: &'static Leaf, name: &'static str, path: String| {
        let define = if values { leaf.define_with_values } else { leaf.define };
        Command::new(name).about(leaf.about).override_usage(format!("{path} {}", leaf.usage)).defer(define)
    };
    let wanted: Vec<&'static Leaf> = LEAVES.iter().filter(|leaf| wanted(leaf)).collect();
    let top = wanted.iter().filter(|leaf| !leaf.top.is_empty());
    let mut root = root().subcommands(top.map(|leaf| command(leaf, leaf.top, format!("skiff {}", leaf.top))));
    for (name, about) in GROUPS {
        let leaves = wanted.iter().filter(|leaf| leaf.group == *name);
        let leaves: Vec<Command> = leaves
            .map(|leaf| command(leaf, leaf.name, format!("skiff {name} {}", leaf.name)).aliases(leaf.aliases))
            .collect();
        if !leaves.is_empty() {
            root = root.subcommand(Command::new(*name).about(*about).subcommands(leaves));
        }
    }
    root
}

/// The flags that stand before the command.
fn root() -> Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help);
    let file = |name, help| flag(name, help).value_name("FILE").value_parser(clap::value_parser!(PathBuf));
    // Whether they were given counts, not only what was said.
    let switch = |name, help| {
        let switch = flag(name, help).num_args(0..=1).require_equals(true).default_missing_value("true");
        switch.value_name("BOOLEAN").value_parser(boolean)
    };
    Command::new("skiff")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args_override_self(true)
        .arg(flag("version", "Print the version").short('v').action(ArgAction::Version))
        .arg(
            flag("host", "Daemon to talk to: unix:///PATH, ssh://HOST or tcp://HOST:PORT")
                .short('H')
                .value_name("HOST"),
        )
        .arg(flag("context", "Daemon to talk to, by the name of its context").short('c').value_name("NAME"))
        .arg(flag("debug", "Accepted for docker's sake").short('D').action(ArgAction::SetTrue))
        .arg(flag("config", "Where logins to registries are kept").value_name("DIRECTORY"))
        .arg(flag("log-level", "Accepted for docker's sake").short('l').value_name("LEVEL"))
        .arg(switch("tls", "Use TLS for a daemon at tcp://, but believe any certificate"))
        .arg(switch("tlsverify", "Use TLS for a daemon at tcp://, and make sure that it is the right one"))
        .arg(file("tlscacert", "Authority that signed the daemon's certificate [ca.pem in DOCKER_CERT_PATH]"))
        .arg(file("tlscert", "Our certificate [cert.pem in DOCKER_CERT_PATH]"))
        .arg(file("tlskey", "Its key [key.pem in DOCKER_CERT_PATH]"))
}

/// Defines the flags of a command, with the habits of docker's: a flag given twice counts the last time, and a value may
/// begin with a dash.
pub(crate) fn define<C: Args>(command: Command) -> Command {
    // What clap makes of the structure's own comment is not for the user.
    let about = command.get_about().cloned().unwrap_or_default();
    let command = C::augment_args(command).about(about).long_about(None);
    let command = command.args_override_self(true).disable_help_flag(true);
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
mod docker;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("skiff").chain(line.split_whitespace()).map(OsString::from).collect()
    }

    #[test]
    fn every_definition_is_sound() {
        for values in [false, true] {
            tree(values, |_| true).debug_assert();
        }
    }

    #[test]
    fn every_name_is_found_again() {
        for known in LEAVES {
            let in_group = [known.name].into_iter().chain(known.aliases.iter().copied());
            let lines = in_group.map(|name| format!("{} {name}", known.group)).chain([known.top.to_owned()]);
            for line in lines.filter(|line| !line.trim().is_empty()) {
                assert!(leaf(&path(&words(&line))).is_some_and(|found| std::ptr::eq(found, known)), "{line}");
            }
        }
    }

    #[test]
    fn the_words_before_flags_name_the_command() {
        assert_eq!(path(&words("-H unix:///x ps -a")), ["ps"]);
        assert_eq!(path(&words("--tlsverify --tlscacert ps.pem ps -a")), ["ps"]);
        assert_eq!(path(&words("container list -a")), ["container", "ls"]);
        assert_eq!(path(&words("container")), ["container"]);
        assert_eq!(path(&words("nonsense")), [""; 0]);
    }

    #[test]
    fn the_quick_tree_and_the_whole_one_agree() {
        for line in [
            "ps -a",
            "container ls -a",
            "-H unix:///x run -it --rm image sh -c x",
            "--tlsverify --tlskey=x ps",
            "run --rm=false image",
        ] {
            let (quick, whole) =
                (understand(&words(line)).unwrap(), tree(true, |_| true).try_get_matches_from(words(line)));
            let names = |matches: &ArgMatches| matches.subcommand_name().map(str::to_owned);
            assert_eq!(names(&quick), names(&whole.unwrap()), "{line}");
        }
        assert!(understand(&words("ps --nonsense")).is_err());
    }

    #[test]
    fn help_is_a_flag_of_the_command() {
        assert_eq!(without_help(&words("help ps")), words("ps --help"));
        assert_eq!(without_help(&words("run image help")), words("run image help"));
    }

    #[test]
    fn values_of_flags_are_noticed() {
        assert!(gives_boolean(&"--rm=false".into()));
        assert!(gives_boolean(&"-t=0".into()));
        assert!(!gives_boolean(&"--name=x".into()));
        assert!(!gives_boolean(&"A=1".into()));
    }
}
