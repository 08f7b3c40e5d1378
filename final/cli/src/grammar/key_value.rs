//! `NAME=value`: environment, labels, options, and files with one of them per line.

use std::collections::HashMap;

/// One `--env`. A bare name takes its value from our own environment; without one there it stays bare, which tells the
/// daemon to take the variable away.
pub(crate) fn environment(text: &str, look_up: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    match text.split_once('=') {
        Some(("", _)) => Err(format!("invalid environment variable: {text}")),
        Some(_) => Ok(text.to_owned()),
        None if text.is_empty() => Err("invalid environment variable: it has no name".to_owned()),
        None => Ok(look_up(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}"))),
    }
}

/// The lines of an `--env-file` or `--label-file`: comments and empty lines are left out, and so are bare names that
/// `look_up` does not know. There are no quotes and no continued lines; everything behind the `=` belongs to the value.
pub(crate) fn file(text: &str, look_up: impl Fn(&str) -> Option<String>) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        let value = value.map(str::to_owned).or_else(|| look_up(name));
        found.extend(value.map(|value| format!("{name}={value}")));
    }
    Ok(found)
}

/// `name=value` pairs as a map; a bare name has an empty value, and the last of several wins.
pub(crate) fn map<T: AsRef<str>>(pairs: impl IntoIterator<Item = T>) -> HashMap<String, String> {
    let pair = |pair: T| {
        let (name, value) = pair.as_ref().split_once('=').unwrap_or((pair.as_ref(), ""));
        (name.to_owned(), value.to_owned())
    };
    pairs.into_iter().map(pair).collect()
}

/// A pair with a value, such as `size=10G`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text} is not of the form NAME=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/root".to_owned())
    }

    #[test]
    fn a_bare_name_is_looked_up() {
        assert_eq!(environment("HOME", look_up).unwrap(), "HOME=/root");
        assert_eq!(environment("NONE", look_up).unwrap(), "NONE");
        assert_eq!(environment("A=b=c", look_up).unwrap(), "A=b=c");
        assert_eq!(environment("A=", look_up).unwrap(), "A=");
        assert!(environment("=b", look_up).is_err());
    }

    #[test]
    fn a_file_has_comments_and_no_quotes() {
        let text = "\u{feff}# comment\n\n  A=1 # kept\nB=\"x\"\nHOME\nNONE\nC=\n";
        assert_eq!(file(text, look_up).unwrap(), ["A=1 # kept", "B=\"x\"", "HOME=/root", "C="]);
        assert_eq!(file("A B=1", look_up).unwrap_err(), "variable 'A B' contains whitespaces");
        assert_eq!(file("=1", look_up).unwrap_err(), "no variable name on line '=1'");
    }

    #[test]
    fn maps_keep_the_last() {
        let map = map(["a=1", "b", "a=2"]);
        assert_eq!((map["a"].as_str(), map["b"].as_str()), ("2", ""));
    }
}
