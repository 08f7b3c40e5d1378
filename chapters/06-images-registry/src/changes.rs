//! `--change`: single Dockerfile instructions that set an image's configuration, for `import` and `commit`.
//!
//! | instruction              | sets                                                              |
//! |--------------------------|-------------------------------------------------------------------|
//! | `CMD`, `ENTRYPOINT`      | the program: `["sh", "-c", "x"]`, or a line for the shell         |
//! | `ENV`, `LABEL`           | `name=value …`, or one `name value`; a later `ENV` replaces       |
//! | `EXPOSE`                 | ports: `80` is `80/tcp`                                           |
//! | `VOLUME`                 | paths that get a volume: `["/a b"]` or words                      |
//! | `USER`, `WORKDIR`, `STOPSIGNAL` | one value                                                  |
//! | `ONBUILD`                | another instruction, kept as it is                                |
//!
//! ```
//! use images::{RunConfig, apply_changes};
//! let mut config = RunConfig::default();
//! apply_changes(&mut config, &["CMD [\"httpd\", \"-f\"]".into(), "EXPOSE 80".into()])?;
//! assert_eq!(config.cmd.as_deref(), Some(&["httpd".to_owned(), "-f".to_owned()][..]));
//! assert!(config.exposed_ports.contains_key("80/tcp"));
//! # Ok::<(), images::Error>(())
//! ```

use std::collections::BTreeMap;

use serde_json::json;

use crate::config::RunConfig;
use crate::error::{Error, Kind, Result};

/// Carries out instructions such as `CMD ["sh"]`, `ENV A=b C="d e"`, `EXPOSE 80`.
pub fn apply_changes(config: &mut RunConfig, changes: &[String]) -> Result<()> {
    changes.iter().try_for_each(|change| apply(config, change))
}

/// One instruction. Its name may be in any case; an instruction that builds (`RUN`, `COPY`) is refused.
fn apply(config: &mut RunConfig, change: &str) -> Result<()> {
    let (instruction, rest) = change.trim().split_once(char::is_whitespace).unwrap_or((change.trim(), ""));
    let rest = rest.trim();
    let upper = instruction.to_ascii_uppercase();
    if rest.is_empty() {
        return Err(refuse(format!("{upper} requires at least one argument")));
    }
    match upper.as_str() {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => config.entrypoint = Some(command(rest)),
        "ENV" => {
            // All of one instruction see the values from before it.
            let before = config.env.clone();
            for (name, value) in pairs(rest)? {
                let variable = format!("{name}={}", expand(&value, &before));
                match config.env.iter_mut().find(|old| old.split('=').next() == Some(&name)) {
                    Some(old) => *old = variable,
                    None => config.env.push(variable),
                }
            }
        }
        "LABEL" => config.labels.extend(pairs(rest)?),
        "EXPOSE" => {
            let port = |word: &str| if word.contains('/') { word.to_owned() } else { format!("{word}/tcp") };
            config.exposed_ports.extend(rest.split_whitespace().map(|word| (port(word), json!({}))));
        }
        "VOLUME" => {
            let paths = list(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
            config.volumes.extend(paths.into_iter().map(|path| (path, json!({}))));
        }
        "USER" => rest.clone_into(&mut config.user),
        "WORKDIR" => rest.clone_into(&mut config.working_dir),
        "STOPSIGNAL" => rest.clone_into(&mut config.stop_signal),
        "ONBUILD" => config.on_build.get_or_insert_default().push(rest.to_owned()),
        _ => return Err(refuse(format!("{upper} is not a valid change command"))),
    }
    Ok(())
}

/// `$NAME` and `${NAME}` become what the variable is so far, and nothing if there is none.
fn expand(text: &str, env: &[String]) -> String {
    let value = |name: &str| {
        let found = env.iter().find_map(|variable| variable.split_once('=').filter(|(known, _)| *known == name));
        found.map_or("", |(_, value)| value)
    };
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, left) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        expanded.push_str(if name.is_empty() { "$" } else { value(name) });
        rest = left;
    }
    expanded + rest
}

/// `["a", "b"]` is the program and its arguments; anything else is a line for the shell.
fn command(text: &str) -> Vec<String> {
    list(text).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// A JSON array of strings. Anything that only looks like one is a line for the shell, as in a Dockerfile.
fn list(text: &str) -> Option<Vec<String>> {
    text.starts_with('[').then(|| serde_json::from_str::<Vec<String>>(text).ok()).flatten()
}

/// `A=b C="d e"`, or the old form `A b c`.
fn pairs(text: &str) -> Result<BTreeMap<String, String>> {
    let words = words(text)?;
    match words.first() {
        Some(first) if !first.contains('=') => {
            let (name, value) =
                text.split_once(char::is_whitespace).ok_or_else(|| refuse(format!("{text}: no value")))?;
            Ok(BTreeMap::from([(name.to_owned(), value.trim().to_owned())]))
        }
        _ => words
            .iter()
            .map(|word| {
                let (name, value) = word.split_once('=').ok_or_else(|| refuse(format!("{word}: no =")))?;
                Ok((name.to_owned(), value.to_owned()))
            })
            .collect(),
    }
}

/// Splits at spaces that are neither quoted nor escaped, and takes quotes and escapes away.
fn words(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(refuse(format!("{text}: a quote is not closed")));
    }
    words.extend(word);
    Ok(words)
}

fn refuse(words: String) -> Error {
    Error::worded(Kind::Invalid, words).with_hint(
        "The instructions are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.",
    )
}

#[cfg(test)]
mod tests {
    use super::{RunConfig, apply_changes};

    fn change(changes: &[&str]) -> Result<RunConfig, String> {
        let mut config = RunConfig { env: vec!["PATH=/bin".into()], ..RunConfig::default() };
        let changes: Vec<_> = changes.iter().map(|&change| change.to_owned()).collect();
        apply_changes(&mut config, &changes).map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn instructions() {
        let config = change(&[
            r#"CMD ["sh", "-l"]"#,
            "entrypoint exec app",
            r#"ENV PATH=/usr/bin A="b c" D=e\ f"#,
            "ENV old a form",
            r#"LABEL org.x="y" z=1"#,
            "EXPOSE 80 53/udp",
            r#"VOLUME ["/data", "/more space"]"#,
            "WORKDIR /srv",
        ])
        .unwrap();
        assert_eq!(config.cmd.unwrap(), ["sh", "-l"]);
        assert_eq!(config.entrypoint.unwrap(), ["/bin/sh", "-c", "exec app"]);
        assert_eq!(config.env, ["PATH=/usr/bin", "A=b c", "D=e f", "old=a form"]);
        assert!(
            config.exposed_ports.keys().eq(["53/udp", "80/tcp"]) && config.volumes.keys().eq(["/data", "/more space"])
        );
        assert_eq!((config.labels.len(), config.working_dir.as_str()), (2, "/srv"));
    }

    #[test]
    fn a_variable_may_be_made_of_others() {
        let config = change(&["ENV PATH=/usr/bin:$PATH A=${PATH}x", "ENV B=$A.$NONE-$ C=$"]).unwrap();
        assert_eq!(config.env, ["PATH=/usr/bin:/bin", "A=/binx", "B=/binx.-$", "C=$"]);
    }

    #[test]
    fn refusals() {
        let said = [change(&["RUN true"]), change(&["CMD"]), change(&["ENV A=b C"]), change(&[r#"ENV A="b"#])];
        let said: Vec<_> = said.into_iter().map(Result::unwrap_err).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        RUN is not a valid change command
        CMD requires at least one argument
        C: no =
        A="b: a quote is not closed
        "#);
    }
}
