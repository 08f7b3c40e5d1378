//! The configuration of a committed image: that of its container, with what the request says on top.

use bollard_stubs::models::ContainerConfig;
use images::{Digest, History, ImageConfig, RunConfig, apply_changes};
use namespaces::Context;
use serde_json::Value;

use super::CommitOptions;
use crate::error::Result;

/// What belongs to one container and not to an image.
const OWN: [&str; 12] = [
    "Hostname",
    "Domainname",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "Tty",
    "OpenStdin",
    "StdinOnce",
    "Image",
    "NetworkDisabled",
    "MacAddress",
    "ArgsEscaped",
];

/// `base` is the configuration of the container's image, `container` that of the container, image and request together.
///
/// A new layer is one more line of history and one more diff id; without one the line says so (docker: `empty_layer`).
pub(super) fn of(
    base: &ImageConfig,
    container: &ContainerConfig,
    layer: Option<Digest>,
    options: &CommitOptions,
) -> Result<ImageConfig> {
    let mut run = run_config(container)?;
    if let Some(asked) = &options.config {
        overlay(&mut run, run_config(asked)?);
    }
    // One parameter may have several lines, each an instruction.
    let changes: Vec<String> = options
        .changes
        .iter()
        .flat_map(|change| change.lines())
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    apply_changes(&mut run, &changes)?;
    let mut config = base.clone();
    let now = jiff::Timestamp::now().to_string();
    config.history.push(History {
        created: Some(now.clone()),
        created_by: container.cmd.clone().unwrap_or_default().join(" "),
        author: options.author.clone(),
        comment: options.comment.clone(),
        empty_layer: layer.is_none(),
    });
    config.rootfs.diff_ids.extend(layer);
    config.created = Some(now);
    config.author.clone_from(&options.author);
    config.config = run;
    Ok(config)
}

/// Both are Docker's object, written in the same words.
fn run_config(container: &ContainerConfig) -> Result<RunConfig> {
    let mut value = serde_json::to_value(container).step("read the configuration of the container")?;
    if let Value::Object(fields) = &mut value {
        fields.retain(|name, value| !value.is_null() && !OWN.contains(&name.as_str()));
    }
    Ok(serde_json::from_value(value).step("read the configuration of the container")?)
}

/// What the request's own configuration says goes first; the rest stays (docker: `runconfig.Merge`).
fn overlay(run: &mut RunConfig, asked: RunConfig) {
    let text = |own: &mut String, asked: String| {
        if !asked.is_empty() {
            *own = asked;
        }
    };
    text(&mut run.user, asked.user);
    text(&mut run.working_dir, asked.working_dir);
    text(&mut run.stop_signal, asked.stop_signal);
    if asked.entrypoint.is_some() {
        // A program of its own comes with its own arguments, or none.
        (run.entrypoint, run.cmd) = (asked.entrypoint, asked.cmd);
    } else if asked.cmd.is_some() {
        run.cmd = asked.cmd;
    }
    for variable in asked.env {
        run.env.retain(|old| old.split('=').next() != variable.split('=').next());
        run.env.push(variable);
    }
    run.labels.extend(asked.labels);
    run.exposed_ports.extend(asked.exposed_ports);
    run.volumes.extend(asked.volumes);
    run.healthcheck = asked.healthcheck.or(run.healthcheck.take());
    run.shell = asked.shell.or(run.shell.take());
    run.stop_timeout = asked.stop_timeout.or(run.stop_timeout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_the_request_and_the_instructions_in_this_order() {
        let text = |text: &str| Some(text.to_owned());
        let list = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        let container = ContainerConfig {
            hostname: text("only-here"),
            tty: Some(true),
            image: text("busybox"),
            user: text("web"),
            cmd: list(&["sh", "-c", "true"]),
            env: list(&["A=1", "B=2"]),
            ..ContainerConfig::default()
        };
        let asked = ContainerConfig { env: list(&["B=3"]), working_dir: text("/srv"), ..ContainerConfig::default() };
        let options = CommitOptions {
            author: "me".into(),
            comment: "why".into(),
            changes: vec!["CMD [\"httpd\"]\nEXPOSE 80".into(), "ENV C=4".into()],
            config: Some(asked),
            ..CommitOptions::default()
        };
        let base = ImageConfig::new(vec![Digest::of(b"base")]);
        let made = of(&base, &container, Some(Digest::of(b"new")), &options).unwrap();
        assert_eq!(made.rootfs.diff_ids, [Digest::of(b"base"), Digest::of(b"new")]);
        let line = made.history.last().unwrap();
        assert_eq!((line.created_by.as_str(), line.comment.as_str(), line.empty_layer), ("sh -c true", "why", false));
        insta::assert_json_snapshot!(made.config, @r#"
        {
          "User": "web",
          "ExposedPorts": {
            "80/tcp": {}
          },
          "Env": [
            "A=1",
            "B=3",
            "C=4"
          ],
          "Entrypoint": null,
          "Cmd": [
            "httpd"
          ],
          "WorkingDir": "/srv"
        }
        "#);
        let empty = of(&base, &container, None, &CommitOptions::default()).unwrap();
        assert_eq!((empty.rootfs.diff_ids.len(), empty.history.last().unwrap().empty_layer), (1, true));
        let wrong = CommitOptions { changes: vec!["RUN true".into()], ..CommitOptions::default() };
        assert!(of(&base, &container, None, &wrong).is_err());
    }
}
