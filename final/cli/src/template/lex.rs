//! Text to tokens.

use super::Fault;
use super::value::Value;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// Copied as it is.
    Text(String),
    /// What stands between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A piece of an action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// `.` alone.
    Dot,
    /// `.Name`, directly behind what it is a field of, or at the beginning of an operand.
    Field {
        /// Without the dot.
        name: String,
        /// Whether no space stands before it.
        attached: bool,
    },
    /// `$` or `$name`, without the `$`.
    Variable(String),
    /// `if`, `json`, …
    Word(String),
    /// A text or a number.
    Literal(Value),
    /// `|`
    Pipe,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `:=`
    Declare,
    /// `=`
    Assign,
}

/// Cuts a template into its pieces. `{{-` and `-}}` take the white space outside with them.
pub(crate) fn lex(text: &str) -> Result<Vec<Piece>, Fault> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_left = false;
    while let Some(start) = rest.find("{{") {
        let (before, inside) = rest.split_at(start);
        let inside = inside.trim_start_matches("{{").to_owned();
        let end = end_of_action(&inside).ok_or_else(|| unclosed(&inside))?;
        let (body, after) = inside.split_at(end);
        let (body, trim_before) = match body.strip_prefix('-') {
            Some(body) if body.starts_with([' ', '\t', '\n']) => (body, true),
            _ => (body, false),
        };
        let (body, trim_after) = match body.strip_suffix('-') {
            Some(body) if body.ends_with([' ', '\t', '\n']) => (body, true),
            _ => (body, false),
        };
        push_text(&mut pieces, before, trim_left, trim_before);
        let comment = body.trim().starts_with("/*");
        if !comment {
            pieces.push(Piece::Action(tokens(body)?));
        }
        trim_left = trim_after;
        let used = rest.len() - after.len() + 2;
        rest = rest.get(used..).unwrap_or_default();
    }
    push_text(&mut pieces, rest, trim_left, false);
    Ok(pieces)
}

fn push_text(pieces: &mut Vec<Piece>, text: &str, trim_left: bool, trim_right: bool) {
    let text = if trim_left { text.trim_start() } else { text };
    let text = if trim_right { text.trim_end() } else { text };
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Where `}}` is, outside of quotes and comments.
fn end_of_action(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut skip = false;
    for (place, c) in inside.char_indices() {
        if skip {
            skip = false;
            continue;
        }
        match (quote, c) {
            (Some('"'), '\\') => skip = true,
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '}') if inside.get(place..).is_some_and(|rest| rest.starts_with("}}")) => return Some(place),
            _ => {}
        }
    }
    None
}

fn unclosed(inside: &str) -> Fault {
    let quoted = inside.split_once('"').filter(|(_, text)| !text.contains('"'));
    match quoted {
        Some((_, text)) => Fault::new(format!("unclosed quote: \"{}", text.trim_end_matches("}}"))),
        None => Fault::new(format!("unclosed action: {{{{{inside}")),
    }
}

/// Cuts an action into its tokens.
fn tokens(body: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = body;
    let mut attached = false;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = rest.trim_start();
            attached = false;
            continue;
        }
        let (token, length) = token(rest, attached)?;
        // A field may hang on a variable, a closing bracket or another field, never on a word.
        attached = matches!(token, Token::Variable(_) | Token::Close | Token::Field { .. });
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// The first token of `text` and its length in bytes.
fn token(text: &str, attached: bool) -> Result<(Token, usize), Fault> {
    let word = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
    };
    let first = text.chars().next().unwrap_or_default();
    let one = |token| Ok((token, 1));
    match first {
        '|' => one(Token::Pipe),
        '(' => one(Token::Open),
        ')' => one(Token::Close),
        ',' => one(Token::Comma),
        '=' => one(Token::Assign),
        ':' if text.starts_with(":=") => Ok((Token::Declare, 2)),
        '.' => match word(1) {
            0 => one(Token::Dot),
            length => {
                let name = text.get(1..=length).unwrap_or_default().to_owned();
                Ok((Token::Field { name, attached }, length + 1))
            }
        },
        '$' => {
            let length = word(1);
            Ok((Token::Variable(text.get(1..=length).unwrap_or_default().to_owned()), length + 1))
        }
        '"' => quoted(text),
        '`' => match text.get(1..).and_then(|rest| rest.split_once('`')) {
            Some((inner, _)) => Ok((Token::Literal(inner.into()), inner.len() + 2)),
            None => Err(Fault::new(format!("unclosed quote: {text}"))),
        },
        c if c.is_ascii_digit() || c == '-' => {
            let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-').unwrap_or(text.len());
            let number = text.get(..length).unwrap_or_default();
            let value = serde_json::from_str(number).map_err(|_| Fault::new(format!("not a number: {number}")))?;
            Ok((Token::Literal(value), length))
        }
        c if c.is_alphabetic() || c == '_' => {
            let length = word(0);
            Ok((Token::Word(text.get(..length).unwrap_or_default().to_owned()), length))
        }
        c => Err(Fault::new(format!("unexpected {c} in an action"))),
    }
}

/// A text in double quotes; its escapes are those of JSON.
fn quoted(text: &str) -> Result<(Token, usize), Fault> {
    let mut length = 1;
    let mut escaped = false;
    for c in text.chars().skip(1) {
        length += c.len_utf8();
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => {
                let literal = text.get(..length).unwrap_or_default();
                let value = serde_json::from_str(&literal.replace('\t', "\\t").replace('\n', "\\n"))
                    .map_err(|_| Fault::new(format!("cannot understand the text {literal}")))?;
                return Ok((Token::Literal(value), length));
            }
            _ => escaped = false,
        }
    }
    Err(Fault::new(format!("unclosed quote: {text}")))
}
