//! Proxies of the user's settings, as variables of new containers (docker's manual, "Use a proxy server with the Docker CLI"):
//!
//! ```text
//! "proxies": { "default": { "httpProxy": "http://proxy:3128", "noProxy": "localhost" }, "tcp://far:2376": { … } }
//! ```
//!
//! Programs look for such variables in capitals or in small letters, so both are set, unless the user says otherwise.

use serde_json::Value;

/// The members, and the variables they become.
const VARIABLES: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
];

/// Adds to `variables` those of the daemon at `host`, or else the default ones. Those that are there stay as they are.
pub(crate) fn add(proxies: &Value, host: &str, variables: &mut Vec<String>) {
    let Some(chosen) = proxies.get(host).or_else(|| proxies.get("default")) else { return };
    for (member, variable) in VARIABLES {
        let Some(value) = chosen.get(member).and_then(Value::as_str).filter(|value| !value.is_empty()) else {
            continue;
        };
        for name in [variable.to_owned(), variable.to_lowercase()] {
            if !variables.iter().any(|known| known.split('=').next() == Some(&name)) {
                variables.push(format!("{name}={value}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_stays_and_the_daemons_own_settings_count_before_the_default() {
        let proxies = serde_json::json!({
            "default": { "httpProxy": "http://a", "noProxy": "" },
            "tcp://far:2376": { "httpsProxy": "http://b" },
        });
        let added = |host: &str, given: &[&str]| {
            let mut variables = given.iter().map(|&variable| variable.to_owned()).collect();
            add(&proxies, host, &mut variables);
            variables.join(" ")
        };
        assert_eq!(added("unix:///x", &["HTTP_PROXY=mine"]), "HTTP_PROXY=mine http_proxy=http://a");
        assert_eq!(added("unix:///x", &["http_proxy"]), "http_proxy HTTP_PROXY=http://a");
        assert_eq!(added("tcp://far:2376", &[]), "HTTPS_PROXY=http://b https_proxy=http://b");
        let mut none = Vec::new();
        add(&Value::Null, "unix:///x", &mut none);
        assert!(none.is_empty());
    }
}
