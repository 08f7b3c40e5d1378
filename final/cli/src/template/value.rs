//! What a template is filled with: JSON whose objects keep their order.

use std::fmt::{self, Display};

use super::zero::Zero;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Number;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// `null`, or a field that the API leaves out when it is empty. In Go it has a type, and prints as the zero of that.
    Nothing(Zero),
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object, in the order in which it was read.
    Map(Vec<(String, Self)>),
}

impl Value {
    /// Whether `if` takes it for true: neither false, zero, null, nor empty.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nothing(_) => false,
            Self::Bool(value) => *value,
            Self::Number(number) => number.as_f64() != Some(0.0),
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// The field of an object: of this name, or else the first of this name in another case. One that is null has the type
    /// of its name.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        let Self::Map(map) = self else { return None };
        let exact = map.iter().find(|(known, _)| known == name);
        let found = exact.or_else(|| map.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.map(|(known, value)| match value {
            Self::Nothing(_) => Self::Nothing(Zero::of(known).unwrap_or(Zero::List)),
            value => value.clone(),
        })
    }

    /// The zero of a field that an object lacks, when it is one that the API leaves out when it is empty.
    pub(crate) fn omitted(&self, name: &str) -> Option<Self> {
        let Self::Map(_) = self else { return None };
        Zero::of(name).map(Self::Nothing)
    }

    /// The member of an object with exactly this name.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Map(map) = self else { return None };
        map.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text of a string.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The value that a field without one is compared as.
    pub(crate) fn solid(&self) -> Self {
        match self {
            Self::Nothing(Zero::Number) => 0.into(),
            Self::Nothing(Zero::False) => false.into(),
            Self::Nothing(Zero::Text) => "".into(),
            other => other.clone(),
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Nothing(_) => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// As JSON in one line.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

/// As Go prints it.
impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing(zero) => f.write_str(zero.text()),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => {
                f.write_str("[")?;
                for (place, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                let mut sorted: Vec<_> = map.iter().collect();
                sorted.sort_by_key(|(name, _)| name);
                f.write_str("map[")?;
                for (place, (name, value)) in sorted.iter().enumerate() {
                    write!(f, "{}{name}:{value}", if place == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing(Zero::Text) => serializer.serialize_str(""),
            Self::Nothing(Zero::Number) => serializer.serialize_u8(0),
            Self::Nothing(Zero::False) => serializer.serialize_bool(false),
            Self::Nothing(_) => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => list.serialize(serializer),
            Self::Map(map) => {
                let mut object = serializer.serialize_map(Some(map.len()))?;
                for (name, value) in map {
                    object.serialize_entry(name, value)?;
                }
                object.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing(Zero::List))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Nothing(Zero::Nil), Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = elements.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Value::Map(map))
    }
}
