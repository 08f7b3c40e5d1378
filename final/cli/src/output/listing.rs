//! `--format`, `--quiet` and the default table of every `ls`.
//!
//! Each kind of thing has its fields, a heading for each, and the fields of its default table. Everything else follows:
//! `table`, `table TEMPLATE`, `json`, `TEMPLATE`.

use super::table;
use crate::error::Result;
use crate::template::{Data, Template, Value};

/// A field's name in templates and its heading in tables.
pub(crate) type Field = (&'static str, &'static str);

/// One thing: its fields in any order, and the labels that `.Label "name"` asks for.
pub(crate) struct Row {
    data: Data,
}

impl Row {
    /// A row from its fields.
    pub(crate) fn new<const N: usize>(fields: [(&str, String); N]) -> Self {
        let mut map = fields.map(|(name, text)| (name.to_owned(), Value::from(text))).to_vec();
        // `json` shows the fields by name.
        map.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { data: Data::complete(Value::Map(map)) }
    }

    /// Adds what `.Label "name"` finds.
    #[must_use]
    pub(crate) fn labels<'a>(self, labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let map = labels.into_iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        Self { data: self.data.method("Label", Value::Map(map)) }
    }
}

/// Lays out the rows as `format` says; without one, as the table of the fields in `default`.
pub(crate) fn render(format: Option<&str>, fields: &[Field], default: &[&str], rows: &[Row]) -> Result<String> {
    let format = format.unwrap_or("table").trim();
    if format == "json" {
        return Ok(rows.iter().map(|row| row.data.value().to_json() + "\n").collect());
    }
    let headings = fields.iter().map(|(name, heading)| ((*name).to_owned(), Value::from(*heading))).collect();
    let headings = Data::complete(Value::Map(headings)).method("Label", Value::Map(Vec::new()));
    let is_table = |rest: &&str| rest.is_empty() || rest.starts_with(char::is_whitespace);
    let Some(table) = format.strip_prefix("table").filter(is_table) else {
        let template = Template::parse(format)?;
        // A field that does not exist is an error also when there is no row to ask.
        template.render(&headings)?;
        return lines(&template, rows.iter().map(|row| &row.data));
    };
    let columns = match table.trim() {
        "" => default.iter().map(|field| format!("{{{{.{field}}}}}")).collect::<Vec<_>>().join("\t"),
        template => template.to_owned(),
    };
    let template = Template::parse(&columns)?;
    let text = lines(&template, std::iter::once(&headings).chain(rows.iter().map(|row| &row.data)))?;
    Ok(table::layout_lines(&text))
}

fn lines<'a>(template: &Template, rows: impl Iterator<Item = &'a Data>) -> Result<String> {
    let mut out = String::new();
    for row in rows {
        out += &template.render(row)?;
        out.push('\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[("Name", "VOLUME NAME"), ("Driver", "DRIVER")];

    fn show(format: Option<&str>) -> String {
        let labels = std::collections::BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        let rows = [
            Row::new([("Name", "data".into()), ("Driver", "local".into())]).labels(&labels),
            Row::new([("Name", "x".into()), ("Driver", "nfs".into())]).labels(&std::collections::BTreeMap::new()),
        ];
        render(format, FIELDS, &["Driver", "Name"], &rows).unwrap()
    }

    #[test]
    fn the_default_is_a_table() {
        assert_eq!(show(None), "DRIVER    VOLUME NAME\nlocal     data\nnfs       x\n");
        assert_eq!(show(Some("table")), show(None));
    }

    #[test]
    fn a_table_may_have_its_own_columns() {
        assert_eq!(
            show(Some(r"table {{.Name}}\t{{upper .Driver}}")),
            "VOLUME NAME   DRIVER\ndata          LOCAL\nx             NFS\n"
        );
    }

    #[test]
    fn a_template_has_no_headings() {
        assert_eq!(show(Some("{{.Name}}:{{.Label \"a\"}}")), "data:1\nx:\n");
    }

    #[test]
    fn a_field_that_does_not_exist_is_an_error_even_without_rows() {
        let error = render(Some("{{.Nope}}"), FIELDS, &[], &[]).unwrap_err();
        assert_eq!(error.message, "template: there is no field Nope");
        assert_eq!(error.hint.unwrap(), "There are: Name, Driver.");
    }

    #[test]
    fn json_is_one_object_per_line() {
        assert_eq!(
            show(Some("json")),
            "{\"Driver\":\"local\",\"Name\":\"data\"}\n{\"Driver\":\"nfs\",\"Name\":\"x\"}\n"
        );
    }
}
