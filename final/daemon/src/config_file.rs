//! `daemon.json`: the flags again, in a file.
//!
//! Its keys are the names of the flags, those that may come more than once in the plural. So the file is turned into a
//! command line and read by the same parser: what a flag accepts, a key accepts, and both are refused in the same words. What
//! is said in both places is refused, as dockerd does: nobody could tell which of the two is meant.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};
use serde_json::{Map, Value};

use crate::flags::Flags;

/// Keys that are called otherwise than their flags.
const PLURALS: [(&str, &str); 12] = [
    ("hosts", "host"),
    ("labels", "label"),
    ("log-opts", "log-opt"),
    ("dns-opts", "dns-opt"),
    ("registry-mirrors", "registry-mirror"),
    ("insecure-registries", "insecure-registry"),
    ("default-address-pools", "default-address-pool"),
    ("default-ulimits", "default-ulimit"),
    ("exec-opts", "exec-opt"),
    ("runtimes", "add-runtime"),
    ("features", "feature"),
    ("cdi-spec-dirs", "cdi-spec-dir"),
];

/// Flags that make no sense in the file.
const LINE_ONLY: [&str; 4] = ["config-file", "validate", "version", "help"];

/// The command line that says the same as the file at `path`, without what is empty.
///
/// # Errors
/// It cannot be read, is no object of JSON, has keys that are no flags, or says what `given` says too.
pub(crate) fn arguments(path: &Path, given: &ArgMatches) -> Result<Vec<String>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let failed = || format!("unable to configure the daemon with file {shown}");
    let keys = if text.trim().is_empty() { Map::new() } else { serde_json::from_str(&text).with_context(failed)? };
    let command = Flags::command();
    let unknown: Vec<&str> = keys.keys().map(String::as_str).filter(|key| flag(&command, key).is_none()).collect();
    if !unknown.is_empty() {
        bail!("{}: the following directives don't match any configuration option: {}", failed(), unknown.join(", "));
    }
    let said_twice = |key: &&str| {
        let id = flag(&command, key);
        id.is_some_and(|id| given.value_source(&id) == Some(ValueSource::CommandLine))
    };
    let twice = keys.iter().map(|(key, value)| (key.as_str(), value)).filter(|(key, _)| said_twice(key));
    let twice: Vec<String> = twice.map(|(key, value)| conflict(&command, given, key, value)).collect();
    if !twice.is_empty() {
        let twice = twice.join(", ");
        bail!(
            "{}: the following directives are specified both as a flag and in the configuration file: {twice}",
            failed()
        );
    }
    let mut arguments = Vec::new();
    for (key, value) in &keys {
        let name = PLURALS.iter().find(|(plural, _)| plural == key).map_or(key.as_str(), |(_, name)| name);
        let words = words_of_file(key, value).with_context(failed)?;
        arguments.extend(words.into_iter().map(|word| format!("--{name}={word}")));
    }
    Ok(arguments)
}

/// Both that is said of `key`, as dockerd shows it.
fn conflict(command: &Command, given: &ArgMatches, key: &str, value: &Value) -> String {
    let raw = flag(command, key).and_then(|id| Some(given.get_raw(&id)?.map(|word| word.to_string_lossy()).collect()));
    let words: Vec<_> = raw.unwrap_or_default();
    let file = words_of_file(key, value).unwrap_or_default();
    let list = PLURALS.iter().any(|(plural, _)| *plural == key);
    let show = |words: String| if list { format!("[{words}]") } else { words };
    format!("{key}: (from flag: {}, from file: {})", show(words.join(" ")), show(file.join(" ")))
}

/// The parser's own name of the flag that a key stands for.
fn flag(command: &Command, key: &str) -> Option<String> {
    let name = PLURALS.iter().find(|(plural, _)| *plural == key).map_or(key, |(_, name)| name);
    let found = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    // What has a plural is only known by that.
    let singular = PLURALS.iter().any(|(_, name)| *name == key) || LINE_ONLY.contains(&key);
    found.filter(|_| !singular).map(|argument| argument.get_id().to_string())
}

/// A value as the words of a command line: a list is a flag that comes more than once, an object `key=value` each time.
fn words_of_file(key: &str, value: &Value) -> Result<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(on) => Ok(on.to_string()),
        other => bail!("{key}: {other} is not understood"),
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values
            .iter()
            .map(|value| match value {
                // `{"base":"10.0.0.0/8","size":24}`
                Value::Object(fields) => pairs(fields, one).map(|pairs| pairs.join(",")),
                value => one(value),
            })
            .collect(),
        Value::Object(fields) if key == "default-ulimits" => fields
            .iter()
            .map(|(name, limit)| {
                let side = |side: &str| limit.get(side).and_then(Value::as_i64).unwrap_or(-1);
                Ok(format!("{name}={}:{}", side("Soft"), side("Hard")))
            })
            .collect(),
        Value::Object(fields) => pairs(fields, one),
        value => one(value).map(|word| vec![word]),
    }
}

fn pairs(fields: &Map<String, Value>, one: impl Fn(&Value) -> Result<String>) -> Result<Vec<String>> {
    fields.iter().map(|(name, value)| Ok(format!("{name}={}", one(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, line: &[&str]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let given = Flags::command().get_matches_from([&["skiffd"], line].concat());
        let shown = file.path().display().to_string();
        arguments(file.path(), &given).map_err(|error| format!("{error:#}").replace(&shown, "daemon.json"))
    }

    #[test]
    fn a_file_is_a_command_line() {
        let text = r#"{"debug": true, "hosts": ["unix:///a", "fd://"], "mtu": 1400, "log-opts": {"max-size": "1m"},
            "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 20, "Soft": 10}}, "labels": [], "bip": "10.0.0.1/24",
            "default-address-pools": [{"base": "10.1.0.0/16", "size": 24}]}"#;
        insta::assert_snapshot!(read(text, &[]).unwrap().join("\n"), @r"
        --bip=10.0.0.1/24
        --debug=true
        --default-address-pool=base=10.1.0.0/16,size=24
        --default-ulimit=nofile=10:20
        --host=unix:///a
        --host=fd://
        --log-opt=max-size=1m
        --mtu=1400
        ");
        assert_eq!(read("", &[]), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        insta::assert_snapshot!(read(r#"{"colour": "red", "host": "x"}"#, &[]).unwrap_err(),
            @"unable to configure the daemon with file daemon.json: the following directives don't match any configuration option: colour, host");
        insta::assert_snapshot!(read(r#"{"debug": true, "hosts": ["unix:///a"]}"#, &["-D", "-H", "unix:///b"]).unwrap_err(),
            @"unable to configure the daemon with file daemon.json: the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: true), hosts: (from flag: [unix:///b], from file: [unix:///a])");
        insta::assert_snapshot!(read("{", &[]).unwrap_err(),
            @"unable to configure the daemon with file daemon.json: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(read(r#"{"mtu": [[1]]}"#, &[]).unwrap_err(),
            @"unable to configure the daemon with file daemon.json: mtu: [1] is not understood");
    }
}
