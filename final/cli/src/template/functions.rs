//! The functions of a template: docker's own (`json`, `join`, `title`, …) and Go's (`index`, `printf`, `eq`, …).

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::Fault;
use super::value::Value;
use super::zero::Zero;

/// Calls a function by name.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Result<Value, Fault> {
    let exactly = |count: usize| match arguments.len() {
        given if given == count => Ok(()),
        given => Err(Fault::new(format!("{name}: needs {count} arguments, has {given}"))),
    };
    let text = |place: usize| arguments.get(place).map(Value::to_string).unwrap_or_default();
    let compare = || arguments.first().zip(arguments.get(1)).map_or(Ok(Ordering::Equal), |(a, b)| order(name, a, b));
    match name {
        "json" => exactly(1).map(|()| arguments.first().map(Value::to_json).unwrap_or_default().into()),
        "lower" => exactly(1).map(|()| text(0).to_lowercase().into()),
        "upper" => exactly(1).map(|()| text(0).to_uppercase().into()),
        "title" => exactly(1).map(|()| title(&text(0)).into()),
        "len" => exactly(1).and_then(|()| length(arguments)),
        "not" => exactly(1).map(|()| (!arguments.iter().all(Value::truth)).into()),
        "join" => exactly(2).and_then(|()| join(arguments, &text(1))),
        "split" => exactly(2).map(|()| split(&text(0), &text(1))),
        "truncate" => exactly(2).map(|()| text(0).chars().take(number(arguments, 1)).collect::<String>().into()),
        "pad" => exactly(3).map(|()| pad(&text(0), number(arguments, 1), number(arguments, 2)).into()),
        "index" => index(arguments),
        "slice" => slice(arguments),
        "print" => Ok(arguments.iter().map(Value::to_string).collect::<String>().into()),
        "println" => Ok(format!("{}\n", arguments.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")).into()),
        "printf" => printf(arguments),
        "and" => Ok(decide(arguments, false)),
        "or" => Ok(decide(arguments, true)),
        "eq" => equal(arguments),
        "ne" => exactly(2).and_then(|()| compare()).map(|order| order.is_ne().into()),
        "lt" => exactly(2).and_then(|()| compare()).map(|order| order.is_lt().into()),
        "le" => exactly(2).and_then(|()| compare()).map(|order| order.is_le().into()),
        "gt" => exactly(2).and_then(|()| compare()).map(|order| order.is_gt().into()),
        "ge" => exactly(2).and_then(|()| compare()).map(|order| order.is_ge().into()),
        _ => Err(Fault::new(format!("there is no function {name}"))),
    }
}

/// JSON in which `<`, `>` and `&`, which can only stand in strings, are written as escapes.
pub(crate) fn html_safe(json: &str) -> String {
    json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
}

/// The heading of a label: the last part of its name, in words.
pub(crate) fn heading(label: &str) -> String {
    label.rsplit('.').next().unwrap_or(label).replace(['-', '_'], " ")
}

/// An argument as a count; negative ones and what is no number are 0.
fn number(arguments: &[Value], place: usize) -> usize {
    arguments.get(place).and_then(Value::as_integer).and_then(|number| number.try_into().ok()).unwrap_or(0)
}

/// The pieces between the separators; every character by itself when there is no separator.
fn split(text: &str, separator: &str) -> Value {
    Value::List(match separator {
        "" => text.chars().map(|c| c.to_string().into()).collect(),
        _ => text.split(separator).map(Into::into).collect(),
    })
}

/// Every word with a capital.
fn title(text: &str) -> String {
    let mut start = true;
    let capital = |c: char| {
        let out = if start { c.to_uppercase().next().unwrap_or(c) } else { c };
        start = c.is_whitespace();
        out
    };
    text.chars().map(capital).collect()
}

fn pad(text: &str, before: usize, after: usize) -> String {
    if text.is_empty() { String::new() } else { format!("{}{text}{}", " ".repeat(before), " ".repeat(after)) }
}

fn length(arguments: &[Value]) -> Result<Value, Fault> {
    let count = match arguments.first() {
        None | Some(Value::Nothing(_)) => 0,
        Some(Value::Text(text)) => text.len(),
        Some(Value::List(list)) => list.len(),
        Some(Value::Map(map)) => map.len(),
        Some(other) => return Err(Fault::new(format!("len: {} has no length", other.kind()))),
    };
    Ok(i64::try_from(count).unwrap_or(i64::MAX).into())
}

fn join(arguments: &[Value], separator: &str) -> Result<Value, Fault> {
    match arguments.first() {
        Some(Value::List(list)) => Ok(list.iter().map(Value::to_string).collect::<Vec<_>>().join(separator).into()),
        None | Some(Value::Nothing(_)) => Ok("".into()),
        Some(other) => Err(Fault::new(format!("join: needs a list, not {}", other.kind()))),
    }
}

/// `index .List 1 "Name"`: one step per argument. What a map lacks is an empty text, as in Go; a list must be long enough.
fn index(arguments: &[Value]) -> Result<Value, Fault> {
    let Some((whole, steps)) = arguments.split_first() else { return Err(Fault::new("index: needs an argument")) };
    let mut value = whole.clone();
    for step in steps {
        value = match (&value, step) {
            (Value::Map(_), key) => value.member(&key.to_string()).cloned().unwrap_or_else(|| "".into()),
            (Value::Nothing(_), step) if step.as_integer().is_some() => {
                return Err(Fault::new("error calling index: index of untyped nil"));
            }
            (Value::Nothing(_), _) => Value::Text(String::new()),
            (Value::List(list), step) => {
                let element = step.as_integer().and_then(|place| list.get(usize::try_from(place).ok()?));
                let missing = || Fault::new(format!("index: {step} is not one of the {} elements", list.len()));
                element.cloned().ok_or_else(missing)?
            }
            (other, _) => return Err(Fault::new(format!("index: cannot look into {}", other.kind()))),
        };
    }
    Ok(value)
}

/// `slice "text" 1 3`: from, and up to but without.
fn slice(arguments: &[Value]) -> Result<Value, Fault> {
    let end = |length: usize| if arguments.len() > 2 { number(arguments, 2) } else { length };
    let outside = || Fault::new("slice: the places are outside of the value");
    match arguments.first() {
        Some(Value::Text(text)) => text.get(number(arguments, 1)..end(text.len())).map(Into::into).ok_or_else(outside),
        Some(Value::List(list)) => {
            list.get(number(arguments, 1)..end(list.len())).map(|part| Value::List(part.to_vec())).ok_or_else(outside)
        }
        _ => Err(Fault::new("slice: needs a text or a list")),
    }
}

/// The first argument whose truth is `wanted`, or the last.
fn decide(arguments: &[Value], wanted: bool) -> Value {
    let found = arguments.iter().find(|argument| argument.truth() == wanted);
    found.or(arguments.last()).cloned().unwrap_or(Value::Nothing(Zero::Nil))
}

/// Whether the first argument equals one of the others.
fn equal(arguments: &[Value]) -> Result<Value, Fault> {
    match arguments.split_first() {
        Some((first, others)) if !others.is_empty() => {
            let same = |other: &Value| order("eq", first, other).map(Ordering::is_eq);
            let found = others.iter().map(same).collect::<Result<Vec<_>, _>>()?;
            Ok(found.contains(&true).into())
        }
        _ => Err(Fault::new("eq: needs at least 2 arguments")),
    }
}

fn order(name: &str, a: &Value, b: &Value) -> Result<Ordering, Fault> {
    match (&a.solid(), &b.solid()) {
        (Value::Number(a), Value::Number(b)) => Ok(a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal)),
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Nothing(_), Value::Nothing(_)) => Ok(Ordering::Equal),
        (Value::Nothing(_), _) => Ok(Ordering::Less),
        (_, Value::Nothing(_)) => Ok(Ordering::Greater),
        (a, b) => Err(Fault::new(format!("{name}: cannot compare {} with {}", a.kind(), b.kind()))),
    }
}

/// Go's verbs `%s %v %d %q %%`, with a width and the most characters of a text: `%-10s`, `%.12s`.
fn printf(arguments: &[Value]) -> Result<Value, Fault> {
    let Some((format, values)) = arguments.split_first() else { return Err(Fault::new("printf: needs a format")) };
    let format = format.to_string();
    let mut values = values.iter();
    let mut out = String::new();
    let mut characters = format.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let left = characters.next_if_eq(&'-').is_some();
        let mut width = String::new();
        while let Some(digit) = characters.next_if(|c| c.is_ascii_digit() || *c == '.') {
            width.push(digit);
        }
        let (width, most) = width.split_once('.').map_or((width.as_str(), None), |(width, most)| (width, Some(most)));
        let width: usize = width.parse().unwrap_or(0);
        let most = most.map(|most| most.parse::<usize>().unwrap_or(0));
        let mut next = || values.next().ok_or_else(|| Fault::new("printf: there are more verbs than values"));
        let text = match characters.next() {
            Some('%') => "%".to_owned(),
            Some('s') => next()?.to_string().chars().take(most.unwrap_or(usize::MAX)).collect(),
            Some('v' | 'd' | 't' | 'f' | 'g') => next()?.to_string(),
            Some('q') => Value::Text(next()?.to_string()).to_json(),
            verb => {
                return Err(Fault::new(format!(
                    "printf: unknown verb %{}",
                    verb.map(String::from).unwrap_or_default()
                )));
            }
        };
        let _ = if left { write!(out, "{text:<width$}") } else { write!(out, "{text:>width$}") };
    }
    Ok(out.into())
}
