//! What docker says where neither the request nor the image does. Filled in when a container is created, so that its record
//! and `inspect` show what really holds.

use std::path::PathBuf;

use bollard_stubs::models::{
    ContainerConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum,
};
use namespaces::defaults::{masked_paths, readonly_paths};

use crate::containers::names::short;

/// Bytes of `/dev/shm`.
pub(crate) const SHM_SIZE: i64 = 64 << 20;

/// Fills in what is missing of `host`.
pub(crate) fn fill_host(host: &mut HostConfig) {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if host.network_mode.as_deref().is_none_or(|mode| mode.is_empty() || mode == "default") {
        host.network_mode = Some("bridge".into());
    }
    if !given(&host.ipc_mode) {
        host.ipc_mode = Some("private".into());
    }
    if host.cgroupns_mode.is_none_or(|mode| mode == HostConfigCgroupnsModeEnum::EMPTY) {
        host.cgroupns_mode = Some(HostConfigCgroupnsModeEnum::PRIVATE);
    }
    if !given(&host.runtime) {
        host.runtime = Some("skiff".into());
    }
    if host.shm_size.is_none_or(|size| size == 0) {
        host.shm_size = Some(SHM_SIZE);
    }
    fill_log(host);
    let unnamed = |policy: &RestartPolicy| matches!(policy.name, None | Some(RestartPolicyNameEnum::EMPTY));
    if host.restart_policy.as_ref().is_none_or(unnamed) {
        let most = host.restart_policy.take().and_then(|policy| policy.maximum_retry_count).unwrap_or(0);
        host.restart_policy =
            Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: Some(most) });
    }
    let privileged = host.privileged == Some(true);
    let texts = |paths: Vec<PathBuf>| {
        let kept = paths.into_iter().filter(|_| !privileged);
        kept.map(|path| path.display().to_string()).collect()
    };
    host.masked_paths.get_or_insert_with(|| texts(masked_paths()));
    host.readonly_paths.get_or_insert_with(|| texts(readonly_paths()));
}

/// The log that a container has unless it says otherwise: three files of 10 MB at most.
fn fill_log(host: &mut HostConfig) {
    let log = host.log_config.get_or_insert_with(HostConfigLogConfig::default);
    if log.typ.as_ref().is_none_or(String::is_empty) {
        log.typ = Some("json-file".into());
    }
    log.config.get_or_insert_default();
}

/// Fills in the host name: the host's own with the host's network, else the first 12 digits of the id.
pub(crate) fn fill_hostname(config: &mut ContainerConfig, host: &HostConfig, id: &str) {
    let own_uts = host.uts_mode.as_deref() != Some("host");
    if config.hostname.as_ref().is_some_and(|name| !name.is_empty()) || !own_uts {
        return;
    }
    config.hostname = Some(match host.network_mode.as_deref() {
        Some("host") => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        _ => short(id).to_owned(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_request_gets_dockers_answers() {
        let mut host = HostConfig { masked_paths: Some(Vec::new()), ..HostConfig::default() };
        fill_host(&mut host);
        host.readonly_paths = None;
        insta::assert_json_snapshot!(host, @r#"
        {
          "LogConfig": {
            "Type": "json-file",
            "Config": {}
          },
          "NetworkMode": "bridge",
          "RestartPolicy": {
            "Name": "no",
            "MaximumRetryCount": 0
          },
          "CgroupnsMode": "private",
          "IpcMode": "private",
          "ShmSize": 67108864,
          "Runtime": "skiff",
          "MaskedPaths": []
        }
        "#);
    }

    #[test]
    fn a_container_is_called_like_its_id_or_its_host() {
        let name = |host: HostConfig| {
            let mut config = ContainerConfig::default();
            fill_hostname(&mut config, &host, "0123456789abcdef");
            config.hostname
        };
        assert_eq!(name(HostConfig::default()).as_deref(), Some("0123456789ab"));
        let host = |text: &str| HostConfig { network_mode: Some(text.into()), ..HostConfig::default() };
        assert_eq!(name(host("host")).unwrap(), rustix::system::uname().nodename().to_str().unwrap());
        assert_eq!(name(HostConfig { uts_mode: Some("host".into()), ..host("host") }), None);
    }
}
