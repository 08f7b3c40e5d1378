//! Filters of lists: `--filter name=value`. Values of one name are alternatives, except labels; all names must match.

use std::collections::HashMap;

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
        let holds = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.get("label").iter().all(holds) && !self.get("label!").iter().any(holds)
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

#[cfg(test)]
mod tests {
    use super::*;

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
