//! `--format`, `--quiet` and the default table of every `ls`.
//!
//! Each kind of thing has its fields, a heading for each, and the fields of its default table. Everything else follows:
//! `table`, `table TEMPLATE`, `json`, `raw`, `TEMPLATE`.

use super::table;
use crate::client::Client;
use crate::error::Result;
use crate::template::{Data, Template, Value};

/// A field's name in templates and its heading in tables.
pub(crate) type Field = (&'static str, &'static str);

/// What is the same in every list of one kind of thing.
pub(crate) struct Listing {
    /// What templates may ask for.
    pub(crate) fields: &'static [Field],
    /// The one that `--quiet` shows.
    pub(crate) id: &'static str,
    /// The fields of `raw` by docker's names for them; empty where docker knows no `raw`.
    pub(crate) raw: &'static [(&'static str, &'static str)],
    /// The member of `config.json` that is the format when `--format` does not say one.
    pub(crate) setting: &'static str,
}

impl Listing {
    /// Lays out the rows as `--format`, `--quiet` or the user's settings say, else as the table of the fields in `default`.
    /// A template counts more than `--quiet`.
    pub(crate) fn render(
        &self,
        client: &Client,
        format: Option<&str>,
        quiet: bool,
        default: &[&str],
        rows: &[Row],
    ) -> Result<String> {
        let said = format.map(str::trim).filter(|format| !format.is_empty());
        let id = format!("{{{{.{}}}}}", self.id);
        match said {
            Some("raw") if !self.raw.is_empty() => Ok(self.raw(quiet, rows)),
            None | Some("table") if quiet => render(Some(&id), self.fields, default, rows),
            Some(format) => render(Some(format), self.fields, default, rows),
            None => match client.contexts.store.setting(self.setting)?.as_deref() {
                Some("raw") => Ok(self.raw(false, rows)),
                format => render(format, self.fields, default, rows),
            },
        }
    }

    /// A line per field and an empty one between things; with `quiet`, a line per thing.
    fn raw(&self, quiet: bool, rows: &[Row]) -> String {
        let mut out = String::new();
        for row in rows {
            for (title, field) in self.raw.iter().filter(|(_, field)| !quiet || *field == self.id) {
                let text = row.data.value().field(field).map(|value| value.to_string()).unwrap_or_default();
                out += format!("{title}: {text}").trim_end();
                out.push('\n');
            }
            if !quiet {
                out.push('\n');
            }
        }
        out
    }
}

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

    /// Sets a field that is no text.
    #[must_use]
    pub(crate) fn with(self, name: &str, value: Value) -> Self {
        let Value::Map(mut map) = self.data.value().clone() else { return self };
        map.retain(|(known, _)| known != name);
        map.push((name.to_owned(), value));
        map.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { data: self.data.with(Value::Map(map)) }
    }

    /// Adds what `.Label "name"` finds.
    #[must_use]
    pub(crate) fn labels<'a>(self, labels: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let map = labels.into_iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect();
        Self { data: self.data.method("Label", Value::Map(map)) }
    }

    /// All its fields.
    pub(crate) fn value(&self) -> &Value {
        self.data.value()
    }
}

/// Lays out the rows as `format` says; without one, as the table of the fields in `default`.
pub(crate) fn render(format: Option<&str>, fields: &[Field], default: &[&str], rows: &[Row]) -> Result<String> {
    let format = format.map(str::trim).filter(|format| !format.is_empty()).unwrap_or("table");
    if format == "json" {
        return lines(&Template::parse("{{json .}}")?, rows.iter().map(|row| &row.data));
    }
    let headings = fields.iter().map(|(name, heading)| ((*name).to_owned(), Value::from(*heading))).collect();
    let headings = Data::complete(Value::Map(headings)).heading("Label");
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
    use crate::template::Zero;

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
    fn the_heading_of_a_label_is_its_name() {
        assert_eq!(
            show(Some(r#"table {{.Name}}\t{{.Label "a"}}"#)),
            "VOLUME NAME   a\ndata          1\nx             \n"
        );
    }

    #[test]
    fn raw_is_a_line_per_field_with_dockers_names() {
        let listing =
            Listing { fields: FIELDS, id: "Name", raw: &[("driver", "Driver"), ("name", "Name")], setting: "" };
        let rows = [Row::new([("Name", "data".into()), ("Driver", String::new())])];
        assert_eq!(listing.raw(false, &rows), "driver:\nname: data\n\n");
        assert_eq!(listing.raw(true, &rows), "name: data\n");
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
        let row = Row::new([("Ports", "80->80/tcp".into())]).with("Platform", Value::Nothing(Zero::Nil));
        let show =
            |format| render(Some(format), &[("Ports", ""), ("Platform", "")], &[], std::slice::from_ref(&row)).unwrap();
        assert_eq!(show("json"), "{\"Platform\":null,\"Ports\":\"80-\\u003e80/tcp\"}\n");
        assert_eq!(show("{{json .Ports}} {{.Platform}}"), "\"80->80/tcp\" <nil>\n");
    }
}
