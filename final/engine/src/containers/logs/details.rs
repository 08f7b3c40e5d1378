//! `logs --details`: the labels and variables of a container that `--log-opt labels=…` and `env=…` name, in front of each line.
//!
//! They are the container's, not the line's, so they are read from its record and not kept beside each line as docker does.

use std::fmt::Write as _;

use bollard_stubs::models::ContainerConfig;
use regex_lite::Regex;

use crate::containers::plan::log_tag;
use crate::containers::record::Asked;
use crate::error::{Error, Result};

/// `NAME=VALUE,NAME=VALUE` in the order of names, each escaped as in the query of an address.
pub(super) fn of(asked: &Asked) -> Result<String> {
    let mut pairs = chosen(asked)?;
    let options = asked.host.log_config.as_ref().and_then(|log| log.config.as_ref());
    if let Some(tag) = options.and_then(|options| options.get("tag")).filter(|tag| !tag.is_empty()) {
        pairs.push(("tag".to_owned(), log_tag::of(tag, asked)?));
    }
    pairs.sort_unstable();
    let words: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    Ok(words.join(","))
}

/// The labels and variables that the options name.
pub(in crate::containers) fn chosen(asked: &Asked) -> Result<Vec<(String, String)>> {
    let options = asked.host.log_config.as_ref().and_then(|log| log.config.as_ref());
    let option = |name: &str| options.and_then(|options| options.get(name)).map_or("", String::as_str);
    let labels = Chosen::new(option("labels"), option("labels-regex"))?;
    let variables = Chosen::new(option("env"), option("env-regex"))?;
    let chosen = labels_of(&asked.config).filter(|(name, _)| labels.has(name));
    let chosen = chosen.chain(variables_of(&asked.config).filter(|(name, _)| variables.has(name)));
    Ok(chosen.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn labels_of(config: &ContainerConfig) -> impl Iterator<Item = (&str, &str)> {
    config.labels.iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn variables_of(config: &ContainerConfig) -> impl Iterator<Item = (&str, &str)> {
    config.env.iter().flatten().filter_map(|variable| variable.split_once('='))
}

/// Names in a list, or that a pattern finds.
struct Chosen<'a> {
    names: Vec<&'a str>,
    pattern: Option<Regex>,
}

impl<'a> Chosen<'a> {
    fn new(names: &'a str, pattern: &str) -> Result<Self> {
        let compile = |pattern: &str| {
            Regex::new(pattern).map_err(|error| Error::invalid(format!("invalid log option {pattern:?}: {error}")))
        };
        let pattern = Some(pattern).filter(|pattern| !pattern.is_empty()).map(compile).transpose()?;
        Ok(Self { names: names.split(',').collect(), pattern })
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name) || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }
}

/// As Go's `url.QueryEscape` does it.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            b' ' => escaped.push('+'),
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use bollard_stubs::models::HostConfigLogConfig;

    use super::*;
    use crate::containers::testing;

    #[test]
    fn chosen_labels_and_variables_are_shown_in_order() {
        let mut asked = testing::asked("c0ffee", "web");
        asked.config.labels = Some([("team", "a b"), ("tier", "1,2"), ("other", "x")].map(pair).into());
        asked.config.env = Some(vec!["APP=é".into(), "HOME=/".into()]);
        let mut with = |options: &[(&str, &str)]| {
            let config = Some(options.iter().copied().map(pair).collect());
            asked.host.log_config = Some(HostConfigLogConfig { typ: None, config });
            of(&asked)
        };
        assert_eq!(with(&[]).unwrap(), "");
        assert_eq!(with(&[("labels", "team,none"), ("env", "APP")]).unwrap(), "APP=%C3%A9,team=a+b");
        assert_eq!(with(&[("labels", "team"), ("tag", "{{.Name}}")]).unwrap(), "tag=web,team=a+b");
        assert_eq!(with(&[("labels-regex", "^t"), ("env-regex", "^HO")]).unwrap(), "HOME=%2F,team=a+b,tier=1%2C2");
        assert!(with(&[("env-regex", "(")]).unwrap_err().message.contains("\"(\""));
    }

    fn pair((name, value): (&str, &str)) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }
}
