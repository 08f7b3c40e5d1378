//! Docker's commands and flags against ours: the same names, the same letters, a value where docker has one; or a reason.

use clap::{ArgAction, Command};

use super::{OsString, leaf, path};

/// What `docker COMMAND --help` lists (28.2.2), without the commands of the build, of plugins and of swarms.
const DOCKER: &str = include_str!("docker.txt");

/// What we do not have: command, flag (empty for the whole command), why.
const ABSENT: &[(&str, &str, &str)] = &[
    ("create", "kernel-memory", "the API has not had it since version 1.42"),
    ("container create", "kernel-memory", "the same"),
    ("run", "kernel-memory", "the same"),
    ("container run", "kernel-memory", "the same"),
];

#[test]
fn docker_has_no_flag_that_we_lack() {
    let mut wrong = Vec::new();
    for line in DOCKER.lines().filter(|line| !line.starts_with('#')) {
        let (name, flags) = line.split_once(':').unwrap();
        let lacks = |flag: &str| ABSENT.iter().any(|(command, absent, _)| *command == name && *absent == flag);
        let words: Vec<OsString> = std::iter::once("skiff").chain(name.split(' ')).map(OsString::from).collect();
        let Some(leaf) = leaf(&path(&words)) else {
            wrong.extend((!lacks("")).then(|| format!("there is no {name}")));
            continue;
        };
        let command = (leaf.define)(Command::new("x"));
        for flag in flags.split_whitespace() {
            let (flag, value) = flag.strip_suffix('=').map_or((flag, false), |flag| (flag, true));
            let (long, short) = flag.split_once('/').map_or((flag, None), |(long, short)| (long, short.chars().next()));
            let known = |argument: &&clap::Arg| {
                argument.get_long() == Some(long) || argument.get_all_aliases().unwrap_or_default().contains(&long)
            };
            match command.get_arguments().find(known) {
                None if lacks(long) => {}
                None => wrong.push(format!("{name} --{long} is not there")),
                Some(ours) => {
                    let switch = matches!(ours.get_action(), ArgAction::SetTrue)
                        || ours.get_num_args().is_some_and(|range| range.min_values() == 0);
                    if value == switch || short.is_some() && ours.get_short() != short {
                        wrong.push(format!(
                            "{name} --{long} is another one: -{:?}, a switch: {switch}",
                            ours.get_short()
                        ));
                    }
                    if lacks(long) {
                        wrong.push(format!("{name} --{long} is there and said to be absent"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
