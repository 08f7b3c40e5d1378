//! `-v`: `TARGET`, `SOURCE:TARGET` or `SOURCE:TARGET:OPTIONS`.
//!
//! The options are the daemon's to understand. What is decided here is only where the mount goes in the request: an
//! anonymous volume is a `Volumes` entry, everything with a source is a bind.

/// One `--volume`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Volume {
    /// A volume without a name at this path.
    Anonymous(String),
    /// `SOURCE:TARGET[:OPTIONS]`, the source absolute or the name of a volume.
    Bind(String),
}

/// Decides which it is. A source that begins with a dot is made absolute.
pub(crate) fn parse(text: &str) -> Result<Volume, String> {
    let invalid = |why: &str| format!("invalid spec: {text}: {why}");
    match text.split(':').collect::<Vec<_>>().as_slice() {
        [""] => Err("invalid empty volume spec".to_owned()),
        [target] => Ok(Volume::Anonymous((*target).to_owned())),
        parts if parts.iter().any(|part| part.is_empty()) => Err(invalid("empty section between colons")),
        [source, target] => Ok(Volume::Bind(format!("{}:{target}", super::absolute(source)))),
        [source, target, options] => Ok(Volume::Bind(format!("{}:{target}:{options}", super::absolute(source)))),
        _ => Err(invalid("too many colons")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_makes_a_bind() {
        assert_eq!(parse("/data"), Ok(Volume::Anonymous("/data".into())));
        assert_eq!(parse("vol:/data:ro,nocopy"), Ok(Volume::Bind("vol:/data:ro,nocopy".into())));
        let here = std::env::current_dir().unwrap();
        assert_eq!(parse("./x:/data"), Ok(Volume::Bind(format!("{}/x:/data", here.display()))));
    }

    #[test]
    fn empty_parts_are_refused() {
        for text in ["", ":/a", "a:", "a::ro", "a:b:c:d"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
