//! Labels as one column, and the filters of every `ls`.

use std::collections::BTreeMap;

use crate::error::Result;

/// `a=1,b=2`, by name.
pub(crate) fn joined(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// One `--filter NAME=VALUE`.
pub(crate) fn filter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("bad format of filter (expected name=value)")?;
    Ok((name.trim().to_lowercase(), value.trim().to_owned()))
}

/// The API's form of the filters, `{"name":{"value":true}}`; nothing when there are none.
pub(crate) fn filters(given: &[(String, String)]) -> Option<String> {
    let mut all: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
    for (name, value) in given {
        all.entry(name).or_default().insert(value, true);
    }
    if all.is_empty() { None } else { serde_json::to_string(&all).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_one_name_are_joined() {
        let given = ["status=exited", "label=a=b", "status=created"].map(|text| filter(text).unwrap());
        assert_eq!(filters(&given).unwrap(), r#"{"label":{"a=b":true},"status":{"created":true,"exited":true}}"#);
        assert_eq!(filters(&[]), None);
        assert!(filter("status").is_err());
    }
}
