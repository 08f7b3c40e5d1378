//! The image's configuration, where the request says nothing. Docker's rules, which differ from field to field.

use std::collections::{BTreeMap, HashMap};

use bollard_stubs::models::{ContainerConfig, ContainerCreateBody, HealthConfig};
use images::{Healthcheck, ImageConfig};

use crate::error::{Error, Result};

/// The request without its `HostConfig` and `NetworkingConfig`.
pub(crate) fn config_of(body: ContainerCreateBody) -> ContainerConfig {
    ContainerConfig {
        hostname: body.hostname,
        domainname: body.domainname,
        user: body.user,
        attach_stdin: body.attach_stdin,
        attach_stdout: body.attach_stdout,
        attach_stderr: body.attach_stderr,
        exposed_ports: body.exposed_ports,
        tty: body.tty,
        open_stdin: body.open_stdin,
        stdin_once: body.stdin_once,
        env: body.env,
        cmd: body.cmd,
        healthcheck: body.healthcheck,
        args_escaped: body.args_escaped,
        image: body.image,
        volumes: body.volumes,
        working_dir: body.working_dir,
        entrypoint: body.entrypoint,
        network_disabled: body.network_disabled,
        mac_address: body.mac_address,
        on_build: body.on_build,
        labels: body.labels,
        stop_signal: body.stop_signal,
        stop_timeout: body.stop_timeout,
        shell: body.shell,
    }
}

/// `config` with what the image says.
///
/// - user, working directory, stop signal, stop timeout, shell: the request's, else the image's;
/// - environment, labels, exposed ports, volumes: both, and the request's where they have the same key;
/// - the program: a request with an entrypoint brings its own command, or none. The entrypoint `[""]` takes away the image's.
///
/// # Errors
/// `no command specified` when neither says what to run.
pub(crate) fn with_image(mut config: ContainerConfig, image: &ImageConfig) -> Result<ContainerConfig> {
    let defaults = &image.config;
    let fallback = |own: &mut Option<String>, other: &String| {
        if own.as_ref().is_none_or(String::is_empty) {
            *own = Some(other.clone());
        }
    };
    fallback(&mut config.user, &defaults.user);
    fallback(&mut config.working_dir, &defaults.working_dir);
    if config.stop_signal.as_ref().is_none_or(String::is_empty) {
        config.stop_signal = Some(defaults.stop_signal.clone()).filter(|signal| !signal.is_empty());
    }
    config.stop_timeout = config.stop_timeout.or(defaults.stop_timeout);
    config.shell = config.shell.or_else(|| defaults.shell.clone());
    config.on_build = config.on_build.or_else(|| defaults.on_build.clone());
    config.env = Some(environment(config.env.unwrap_or_default(), &defaults.env));
    let labels = defaults.labels.clone().into_iter().chain(config.labels.unwrap_or_default());
    config.labels = Some(labels.collect());
    config.exposed_ports = keys(config.exposed_ports, &defaults.exposed_ports);
    config.volumes = keys(config.volumes, &defaults.volumes);
    config.healthcheck = healthcheck(config.healthcheck, defaults.healthcheck.as_ref());
    program(&mut config, image)?;
    Ok(config)
}

fn program(config: &mut ContainerConfig, image: &ImageConfig) -> Result<()> {
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    if is_empty(&config.entrypoint) {
        if is_empty(&config.cmd) {
            config.cmd.clone_from(&image.config.cmd);
        }
        if config.entrypoint.is_none() {
            config.entrypoint.clone_from(&image.config.entrypoint);
        }
    }
    if config.entrypoint.as_deref() == Some(&[String::new()]) {
        config.entrypoint = None;
    }
    if is_empty(&config.entrypoint) && is_empty(&config.cmd) {
        return Err(Error::invalid("no command specified")
            .hint("The image names no program: say which one to run, after the image's name."));
    }
    Ok(())
}

/// The request's check, and the image's for whatever it leaves out.
fn healthcheck(own: Option<HealthConfig>, image: Option<&Healthcheck>) -> Option<HealthConfig> {
    let Some(image) = image else { return own };
    let own = own.unwrap_or_default();
    let given =
        |value: Option<i64>, other: i64| value.filter(|value| *value != 0).or(Some(other).filter(|nanos| *nanos != 0));
    Some(HealthConfig {
        test: own.test.filter(|test| !test.is_empty()).or_else(|| Some(image.test.clone())),
        interval: given(own.interval, image.interval),
        timeout: given(own.timeout, image.timeout),
        retries: given(own.retries, image.retries),
        start_period: given(own.start_period, image.start_period),
        start_interval: given(own.start_interval, image.start_interval),
    })
}

/// The request's variables, then those of the image that it does not set.
fn environment(mut own: Vec<String>, image: &[String]) -> Vec<String> {
    let key = |variable: &str| variable.split_once('=').map_or(variable, |(key, _)| key).to_owned();
    let known: Vec<String> = own.iter().map(|variable| key(variable)).collect();
    own.extend(image.iter().filter(|variable| !known.contains(&key(variable))).cloned());
    own
}

#[expect(clippy::zero_sized_map_values, reason = "the API's types write a set like this")]
/// The keys of both, as the API writes a set. `None` when there are none.
fn keys<T>(own: Option<Set>, image: &BTreeMap<String, T>) -> Option<Set> {
    let both = image.keys().map(|key| (key.clone(), HashMap::new())).chain(own.unwrap_or_default());
    Some(both.collect()).filter(|keys: &Set| !keys.is_empty())
}

#[expect(clippy::zero_sized_map_values, reason = "the API's types write a set like this")]
type Set = HashMap<String, HashMap<(), ()>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the API's fields are optional")]
    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|&word| word.to_owned()).collect())
    }

    fn image() -> ImageConfig {
        let mut image = ImageConfig::default();
        image.config.env = list(&["PATH=/bin", "LANG=C"]).unwrap();
        image.config.entrypoint = list(&["/entry"]);
        image.config.cmd = list(&["serve"]);
        image.config.user = "web".into();
        image.config.labels = [("a", "image"), ("b", "image")].map(|(k, v)| (k.into(), v.into())).into();
        image.config.volumes = [("/data".into(), serde_json::json!({}))].into();
        image
    }

    fn program(entrypoint: Option<Vec<String>>, cmd: Option<Vec<String>>) -> String {
        let config = ContainerConfig { entrypoint, cmd, ..ContainerConfig::default() };
        match with_image(config, &image()) {
            Ok(config) => format!("{:?} {:?}", config.entrypoint.unwrap_or_default(), config.cmd.unwrap_or_default()),
            Err(error) => error.message,
        }
    }

    #[test]
    fn the_program_follows_dockers_rules() {
        let cases = [
            program(None, None),
            program(None, list(&["other"])),
            program(list(&["/own"]), None),
            program(list(&["/own"]), list(&["arg"])),
            program(list(&[]), None),
            program(list(&[""]), list(&["sh"])),
            program(list(&[""]), None),
        ];
        insta::assert_snapshot!(cases.join("\n"), @r#"
        ["/entry"] ["serve"]
        ["/entry"] ["other"]
        ["/own"] []
        ["/own"] ["arg"]
        [] ["serve"]
        [] ["sh"]
        no command specified
        "#);
    }

    #[test]
    #[expect(clippy::zero_sized_map_values, reason = "the API's types write a set like this")]
    fn the_request_wins_key_by_key() {
        let config = ContainerConfig {
            env: list(&["LANG=de", "X"]),
            labels: Some([("b".into(), "own".into())].into()),
            volumes: Some([("/own".into(), HashMap::new())].into()),
            user: Some(String::new()),
            ..ContainerConfig::default()
        };
        let merged = with_image(config, &image()).unwrap();
        assert_eq!(merged.env, list(&["LANG=de", "X", "PATH=/bin"]));
        assert_eq!(merged.labels.unwrap(), [("a", "image"), ("b", "own")].map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!(merged.user.as_deref(), Some("web"));
        assert_eq!(merged.volumes.unwrap().len(), 2);
        assert_eq!(merged.exposed_ports, None);
    }
}
