//! The small languages of docker's flags: text to values, pure, one language per file.
//!
//! - `size.rs`: `64m`, `1.5GiB`.
//! - `duration.rs`: `1h30m`.
//! - `key_value.rs`: `NAME=value`, files of them.
//! - `port.rs`: `127.0.0.1:8080-8090:80-90/tcp`.
//! - `volume.rs`: `-v source:target:options`.
//! - `mount.rs`: `--mount type=bind,source=…`.
//! - `network.rs`: `--network name=…,alias=…`.
//! - `device.rs`: devices, their rules and their rates.
//! - `ulimit.rs`: `nofile=1024:2048`.
//! - `keys.rs`: `ctrl-p,ctrl-q`.
//!
//! An error is a sentence without the flag's name; whoever knows the flag puts it in front.

pub(crate) mod device;
pub(crate) mod duration;
pub(crate) mod key_value;
pub(crate) mod keys;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod port;
pub(crate) mod size;
pub(crate) mod ulimit;
pub(crate) mod volume;

/// Splits comma-separated fields; a field in double quotes may contain commas, and `""` in it is a quote (RFC 4180).
pub(crate) fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            '"' => return Err(format!("a quote in the middle of a field: {text}")),
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if quoted {
        return Err(format!("a quote is not closed: {text}"));
    }
    fields.push(field);
    Ok(fields)
}

/// A path that begins with `.` as an absolute one; every other path as it is. The daemon does not know where we are.
pub(crate) fn absolute(path: &str) -> String {
    let relative = path == "." || path == ".." || path.starts_with("./") || path.starts_with("../");
    if !relative {
        return path.to_owned();
    }
    let joined = std::env::current_dir().unwrap_or_default().join(path);
    let mut clean = std::path::PathBuf::new();
    for part in joined.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean.to_string_lossy().into_owned()
}

/// `true` and `false` in all the ways that Go reads them.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("\"{text}\" is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_field_may_have_commas() {
        assert_eq!(
            fields(r#"type=volume,"volume-opt=o=addr=1,rw",dst=/x"#).unwrap(),
            ["type=volume", "volume-opt=o=addr=1,rw", "dst=/x"]
        );
        assert_eq!(fields(r#""a ""b""","#).unwrap(), ["a \"b\"", ""]);
        assert!(fields("\"a").is_err());
        assert!(fields("a\"b\"").is_err());
    }

    #[test]
    fn only_a_leading_dot_makes_a_path_relative() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(absolute("./a/../b"), here.join("b").to_string_lossy());
        assert_eq!(absolute("."), here.to_string_lossy());
        assert_eq!(absolute("data"), "data");
        assert_eq!(absolute("/a/./b"), "/a/./b");
        assert_eq!(absolute(".hidden"), ".hidden");
    }
}
