//! Tokens to a tree.

use std::collections::VecDeque;

use super::Fault;
use super::lex::{Piece, Token};
use super::value::Value;
use super::zero::Zero;

/// A part of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Copied.
    Text(String),
    /// `{{pipeline}}`
    Print(Pipeline),
    /// `{{$x := pipeline}}` or `{{$x = pipeline}}`
    Set {
        /// Without the `$`.
        name: String,
        /// Whether it is a new variable.
        declare: bool,
        /// Its value.
        value: Pipeline,
    },
    /// `{{if}}…{{else if}}…{{else}}…{{end}}`: the inner `if` of an `else if` is the only node of `otherwise`.
    If(Branch),
    /// `{{with}}`: like `if`, and the value becomes the dot.
    With(Branch),
    /// `{{range}}`: once per element, `otherwise` when there is none.
    Range(Branch),
    /// `{{break}}`
    Break,
    /// `{{continue}}`
    Continue,
}

/// What `if`, `with` and `range` have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    /// Names declared in the head: `$i, $e := …`.
    pub(crate) variables: Vec<String>,
    /// What decides.
    pub(crate) head: Pipeline,
    /// What happens then.
    pub(crate) body: Vec<Node>,
    /// What happens otherwise.
    pub(crate) otherwise: Vec<Node>,
}

/// Commands separated by `|`: each result is the last argument of the next.
pub(crate) type Pipeline = Vec<Command>;

/// A function or a field with its arguments, or just a value.
pub(crate) type Command = Vec<Operand>;

/// One word of a command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// `.`
    Dot,
    /// `$x`; `$` is the empty name.
    Variable(String),
    /// The name of a function.
    Function(String),
    /// A text or a number.
    Literal(Value),
    /// `( … )`
    Nested(Pipeline),
    /// `base.name`
    Field(Box<Self>, String),
}

/// Builds the tree.
pub(crate) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, Fault> {
    let mut pieces = pieces.into();
    let (nodes, end) = block(&mut pieces)?;
    match end {
        None => Ok(nodes),
        Some(end) => Err(Fault::new(format!("unexpected {{{{{}}}}}", end.word))),
    }
}

/// What ended a block: `end` or `else`, with what follows it.
struct End {
    word: String,
    rest: VecDeque<Token>,
}

/// Nodes up to an `end`, an `else`, or the end of the template.
fn block(pieces: &mut VecDeque<Piece>) -> Result<(Vec<Node>, Option<End>), Fault> {
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.pop_front() {
        let mut tokens: VecDeque<Token> = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(tokens) => tokens.into(),
        };
        let word = match tokens.front() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "end" | "else" => {
                tokens.pop_front();
                return Ok((nodes, Some(End { word, rest: tokens })));
            }
            "if" | "with" | "range" => {
                tokens.pop_front();
                nodes.push(branch(&word, tokens, pieces)?);
            }
            "break" => nodes.push(Node::Break),
            "continue" => nodes.push(Node::Continue),
            _ => nodes.push(action(tokens)?),
        }
    }
    Ok((nodes, None))
}

/// An `if`, `with` or `range` whose word was taken off, up to its `end`.
fn branch(word: &str, mut head: VecDeque<Token>, pieces: &mut VecDeque<Piece>) -> Result<Node, Fault> {
    let variables = declared(&mut head);
    let head = pipeline(&mut head)?;
    let (body, end) = block(pieces)?;
    let unended = || Fault::new(format!("{{{{{word}}}}} without {{{{end}}}}"));
    let mut end = end.ok_or_else(unended)?;
    let otherwise = match (end.word.as_str(), end.rest.pop_front()) {
        ("end", _) => Vec::new(),
        // `else if` is an `else` with an `if` inside that shares its `end`.
        (_, Some(Token::Word(inner))) if inner == "if" || inner == "with" => vec![branch(&inner, end.rest, pieces)?],
        _ => {
            let (otherwise, end) = block(pieces)?;
            match end.ok_or_else(unended)?.word.as_str() {
                "end" => otherwise,
                other => return Err(Fault::new(format!("unexpected {{{{{other}}}}}"))),
            }
        }
    };
    let branch = Branch { variables, head, body, otherwise };
    Ok(match word {
        "if" => Node::If(branch),
        "with" => Node::With(branch),
        _ => Node::Range(branch),
    })
}

/// Takes `$a := ` or `$a, $b := ` off the front.
fn declared(tokens: &mut VecDeque<Token>) -> Vec<String> {
    let name = |place: usize| match tokens.get(place) {
        Some(Token::Variable(name)) => Some(name.clone()),
        _ => None,
    };
    let (names, length) = match (name(0), tokens.get(1), name(2), tokens.get(3)) {
        (Some(one), Some(Token::Declare), ..) => (vec![one], 2),
        (Some(one), Some(Token::Comma), Some(two), Some(Token::Declare)) => (vec![one, two], 4),
        _ => return Vec::new(),
    };
    tokens.drain(..length);
    names
}

/// A pipeline that is printed, or whose result becomes a variable.
fn action(mut tokens: VecDeque<Token>) -> Result<Node, Fault> {
    let declare = match (tokens.front(), tokens.get(1)) {
        (Some(Token::Variable(_)), Some(Token::Declare)) => Some(true),
        (Some(Token::Variable(_)), Some(Token::Assign)) => Some(false),
        _ => None,
    };
    let Some(declare) = declare else { return Ok(Node::Print(pipeline(&mut tokens)?)) };
    let Some(Token::Variable(name)) = tokens.pop_front() else { return Err(Fault::new("a variable is missing")) };
    tokens.pop_front();
    Ok(Node::Set { name, declare, value: pipeline(&mut tokens)? })
}

/// Commands up to the end or to a closing bracket, which is taken off too.
fn pipeline(tokens: &mut VecDeque<Token>) -> Result<Pipeline, Fault> {
    let mut commands: Pipeline = vec![Vec::new()];
    while let Some(token) = tokens.pop_front() {
        let operand = match token {
            Token::Close => break,
            Token::Pipe => {
                commands.push(Vec::new());
                continue;
            }
            Token::Field { name, attached: true } => {
                let base = commands.last_mut().and_then(Vec::pop).unwrap_or(Operand::Dot);
                Operand::Field(Box::new(base), name)
            }
            Token::Field { name, .. } => Operand::Field(Box::new(Operand::Dot), name),
            Token::Dot => Operand::Dot,
            Token::Variable(name) => Operand::Variable(name),
            Token::Word(word) => match word.as_str() {
                "true" => Operand::Literal(true.into()),
                "false" => Operand::Literal(false.into()),
                "nil" => Operand::Literal(Value::Nothing(Zero::Nil)),
                _ => Operand::Function(word),
            },
            Token::Literal(value) => Operand::Literal(value),
            Token::Open => Operand::Nested(pipeline(tokens)?),
            Token::Comma | Token::Declare | Token::Assign => return Err(Fault::new("unexpected , or = in an action")),
        };
        if let Some(command) = commands.last_mut() {
            command.push(operand);
        }
    }
    if commands.iter().any(Vec::is_empty) {
        return Err(Fault::new("an action is empty"));
    }
    Ok(commands)
}
