//! `version`: who is talking to whom.

use clap::Args;

use super::print_as;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, time};
use crate::template::{Value, Zero};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// How to print it: json, or a template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

impl Execute for Version {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Show the versions of this program and of the daemon";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let server: Result<Value> = client.json(Request::get("/version")).await;
        let (major, minor) = client.version();
        let client = client_version(&format!("{major}.{minor}"), &client.contexts.chosen);
        let known = server.as_ref().ok().cloned();
        if let Some(format) = &self.format {
            let both =
                vec![("Client".to_owned(), client), ("Server".to_owned(), known.unwrap_or(Value::Nothing(Zero::Nil)))];
            print_as(format, Value::Map(both))?;
        } else {
            let server = known.map_or_else(String::new, |server| format!("\n{}", server_text(&server)));
            output::print(format!("{}{server}", client_text(&client)))?;
        }
        // What is known of the client is printed even when nobody answers.
        server.map(|_| DONE)
    }
}

/// What we are, in the shape of what the daemon says of itself.
fn client_version(api: &str, context: &str) -> Value {
    let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    Value::Map(vec![
        text("Version", env!("CARGO_PKG_VERSION")),
        text("ApiVersion", api),
        text("DefaultAPIVersion", "1.51"),
        text("Os", "linux"),
        text("Arch", architecture()),
        text("Context", context),
    ])
}

/// As Go names it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn client_text(client: &Value) -> String {
    let field = |name: &str| client.member(name).map(ToString::to_string).unwrap_or_default();
    let api = match (field("ApiVersion"), field("DefaultAPIVersion")) {
        (used, own) if used == own => used,
        (used, own) => format!("{used} (downgraded from {own})"),
    };
    rows(
        "Client:",
        1,
        &[
            ("Version", field("Version")),
            ("API version", api),
            ("OS/Arch", format!("{}/{}", field("Os"), field("Arch"))),
            ("Context", field("Context")),
        ],
    )
}

/// Each component, the engine first and with all its details.
fn server_text(server: &Value) -> String {
    let field = |value: &Value, name: &str| value.member(name).map(ToString::to_string).unwrap_or_default();
    let platform = server.member("Platform").map(|platform| field(platform, "Name")).unwrap_or_default();
    let mut out = format!("{}\n", format!("Server: {platform}").trim_end());
    let components = match server.member("Components") {
        Some(Value::List(components)) => components.clone(),
        _ => Vec::new(),
    };
    for component in &components {
        let details = component.member("Details").cloned().unwrap_or(Value::Map(Vec::new()));
        let name = field(component, "Name");
        let version = ("Version", field(component, "Version"));
        if name != "Engine" {
            let commit = ("GitCommit", field(&details, "GitCommit"));
            out += &rows(&format!(" {name}:"), 2, &[version, commit]);
            continue;
        }
        let least = field(&details, "MinAPIVersion");
        let built = field(&details, "BuildTime");
        out += &rows(
            " Engine:",
            2,
            &[
                version,
                ("API version", format!("{} (minimum version {least})", field(&details, "ApiVersion"))),
                ("Go version", field(&details, "GoVersion")),
                ("Git commit", field(&details, "GitCommit")),
                ("Built", time::parse(&built).map_or(built, time::ansi)),
                ("OS/Arch", format!("{}/{}", field(&details, "Os"), field(&details, "Arch"))),
                ("Experimental", field(&details, "Experimental")),
            ],
        );
    }
    out
}

/// A heading and its rows; rows without a value are left out.
fn rows(heading: &str, depth: usize, rows: &[(&str, String)]) -> String {
    let width = 18;
    let indent = " ".repeat(depth);
    let row = |(name, value): &(&str, String)| format!("{indent}{:<width$} {value}\n", format!("{name}:"));
    let rows: String = rows.iter().filter(|(_, value)| !value.is_empty()).map(row).collect();
    format!("{heading}\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_components_are_listed() {
        let json = r#"{"Platform":{"Name":""},"Components":[{"Name":"Engine","Version":"20.10.24","Details":{"ApiVersion":"1.41",
            "Arch":"amd64","BuildTime":"2026-05-07T21:09:36.000000000+00:00","Experimental":"false","GitCommit":"5d6db84",
            "GoVersion":"go1.19.8","MinAPIVersion":"1.12","Os":"linux"}},{"Name":"runc","Version":"1.1.5","Details":{"GitCommit":"1.1.5+ds1"}}]}"#;
        insta::assert_snapshot!(server_text(&serde_json::from_str(json).unwrap()), @r"
        Server:
         Engine:
          Version:           20.10.24
          API version:       1.41 (minimum version 1.12)
          Go version:        go1.19.8
          Git commit:        5d6db84
          Built:             Thu May  7 21:09:36 2026
          OS/Arch:           linux/amd64
          Experimental:      false
         runc:
          Version:           1.1.5
          GitCommit:         1.1.5+ds1
        ");
    }
}
