//! Filters of lists: `--filter name=value`. Values of one name are alternatives, except labels; all names must match.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};

use crate::error::{Error, Result};

/// Values by the name of a filter, as `docker ps --filter status=exited --filter label=a` gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters(HashMap<String, Vec<String>>);

impl From<HashMap<String, Vec<String>>> for Filters {
    fn from(values: HashMap<String, Vec<String>>) -> Self {
        Self(values)
    }
}

impl Filters {
    /// Refuses names that nobody looks at: a filter that is ignored shows too much, and `prune` would remove it.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!("invalid filter '{name}'"))
                .hint(format!("The filters here are: {}.", known.join(", ")))),
        }
    }

    /// The values of `name`; none when it was not given.
    pub fn get(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether no filter of this name was given, or one of its values passes `test`.
    pub fn any(&self, name: &str, test: impl Fn(&str) -> bool) -> bool {
        let values = self.get(name);
        values.is_empty() || values.iter().any(|value| test(value))
    }

    /// `label=key` and `label=key=value` must all hold, `label!=…` must all not hold.
    pub fn labels(&self, labels: &HashMap<String, String>) -> bool {
        // SOLUTION filter-labels
        let holds = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.get("label").iter().all(holds) && !self.get("label!").iter().any(holds)
        // END SOLUTION
    }

    /// `until=24h`, `until=2026-01-31`, `until=1700000000`: older than this.
    pub fn until(&self) -> Result<Option<Timestamp>> {
        self.get("until").first().map(|text| moment(text)).transpose()
    }

    /// A filter that is true or false, such as `dangling`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(name).first() else { return Ok(None) };
        match value.as_str() {
            "1" | "true" | "True" | "TRUE" | "t" | "T" => Ok(Some(true)),
            "0" | "false" | "False" | "FALSE" | "f" | "F" => Ok(Some(false)),
            _ => Err(Error::invalid(format!("invalid filter '{name}={value}'")).hint("Its value is true or false.")),
        }
    }
}

/// A moment as docker's filters write it: seconds since 1970, a date, or how long ago (`10m`, `1h30m`).
fn moment(text: &str) -> Result<Timestamp> {
    let ago = || Timestamp::now().checked_sub(text.parse::<SignedDuration>().ok()?).ok();
    let seconds = || {
        // What docker's client makes of a moment has nine digits of nanoseconds.
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        Timestamp::new(seconds.parse().ok()?, format!("{fraction:0<9.9}").parse().ok()?).ok()
    };
    let date = || text.parse::<Timestamp>().ok();
    let day =
        || TimeZone::UTC.to_timestamp(text.parse::<civil::Date>().ok()?.to_datetime(civil::Time::midnight())).ok();
    seconds().or_else(date).or_else(day).or_else(ago).ok_or_else(|| {
        Error::invalid(format!("invalid filter 'until={text}'"))
            .hint("Give seconds since 1970, a date such as 2026-01-31T12:00:00Z, or how long ago, such as 24h.")
    })
}

/// Whether `text` fits a shell's pattern (glob(7)): `*` is anything but a slash, `?` one character, `[a-z]` one of these.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    fits(&pattern, &text)
}

fn fits(pattern: &[char], text: &[char]) -> bool {
    // SOLUTION glob
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', pattern @ ..], _) => {
            let reach = text.iter().position(|&c| c == '/').unwrap_or(text.len());
            (0..=reach).any(|taken| fits(pattern, text.split_at(taken).1))
        }
        (['[', rest @ ..], [first, text @ ..]) => match rest.iter().position(|&c| c == ']') {
            Some(end) => {
                let (set, rest) = rest.split_at(end);
                in_set(set, *first) && fits(rest.split_at(1).1, text)
            }
            None => false,
        },
        (['?', pattern @ ..], [first, text @ ..]) => *first != '/' && fits(pattern, text),
        ([wanted, pattern @ ..], [first, text @ ..]) => wanted == first && fits(pattern, text),
        (_, []) => false,
    }
    // END SOLUTION
}

/// `a-z_` or `!0-9`.
fn in_set(set: &[char], c: char) -> bool {
    match set {
        ['!' | '^', set @ ..] => !in_set(set, c),
        [from, '-', to, rest @ ..] => (*from..=*to).contains(&c) || (!rest.is_empty() && in_set(rest, c)),
        [one, rest @ ..] => *one == c || in_set(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text) in
            [("busy*", "busybox"), ("*:1.?", "a:1.3"), ("a/*", "a/b"), ("[a-c]x", "bx"), ("[!a]", "b"), ("*", "")]
        {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("busy", "busybox"), ("*", "a/b"), ("[a-c", "a"), ("[!a]", "a"), ("?", ""), ("a*b", "ac")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn until_is_a_date_or_how_long_ago() {
        let moment = |text| filters(&[("until", &[text])]).until().map(Option::unwrap);
        assert_eq!(moment("1700000000"), moment("2023-11-14T22:13:20Z"));
        assert_eq!(moment("2023-11-14").unwrap().as_second(), 1_699_920_000);
        let hour = Timestamp::now().as_second() - moment("1h").unwrap().as_second();
        assert!((3600..3610).contains(&hour), "{hour}");
        assert_eq!(moment("soon").unwrap_err().message, "invalid filter 'until=soon'");
    }

    fn filters(pairs: &[(&str, &[&str])]) -> Filters {
        let values = |values: &&[&str]| values.iter().map(|&value| value.to_owned()).collect();
        pairs.iter().map(|(name, list)| ((*name).to_owned(), values(list))).collect::<HashMap<_, _>>().into()
    }

    #[test]
    fn values_are_alternatives_and_labels_are_not() {
        let labels = HashMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        assert!(filters(&[("label", &["a", "b="])]).labels(&labels));
        assert!(!filters(&[("label", &["a=1", "c"])]).labels(&labels));
        assert!(!filters(&[("label!", &["a=1"])]).labels(&labels));
        let status = filters(&[("status", &["running", "paused"])]);
        assert!(status.any("status", |value| value == "paused") && !status.any("status", |value| value == "exited"));
        assert!(status.any("name", |_| false));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let odd = filters(&[("colour", &["red"]), ("dangling", &["perhaps"])]);
        let refusal = odd.only(&["dangling", "label"]).unwrap_err();
        assert_eq!(refusal.to_string(), "invalid filter 'colour'\nThe filters here are: dangling, label.");
        assert_eq!(odd.flag("dangling").unwrap_err().message, "invalid filter 'dangling=perhaps'");
        assert_eq!(filters(&[("dangling", &["1"])]).flag("dangling"), Ok(Some(true)));
        assert_eq!(odd.flag("label"), Ok(None));
    }
}
