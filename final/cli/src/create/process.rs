//! The program: entry point, environment, user, and what happens when it ends.

use std::path::PathBuf;

use bollard_stubs::models::{ContainerCreateBody, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use clap::Args;

use super::read_file;
use crate::error::{ENGINE, Error, Result};
use crate::grammar::key_value;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Process")]
pub(crate) struct Process {
    /// Program to run instead of the image's; empty for none
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Environment variable, NAME=VALUE, or NAME to pass on our own
    #[arg(short, long = "env", value_name = "VARIABLE")]
    env: Vec<String>,
    /// File with one environment variable per line
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
    /// Directory to start in; made when it is not there
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// User to run as, NAME or ID, and after a colon the group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Additional group of the user
    #[arg(long = "group-add", value_name = "GROUP")]
    groups: Vec<String>,
    /// Run an init that reaps processes and passes signals on
    #[arg(long)]
    init: bool,
    /// Signal to stop it with
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds until a container that does not stop is killed
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<i64>,
    /// When to start it again: no, always, unless-stopped, on-failure[:TIMES]
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Remove it when it ends
    #[arg(long)]
    pub(crate) rm: bool,
}

impl Process {
    /// Puts the flags in their places. `look_up` finds a variable of our own environment.
    pub(super) fn apply(
        &self,
        body: &mut ContainerCreateBody,
        host: &mut HostConfig,
        look_up: &dyn Fn(&str) -> Option<String>,
    ) -> Result<()> {
        body.entrypoint = self.entrypoint.clone().map(|program| vec![program]);
        body.env = Some(environment(&self.env_files, &self.env, look_up)?).filter(|env| !env.is_empty());
        body.working_dir.clone_from(&self.workdir);
        body.user.clone_from(&self.user);
        body.stop_signal.clone_from(&self.stop_signal);
        body.stop_timeout = self.stop_timeout;
        host.group_add = Some(self.groups.clone()).filter(|groups| !groups.is_empty());
        host.init = self.init.then_some(true);
        host.auto_remove = self.rm.then_some(true);
        host.restart_policy = self.restart.as_deref().map(restart_policy).transpose().map_err(Error::new)?;
        let restarts = host.restart_policy.as_ref().and_then(|policy| policy.name);
        if self.rm && restarts.is_some_and(|name| name != RestartPolicyNameEnum::NO) {
            return Err(Error::new("conflicting options: cannot specify both --restart and --rm"));
        }
        Ok(())
    }
}

/// Files first, so that what stands on the command line wins.
pub(crate) fn environment(
    files: &[PathBuf],
    variables: &[String],
    look_up: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for file in files {
        let found = key_value::file(&read_file(file)?, look_up);
        all.extend(found.map_err(|why| Error::new(format!("invalid env file ({}): {why}", file.display())))?);
    }
    for variable in variables {
        all.push(key_value::environment(variable, look_up).map_err(|why| Error::new(why).exit(ENGINE))?);
    }
    Ok(all)
}

/// `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:5`.
pub(crate) fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    let (name, times) = text.split_once(':').map_or((text, None), |(name, times)| (name, Some(times)));
    let invalid = |why: &str| format!("invalid restart policy format: {why}");
    let known = match name {
        "" if times.is_some() => return Err(invalid("no policy provided before colon")),
        "" | "no" => RestartPolicyNameEnum::NO,
        "always" => RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => {
            return Err(format!(
                "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
            ));
        }
    };
    let count = times.map(str::parse::<i64>).transpose();
    let count = count.map_err(|_| invalid("maximum retry count must be an integer"))?;
    if count.is_some() && known != RestartPolicyNameEnum::ON_FAILURE {
        return Err("invalid restart policy: maximum retry count can only be used with 'on-failure'".to_owned());
    }
    Ok(RestartPolicy { name: Some(known), maximum_retry_count: count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restart_policies() {
        let policy = restart_policy("on-failure:5").unwrap();
        assert_eq!((policy.name, policy.maximum_retry_count), (Some(RestartPolicyNameEnum::ON_FAILURE), Some(5)));
        assert_eq!(restart_policy("always").unwrap().maximum_retry_count, None);
        for text in ["sometimes", "on-failure:x", "always:3", ":3"] {
            assert!(restart_policy(text).is_err(), "{text}");
        }
    }
}
