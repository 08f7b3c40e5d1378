//! Resource limits: `nofile=1024:2048`, soft and hard (setrlimit(2)).

use bollard_stubs::models::ResourcesUlimits;

/// The limits that Linux has.
const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// One `--ulimit`. Without a hard limit the soft one is both; -1 is unlimited.
pub(crate) fn parse(text: &str) -> Result<ResourcesUlimits, String> {
    let (name, values) = text.split_once('=').ok_or_else(|| format!("invalid ulimit argument: {text}"))?;
    if !NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| text.parse::<i64>().map_err(|_| format!("\"{text}\" is not a whole number"));
    let (soft, hard) = match values.split_once(':') {
        Some((_, rest)) if rest.contains(':') => {
            return Err(format!("too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"));
        }
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(values)?, number(values)?),
    };
    if hard >= 0 && (soft > hard || soft == -1) {
        return Err(format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"));
    }
    Ok(ResourcesUlimits { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn one_value_is_both() {
        let limit = parse("nofile=1024").unwrap();
        assert_eq!((limit.soft, limit.hard), (Some(1024), Some(1024)));
        let limit = parse("core=0:-1").unwrap();
        assert_eq!((limit.soft, limit.hard), (Some(0), Some(-1)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("nofile", "invalid ulimit argument"),
            ("files=1", "invalid ulimit type: files"),
            ("nofile=x", "\"x\" is not a whole number"),
            ("nofile=1:2:3", "too many limit value"),
            ("nofile=5:3", "5 > 3"),
            ("nofile=-1:3", "-1 > 3"),
        ] {
            assert!(parse(text).unwrap_err().contains(part), "{text}");
        }
    }
}
