//! Commands about the engine as a whole, and those about things of any kind.

pub(super) mod check;
pub(super) mod completion;
pub(super) mod df;
pub(super) mod dial_stdio;
pub(super) mod doctor;
pub(super) mod events;
pub(super) mod info;
pub(super) mod inspect;
mod kernel;
pub(super) mod man;
pub(super) mod prune;
pub(super) mod version;

use crate::error::Result;
use crate::output;
use crate::output::indent::indent;
use crate::template::{Data, Template, Value};

/// Prints one document as `--format` says: a template, or `json` for one line.
pub(super) fn print_as(format: &str, document: Value) -> Result<()> {
    let data = Data::new(document);
    let text = match format {
        "json" => data.value().to_json(),
        template => Template::parse(template)?.render(&data)?,
    };
    output::line(text)
}

/// The document with four spaces per level.
pub(super) fn pretty(json: &str) -> String {
    indent(json) + "\n"
}
