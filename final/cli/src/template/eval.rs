//! The tree and a value to text.

use std::ops::ControlFlow;

use super::Fault;
use super::functions;
use super::parse::{Branch, Command, Node, Operand, Pipeline};
use super::value::Value;
use super::zero::Zero;

/// What a template is filled with.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    value: Value,
    /// Fields that take an argument: `.Label "name"` looks the argument up in a map. They are no part of the value.
    methods: Vec<(&'static str, Value)>,
    /// Whether every field is there, so that one that is not does not exist.
    complete: bool,
    /// Whether it is the headings of a table: a method's is its argument.
    heading: bool,
}

impl Data {
    /// A document of the daemon's, which may lack fields that are empty.
    pub(crate) fn new(value: Value) -> Self {
        Self { value, methods: Vec::new(), complete: false, heading: false }
    }

    /// A row of a listing, which has all its fields.
    pub(crate) fn complete(value: Value) -> Self {
        Self { complete: true, ..Self::new(value) }
    }

    /// Adds a method that looks its argument up in `map`.
    #[must_use]
    pub(crate) fn method(mut self, name: &'static str, map: Value) -> Self {
        self.methods.push((name, map));
        self
    }

    /// The headings of a table whose rows have this method.
    #[must_use]
    pub(crate) fn heading(self, name: &'static str) -> Self {
        Self { heading: true, ..self }.method(name, Value::Map(Vec::new()))
    }

    /// The same with another value.
    pub(crate) fn with(self, value: Value) -> Self {
        Self { value, ..self }
    }

    /// The value itself.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }
}

/// Fills the tree in.
pub(crate) fn render(nodes: &[Node], data: &Data) -> Result<String, Fault> {
    let variables = vec![(String::new(), data.value.clone())];
    let mut run = Run { data, variables, out: String::new() };
    let _ = run.nodes(nodes, &data.value)?;
    Ok(run.out)
}

/// How a loop goes on when its body ends before its end.
type Flow = ControlFlow<Leave>;

enum Leave {
    Break,
    Continue,
}

struct Run<'a> {
    data: &'a Data,
    /// Innermost last. The first is `$`.
    variables: Vec<(String, Value)>,
    out: String,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Fault> {
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue(()))
    }

    /// The nodes of a block. What it declares ends with it.
    fn block(&mut self, nodes: &[Node], dot: &Value, declared: Vec<(String, Value)>) -> Result<Flow, Fault> {
        let depth = self.variables.len();
        self.variables.extend(declared);
        let flow = self.nodes(nodes, dot);
        self.variables.truncate(depth);
        flow
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, Fault> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.out.push_str(&value.to_string());
            }
            Node::Set { name, declare, value } => {
                let value = self.pipeline(value, dot)?;
                self.set(name, *declare, value)?;
            }
            Node::If(branch) | Node::With(branch) => {
                let value = self.pipeline(&branch.head, dot)?;
                if !value.truth() {
                    return self.block(&branch.otherwise, dot, Vec::new());
                }
                let declared = branch.variables.iter().map(|name| (name.clone(), value.clone())).collect();
                let inner = if matches!(node, Node::With(_)) { &value } else { dot };
                return self.block(&branch.body, inner, declared);
            }
            Node::Range(branch) => return self.range(branch, dot),
            Node::Break => return Ok(Flow::Break(Leave::Break)),
            Node::Continue => return Ok(Flow::Break(Leave::Continue)),
        }
        Ok(Flow::Continue(()))
    }

    fn set(&mut self, name: &str, declare: bool, value: Value) -> Result<(), Fault> {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some((_, place)) if !declare => *place = value,
            None if !declare => return Err(Fault::new(format!("there is no variable ${name}"))),
            _ => self.variables.push((name.to_owned(), value)),
        }
        Ok(())
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Result<Flow, Fault> {
        let head = self.pipeline(&branch.head, dot)?;
        let elements = elements(head)?;
        if elements.is_empty() {
            return self.block(&branch.otherwise, dot, Vec::new());
        }
        for (key, value) in elements {
            let declared = match branch.variables.as_slice() {
                [] => Vec::new(),
                [element] => vec![(element.clone(), value.clone())],
                [place, element, ..] => vec![(place.clone(), key), (element.clone(), value.clone())],
            };
            match self.block(&branch.body, &value, declared)? {
                Flow::Break(Leave::Break) => break,
                Flow::Break(Leave::Continue) | Flow::Continue(()) => {}
            }
        }
        Ok(Flow::Continue(()))
    }

    fn pipeline(&self, pipeline: &Pipeline, dot: &Value) -> Result<Value, Fault> {
        let mut piped = None;
        for command in pipeline {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.unwrap_or(Value::Nothing(Zero::Nil)))
    }

    fn command(&self, command: &Command, dot: &Value, piped: Option<Value>) -> Result<Value, Fault> {
        let Some((first, rest)) = command.split_first() else { return Err(Fault::new("an action is empty")) };
        let mut arguments = rest.iter().map(|operand| self.operand(operand, dot)).collect::<Result<Vec<_>, _>>()?;
        arguments.extend(piped);
        match first {
            // A whole row escapes what HTML would take for its own; its parts do not. Go has it so.
            Operand::Function(name) if name == "json" && self.data.complete => {
                let row = matches!(arguments.first(), Some(Value::Map(_)));
                let json = functions::call(name, &arguments)?;
                Ok(if row { functions::html_safe(&json.to_string()).into() } else { json })
            }
            Operand::Function(name) => functions::call(name, &arguments),
            Operand::Field(base, name) if !arguments.is_empty() => self.method(base, name, &arguments),
            operand if arguments.is_empty() => self.operand(operand, dot),
            _ => Err(Fault::new("only functions and fields take arguments")),
        }
    }

    /// `.Label "name"`.
    fn method(&self, base: &Operand, name: &str, arguments: &[Value]) -> Result<Value, Fault> {
        let found = self.data.methods.iter().find(|(known, _)| *known == name && *base == Operand::Dot);
        match (found, arguments) {
            (Some(_), [argument]) if self.data.heading => Ok(functions::heading(&argument.to_string()).into()),
            (Some((_, map)), [argument]) => {
                let value = argument.as_text().and_then(|argument| map.member(argument));
                Ok(value.cloned().unwrap_or_else(|| "".into()))
            }
            (Some(_), _) => Err(Fault::new(format!("{name}: needs 1 argument"))),
            (None, _) => Err(Fault::new(format!("the field {name} takes no argument"))),
        }
    }

    fn operand(&self, operand: &Operand, dot: &Value) -> Result<Value, Fault> {
        match operand {
            Operand::Dot => Ok(dot.clone()),
            Operand::Literal(value) => Ok(value.clone()),
            Operand::Nested(pipeline) => self.pipeline(pipeline, dot),
            Operand::Function(name) => functions::call(name, &[]),
            Operand::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| Fault::new(format!("there is no variable ${name}")))
            }
            Operand::Field(base, name) => {
                let value = self.operand(base, dot)?;
                let omitted = || value.omitted(name).filter(|_| !self.data.complete);
                // What a map of the user's own names lacks is no mistake.
                let absent = || is_map(base).then_some(Value::Nothing(Zero::Absent));
                value.field(name).or_else(omitted).or_else(absent).ok_or_else(|| no_field(name, base, &value))
            }
        }
    }
}

/// What a loop goes over, with its index or key. A map goes by key, as in Go.
fn elements(value: Value) -> Result<Vec<(Value, Value)>, Fault> {
    match value {
        Value::Nothing(_) => Ok(Vec::new()),
        Value::List(list) => Ok((0_i64..).map(Value::from).zip(list).collect()),
        Value::Map(mut map) => {
            map.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok(map.into_iter().map(|(key, value)| (key.into(), value)).collect())
        }
        other => Err(Fault::new(format!("range: cannot go over {}", other.kind()))),
    }
}

/// Whether a field is a map whose keys are the user's, such as labels: not every name in it can be known.
fn is_map(operand: &Operand) -> bool {
    matches!(operand, Operand::Field(_, name) if Zero::of(name) == Some(Zero::Map))
}

/// What is not there, and what is.
fn no_field(name: &str, base: &Operand, value: &Value) -> Fault {
    let path = path(base);
    let within = if path.is_empty() { String::new() } else { format!(" in {path}") };
    match value {
        Value::Map(map) => Fault {
            message: format!("there is no field {name}{within}"),
            known: map.iter().map(|(name, _)| name.clone()).collect(),
        },
        other => Fault::new(format!("there is no field {name}{within}, which is {}", other.kind())),
    }
}

/// `.State` for the operand that it was written as; empty for the dot.
fn path(operand: &Operand) -> String {
    match operand {
        Operand::Field(base, name) => format!("{}.{name}", path(base)),
        Operand::Variable(name) => format!("${name}"),
        Operand::Nested(_) => "(…)".to_owned(),
        Operand::Dot | Operand::Function(_) | Operand::Literal(_) => String::new(),
    }
}
