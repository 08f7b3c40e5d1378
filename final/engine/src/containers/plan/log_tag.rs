//! `--log-opt tag={{.Name}}/{{.ID}}`: what a container is called in the logs of others.
//!
//! Docker takes any template of Go's here. What people write are fields between other text, and those are what we have.

use crate::containers::names::short;
use crate::containers::record::Asked;
use crate::error::{Error, Result};

/// Docker's default.
pub(super) const DEFAULT: &str = "{{.ID}}";

/// What a field stands for.
type Show = fn(&Asked) -> String;

/// The fields.
const FIELDS: [(&str, Show); 8] = [
    (".ID", |asked| short(&asked.id).to_owned()),
    (".FullID", |asked| asked.id.clone()),
    (".Name", |asked| asked.name.clone()),
    (".ImageID", |asked| asked.image.to_string().trim_start_matches("sha256:").chars().take(12).collect()),
    (".ImageFullID", |asked| asked.image.to_string()),
    (".ImageName", |asked| asked.config.image.clone().unwrap_or_default()),
    (".DaemonName", |_| "docker".to_owned()),
    (".Hostname", |_| rustix::system::uname().nodename().to_string_lossy().into_owned()),
];

/// The template filled in.
pub(crate) fn of(template: &str, asked: &Asked) -> Result<String> {
    fill(template, |show| show(asked))
}

/// Whether [`of`] will find nothing wrong.
pub(super) fn check(template: &str) -> Result<()> {
    fill(template, |_| String::new()).map(drop)
}

fn fill(template: &str, show: impl Fn(Show) -> String) -> Result<String> {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((text, after)) = rest.split_once("{{") {
        let refuse = |why: &str| {
            let fields = FIELDS.map(|(name, _)| name).join(", ");
            Error::invalid(format!("template: log-tag:1: {why}")).hint(format!("The fields are {fields}."))
        };
        let (field, after) = after.split_once("}}").ok_or_else(|| refuse("unclosed action"))?;
        let found = FIELDS.iter().find(|(name, _)| *name == field.trim());
        let (_, of) = found.ok_or_else(|| refuse(&format!("can't evaluate field {}", field.trim())))?;
        filled.push_str(text);
        filled.push_str(&show(*of));
        rest = after;
    }
    Ok(filled + rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::testing;

    #[test]
    fn fields_between_other_text() {
        let mut asked = testing::asked("c0ffee", "web");
        asked.config.image = Some("busybox:1".into());
        let of = |template| of(template, &asked).unwrap();
        assert_eq!(of("{{.Name}}/{{ .ImageName }} {x}"), "web/busybox:1 {x}");
        assert_eq!((of(""), of(DEFAULT)), (String::new(), short(&asked.id).to_owned()));
        assert_eq!(of("{{.ImageID}}").len(), 12);
        for (template, words) in [("{{.Nmae}}", "can't evaluate field .Nmae"), ("a{{.ID", "unclosed action")] {
            assert!(check(template).unwrap_err().message.contains(words));
        }
    }
}
