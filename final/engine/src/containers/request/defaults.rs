//! What docker says where neither the request nor the image does. Filled in when a container is created, so that its record
//! and `inspect` show what really holds.

use std::path::PathBuf;

use bollard_stubs::models::{
    ContainerConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use namespaces::defaults::{masked_paths, readonly_paths};

use crate::config::Defaults;
use crate::containers::names::short;

/// Bytes of `/dev/shm`.
pub(crate) const SHM_SIZE: i64 = 64 << 20;

/// Fills in what is missing of `host`, from what the engine was told first.
pub(crate) fn fill_host(host: &mut HostConfig, told: &Defaults) {
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
    fill_log(host, told);
    fill_told(host, told);
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

/// The log that a container has unless it says otherwise: the engine's, else three files of 10 MB at most. The engine's options
/// are for the engine's driver.
fn fill_log(host: &mut HostConfig, told: &Defaults) {
    let log = host.log_config.get_or_insert_with(HostConfigLogConfig::default);
    let driver = if told.log_driver.is_empty() { "json-file" } else { &told.log_driver };
    let driver = log.typ.take().filter(|own| !own.is_empty()).unwrap_or_else(|| driver.to_owned());
    let options = log.config.get_or_insert_default();
    if driver == told.log_driver {
        for (name, value) in &told.log_options {
            options.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    log.typ = Some(driver);
}

/// What the engine was told to give to all.
fn fill_told(host: &mut HostConfig, told: &Defaults) {
    if told.init {
        host.init.get_or_insert(true);
    }
    let given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let lists = [
        (&mut host.dns, &told.dns),
        (&mut host.dns_options, &told.dns_options),
        (&mut host.dns_search, &told.dns_search),
    ];
    for (own, told) in lists {
        if !given(own) && !told.is_empty() {
            *own = Some(told.clone());
        }
    }
    for (name, soft, hard) in &told.ulimits {
        let ulimits = host.ulimits.get_or_insert_default();
        if !ulimits.iter().any(|known| known.name.as_ref() == Some(name)) {
            ulimits.push(ResourcesUlimits { name: Some(name.clone()), soft: Some(*soft), hard: Some(*hard) });
        }
    }
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
        fill_host(&mut host, &Defaults::default());
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
    fn what_the_engine_was_told_holds_where_nothing_is_said() {
        let told = Defaults {
            init: true,
            ulimits: vec![("nofile".into(), 1, 2), ("core".into(), 0, 0)],
            log_driver: "json-file".into(),
            log_options: [("max-size".to_owned(), "1m".to_owned())].into(),
            dns: vec!["10.0.0.1".into()],
            ..Defaults::default()
        };
        let own = ResourcesUlimits { name: Some("core".into()), soft: Some(5), hard: Some(5) };
        let mut host = HostConfig { ulimits: Some(vec![own.clone()]), ..HostConfig::default() };
        fill_host(&mut host, &told);
        let nofile = ResourcesUlimits { name: Some("nofile".into()), soft: Some(1), hard: Some(2) };
        assert_eq!((host.init, host.ulimits, host.dns), (Some(true), Some(vec![own, nofile]), Some(told.dns.clone())));
        assert_eq!(host.log_config.unwrap().config.unwrap()["max-size"], "1m");
        let none = HostConfigLogConfig { typ: Some("none".into()), config: None };
        let mut host = HostConfig { init: Some(false), log_config: Some(none), ..HostConfig::default() };
        fill_host(&mut host, &told);
        assert_eq!((host.init, host.log_config.unwrap().config), (Some(false), Some([].into())));
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
