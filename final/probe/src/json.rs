//! The object for programs: the same facts as the page, under names that stay.
//!
//! Absent facts are `null`, never left out, so that a test can tell "no limit" from "not looked at".

use std::fmt::{self, Display, Write};

use crate::cgroup::{Limit, Limits};
use crate::facts::Facts;
use crate::rights::{IdRange, Rights};

/// A JSON value (RFC 8259), as much of it as is needed here.
pub(crate) enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in the order given.
    Map(Vec<(&'static str, Self)>),
}

/// The whole report.
pub(crate) fn object(facts: &Facts) -> Json {
    let namespaces = facts.namespaces.iter().map(|namespace| {
        Json::Map(vec![
            ("kind", namespace.kind.into()),
            ("id", namespace.id.into()),
            ("host_id", namespace.host.into()),
            ("own", namespace.own().into()),
        ])
    });
    let root = facts.root.as_ref().map(|root| {
        Json::Map(vec![
            ("type", root.kind.clone().into()),
            ("readonly", root.readonly.into()),
            ("lower", root.lower.clone().into()),
            ("upper", root.upper.clone().into()),
        ])
    });
    let interfaces = facts.interfaces.iter().map(|interface| {
        Json::Map(vec![
            ("name", interface.name.clone().into()),
            ("addresses", interface.addresses.clone().into()),
            ("mac", interface.mac.clone().into()),
        ])
    });
    Json::Map(vec![
        ("pid", u64::from(facts.pid).into()),
        ("hostname", facts.hostname.clone().into()),
        ("kernel", facts.kernel.clone().into()),
        ("namespaces", Json::List(namespaces.collect())),
        ("rights", facts.rights.as_ref().map_or(Json::Null, rights)),
        ("uid_map", id_map(&facts.uid_map)),
        ("gid_map", id_map(&facts.gid_map)),
        ("root", root.unwrap_or(Json::Null)),
        ("mounts", u64::try_from(facts.mounts).ok().into()),
        ("masked", facts.masked.clone().into()),
        ("readonly_paths", facts.readonly_paths.clone().into()),
        ("limits", limits(&facts.limits)),
        ("interfaces", Json::List(interfaces.collect())),
        ("gateway", facts.gateway.map(|address| address.to_string()).into()),
    ])
}

/// User, capabilities, seccomp.
fn rights(rights: &Rights) -> Json {
    Json::Map(vec![
        ("uid", rights.uid.map(u64::from).into()),
        ("gid", rights.gid.map(u64::from).into()),
        ("effective", rights.effective.clone().into()),
        ("bounding", rights.bounding.clone().into()),
        ("no_new_privileges", rights.no_new_privileges.into()),
        ("seccomp", rights.seccomp.map(u64::from).into()),
    ])
}

/// `max` of null inside an object is "no limit"; a null object is a controller that cannot be read.
fn limits(limits: &Limits) -> Json {
    let limit = |limit: &Option<Limit>| {
        limit
            .as_ref()
            .map_or(Json::Null, |limit| Json::Map(vec![("max", limit.max.into()), ("used", limit.used.into())]))
    };
    Json::Map(vec![
        ("cgroup_version", limits.version.map(u64::from).into()),
        ("memory_bytes", limit(&limits.memory)),
        ("cpu_thousandths", limit(&limits.cpu)),
        ("pids", limit(&limits.pids)),
    ])
}

/// `[inside, outside, count]` triples.
fn id_map(map: &[IdRange]) -> Json {
    let range =
        |range: &IdRange| Json::List([range.inside, range.outside, range.count].map(|id| u64::from(id).into()).into());
    Json::List(map.iter().map(range).collect())
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Json {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => quote(text, f),
            Self::List(values) => {
                f.write_char('[')?;
                for (place, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Self::Map(entries) => {
                f.write_char('{')?;
                for (place, (name, value)) in entries.iter().enumerate() {
                    write!(f, "{}\"{name}\":{value}", if place == 0 { "" } else { "," })?;
                }
                f.write_char('}')
            }
        }
    }
}

/// A string in quotes; control characters, quotes and backslashes escaped.
fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if c.is_ascii_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(Json::from("a\"b\\c\nd").to_string(), r#""a\"b\\c\u000ad""#);
    }

    #[test]
    fn values_nest() {
        let value = Json::Map(vec![("a", Some(1_u64).into()), ("b", vec!["x", "y"].into())]);
        assert_eq!(value.to_string(), r#"{"a":1,"b":["x","y"]}"#);
    }

    #[test]
    fn a_report_without_proc_has_every_name_and_no_values() {
        let text = object(&Facts { pid: 7, ..Facts::default() }).to_string();
        assert_eq!(
            text,
            "{\"pid\":7,\"hostname\":null,\"kernel\":null,\"namespaces\":[],\"rights\":null,\"uid_map\":[],\"gid_map\":[],\
             \"root\":null,\"mounts\":0,\"masked\":[],\"readonly_paths\":[],\"limits\":{\"cgroup_version\":null,\
             \"memory_bytes\":null,\"cpu_thousandths\":null,\"pids\":null},\"interfaces\":[],\"gateway\":null}"
        );
    }
}
