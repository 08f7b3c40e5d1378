//! `--network`: a name, or `name=…,alias=…,ip=…` with the settings of the connection.

use std::collections::HashMap;

use super::fields;

/// One network and how to connect to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attachment {
    /// Name, id, `host`, `none`, `container:NAME`.
    pub(crate) name: String,
    /// Other names under which the container is known there.
    pub(crate) aliases: Vec<String>,
    /// Addresses asked for.
    pub(crate) ipv4: Option<String>,
    /// The same for version 6.
    pub(crate) ipv6: Option<String>,
    /// Link-local addresses.
    pub(crate) link_local: Vec<String>,
    /// Hardware address asked for.
    pub(crate) mac: Option<String>,
    /// For the network's driver.
    pub(crate) options: HashMap<String, String>,
    /// Which of several networks gives the default route: the greatest.
    pub(crate) priority: Option<i64>,
}

/// One `--network`.
pub(crate) fn parse(text: &str) -> Result<Attachment, String> {
    if text.is_empty() {
        return Err("no name set for network".to_owned());
    }
    if !text.contains('=') {
        return Ok(Attachment { name: text.to_owned(), ..Attachment::default() });
    }
    let mut found = Attachment::default();
    for field in fields(text)? {
        let (key, value) = field.split_once('=').ok_or_else(|| format!("invalid field {field}"))?;
        let value = value.trim();
        match key.trim().to_lowercase().as_str() {
            "name" => value.clone_into(&mut found.name),
            "alias" => found.aliases.push(value.to_owned()),
            "ip" => found.ipv4 = Some(value.to_owned()),
            "ip6" => found.ipv6 = Some(value.to_owned()),
            "mac-address" => found.mac = Some(value.to_owned()),
            "link-local-ip" => found.link_local.push(value.to_owned()),
            "driver-opt" => {
                let (name, value) = value
                    .split_once('=')
                    .ok_or_else(|| format!("invalid key value pair format in driver options: {value}"))?;
                found.options.insert(name.to_owned(), value.to_owned());
            }
            "gw-priority" => {
                found.priority = Some(value.parse().map_err(|_| format!("invalid gw-priority: {value}"))?);
            }
            _ => return Err(format!("invalid field key {key}")),
        }
    }
    if found.name.is_empty() {
        return Err("network name/id is not specified".to_owned());
    }
    Ok(found)
}

/// Whether a network of this name is one that people make, with names and settings of its own.
pub(crate) fn is_user_defined(name: &str) -> bool {
    !matches!(name, "default" | "bridge" | "host" | "none") && !name.starts_with("container:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name() {
        assert_eq!(parse("web").unwrap(), Attachment { name: "web".into(), ..Attachment::default() });
        assert_eq!(parse("container:db").unwrap().name, "container:db");
    }

    #[test]
    fn the_long_form() {
        let found = parse(r#"name=web,alias=a,alias=b,ip=10.0.0.5,"driver-opt=k=v",gw-priority=3"#).unwrap();
        assert_eq!(found.aliases, ["a", "b"]);
        assert_eq!((found.ipv4.as_deref(), found.priority), (Some("10.0.0.5"), Some(3)));
        assert_eq!(found.options["k"], "v");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["alias=a", "name=x,colour=red", "name=x,driver-opt=k", "name=x,gw-priority=y", "name=x,alias"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
