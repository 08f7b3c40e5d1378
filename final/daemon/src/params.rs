//! The query of a request, read as docker reads it: anything but `0`, `no`, `false` and `none` is true, and what a client
//! leaves empty counts as not given.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use jiff::Timestamp;
use serde_json::Value;
use skiff_engine::{Error, Filters};

/// The pairs after the `?`, in order. A name may come more than once.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default()))
    }
}

impl Params {
    /// The value of `name`, unless it is missing or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The value of `name`, without which the request makes no sense.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| Error::invalid(format!("the query parameter {name:?} is missing or empty")))
    }

    /// Every value of `name`.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone()).collect()
    }

    /// Whether `name` is switched on (moby: `httputils.BoolValue`).
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.flag_or(name, false)
    }

    /// The same with a default for when it is not given.
    pub(crate) fn flag_or(&self, name: &str, default: bool) -> bool {
        self.text(name).map_or(default, |value| {
            !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
        })
    }

    /// The number called `name`.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        self.text(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Error::invalid(format!("the query parameter {name:?} must be a number in range, not {value:?}"))
                })
            })
            .transpose()
    }

    /// The size of a terminal: rows (`h`) and columns (`w`).
    pub(crate) fn size(&self) -> Result<(u16, u16), Error> {
        let side =
            |name| self.number(name)?.ok_or_else(|| Error::invalid(format!("the query parameter {name:?} is missing")));
        Ok((side("h")?, side("w")?))
    }

    /// The moment called `name`: seconds since 1970 with an optional fraction (what clients make of `10m`), or RFC 3339.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        self.text(name)
            .map(|value| {
                moment(value).ok_or_else(|| {
                    Error::invalid(format!("the query parameter {name:?} is not a time: {value:?}"))
                        .hint("Give seconds since 1970, such as 1700000000.5, or a date such as 2026-01-31T12:00:00Z.")
                })
            })
            .transpose()
    }

    /// What `filters` says. Two shapes are in use: `{"status":["running"]}`, and the older `{"status":{"running":true}}`.
    pub(crate) fn filters(&self) -> Result<Filters, Error> {
        self.text("filters").map_or_else(|| Ok(Filters::default()), filters)
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Ok(seconds) = seconds.parse() else { return text.parse().ok() };
    // Nine digits of nanoseconds: `.5` is 500 million.
    let nanos = format!("{fraction:0<9.9}").parse().ok()?;
    Timestamp::new(seconds, nanos).ok()
}

fn filters(text: &str) -> Result<Filters, Error> {
    let bad = |why: &str| Error::invalid(format!("invalid filter {text:?}: {why}"));
    let value: Value = serde_json::from_str(text).map_err(|error| bad(&error.to_string()))?;
    let Value::Object(names) = value else { return Err(bad("expected an object of lists")) };
    names
        .into_iter()
        .map(|(name, values)| {
            let values = match values {
                Value::Array(values) => values.into_iter().map(word).collect::<Option<Vec<_>>>(),
                Value::Object(values) => Some(
                    values.into_iter().filter(|(_, on)| on != &Value::Bool(false)).map(|(value, _)| value).collect(),
                ),
                Value::Null => Some(Vec::new()),
                _ => None,
            };
            values.map(|values| (name, values)).ok_or_else(|| bad("expected a list of strings for each name"))
        })
        .collect::<Result<HashMap<_, _>, _>>()
        .map(Filters::from)
}

fn word(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let uri = format!("/x?{query}").parse().unwrap();
        Params(Query::try_from_uri(&uri).map(|Query(pairs)| pairs).unwrap())
    }

    #[test]
    fn a_flag_is_on_unless_it_says_no() {
        let params = params("a=1&b=true&c=0&d=False&e=&f=no&g=yes");
        let on: Vec<_> =
            ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().filter(|name| params.flag(name)).collect();
        assert_eq!(on, ["a", "b", "g"]);
        assert!(params.flag_or("e", true) && params.flag_or("h", true) && !params.flag_or("c", true));
    }

    #[test]
    fn values_are_decoded_and_numbers_checked() {
        let params = params("name=a%2Fb&t=10&bad=x&names=a&names=b");
        assert_eq!(params.text("name"), Some("a/b"));
        assert_eq!(params.number::<u32>("t"), Ok(Some(10)));
        assert_eq!(params.number::<u32>("gone"), Ok(None));
        assert!(params.number::<u32>("bad").unwrap_err().message.contains("\"bad\" must be a number"));
        assert_eq!(params.all("names"), ["a", "b"]);
        assert!(params.required("gone").unwrap_err().message.contains("\"gone\""));
    }

    #[test]
    fn moments_are_seconds_or_dates() {
        let nanos = |text| moment(text).map(Timestamp::as_nanosecond);
        assert_eq!(nanos("1700000000.5"), Some(1_700_000_000_500_000_000));
        assert_eq!(nanos("1700000000"), Some(1_700_000_000_000_000_000));
        assert_eq!(nanos("2023-11-14T22:13:20Z"), Some(1_700_000_000_000_000_000));
        assert_eq!((nanos("soon"), nanos("1.x")), (None, None));
    }

    #[test]
    fn filters_come_in_two_shapes() {
        let new = filters(r#"{"status":["running","paused"],"label":["a=b"]}"#).unwrap();
        assert_eq!(new.get("status"), ["running", "paused"]);
        let old = filters(r#"{"status":{"running":true,"exited":false}}"#).unwrap();
        assert_eq!(old.get("status"), ["running"]);
        for bad in ["{", "[]", r#"{"a":1}"#, r#"{"a":[1]}"#] {
            assert!(filters(bad).unwrap_err().message.starts_with("invalid filter"), "{bad}");
        }
    }
}
