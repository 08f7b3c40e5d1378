//! Ports: `-p [[ADDRESS:][HOST[-HOST]]:]PORT[-PORT][/tcp|udp|sctp]`, its long form, and `--expose`.

use std::net::IpAddr;

/// One container port and what it is published as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    /// `80/tcp`.
    pub(crate) port: String,
    /// Address on the host; empty is every address.
    pub(crate) ip: String,
    /// Port or range of ports on the host; empty lets the daemon choose.
    pub(crate) host: String,
}

/// One `--publish`; a range is one entry per port.
pub(crate) fn publish(text: &str) -> Result<Vec<Published>, String> {
    if text.contains('=') {
        return publish(&short_form(text)?);
    }
    let (text, protocol) = protocol(text)?;
    let (ip, host, container) = split(text);
    if container.is_empty() {
        return Err(format!("no port specified: {text}<empty>"));
    }
    let ip = match ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        Some(six) => six,
        None => ip,
    };
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {ip}"));
    }
    let (first, last) = range(container).ok_or_else(|| format!("invalid containerPort: {container}"))?;
    let hosts = match host {
        "" => None,
        host => Some(range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?),
    };
    let one = |inside: u16, host: String| Published { port: format!("{inside}/{protocol}"), ip: ip.to_owned(), host };
    match hosts {
        None => Ok((first..=last).map(|inside| one(inside, String::new())).collect()),
        // One port and many to choose from: the daemon takes one that is free.
        Some((from, to)) if first == last && from != to => Ok(vec![one(first, format!("{from}-{to}"))]),
        Some((from, to)) if to - from == last - first => {
            Ok((first..=last).zip(from..=to).map(|(inside, outside)| one(inside, outside.to_string())).collect())
        }
        Some(_) => Err(format!("invalid ranges specified for container and host Ports: {container} and {host}")),
    }
}

/// One `--expose`: `80`, `80-90`, `53/udp`.
pub(crate) fn expose(text: &str) -> Result<Vec<String>, String> {
    if text.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    let (numbers, protocol) = protocol(text)?;
    let (first, last) = range(numbers)
        .ok_or_else(|| format!("invalid range format for --expose: {text}, error: not a port or a range of ports"))?;
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

/// `published=8080,target=80,protocol=udp` in the short form.
fn short_form(text: &str) -> Result<String, String> {
    let (mut published, mut target, mut protocol) = (String::new(), String::new(), "tcp".to_owned());
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("published", value)) => value.clone_into(&mut published),
            Some(("target", value)) => value.clone_into(&mut target),
            Some(("protocol", value)) => value.clone_into(&mut protocol),
            _ => return Err(format!("invalid publish opts format (should be name=value but got '{field}')")),
        }
    }
    Ok(format!("{published}:{target}/{protocol}"))
}

fn protocol(text: &str) -> Result<(&str, String), String> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match protocol.to_lowercase().as_str() {
        known @ ("tcp" | "udp" | "sctp") => Ok((numbers, known.to_owned())),
        _ => Err(format!("invalid proto: {protocol}")),
    }
}

/// Address, host port, container port; from the right, because an address of version 6 has colons itself.
fn split(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else { return ("", "", text) };
    let Some((ip, host)) = rest.rsplit_once(':') else { return ("", rest, container) };
    (ip, host, container)
}

/// `80` or `80-90`.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        publish(text).unwrap().iter().map(|port| format!("{}|{}|{}", port.ip, port.host, port.port)).collect()
    }

    #[test]
    fn the_short_forms() {
        assert_eq!(show("80"), ["||80/tcp"]);
        assert_eq!(show("8080:80"), ["|8080|80/tcp"]);
        assert_eq!(show("127.0.0.1:8080:80/udp"), ["127.0.0.1|8080|80/udp"]);
        assert_eq!(show("127.0.0.1::80"), ["127.0.0.1||80/tcp"]);
        assert_eq!(show("[::1]:8080:80"), ["::1|8080|80/tcp"]);
        assert_eq!(show("8080-8081:80-81"), ["|8080|80/tcp", "|8081|81/tcp"]);
        assert_eq!(show("8080-8090:80"), ["|8080-8090|80/tcp"]);
        assert_eq!(show("80-81"), ["||80/tcp", "||81/tcp"]);
    }

    #[test]
    fn the_long_form() {
        assert_eq!(show("published=8080,target=80,protocol=udp"), ["|8080|80/udp"]);
        assert_eq!(show("target=80"), ["||80/tcp"]);
        assert!(publish("target=80,x").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("abc", "invalid containerPort: abc"),
            ("x:80", "invalid hostPort: x"),
            ("80/icmp", "invalid proto: icmp"),
            ("1.2.3:80:80", "invalid IP address: 1.2.3"),
            ("80-82:80-81", "invalid ranges"),
            ("90-80", "invalid containerPort: 90-80"),
            ("70000", "invalid containerPort: 70000"),
            ("8080:", "no port specified"),
        ] {
            let error = publish(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn exposed_ports() {
        assert_eq!(expose("80-82/udp").unwrap(), ["80/udp", "81/udp", "82/udp"]);
        assert!(expose("80:80").is_err());
        assert!(expose("x").is_err());
    }
}
