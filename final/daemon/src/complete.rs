//! Members that are empty. Docker's answers about one container have every member, because a Go structure has; clients take
//! `answer["Config"]["Tty"]` without asking first. The engine's values lack what nobody has set, so it is added here.
//!
//! The lists are those of the API's documentation, version 1.51: `ContainerInspectResponse` and `ExecInspectResponse`.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A container as docker shows it.
pub(crate) fn container(answer: &impl Serialize) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(answer)?;
    fill(&mut value, &json!({ "ExecIDs": null }));
    let Some(members) = value.as_object_mut() else { return Ok(value) };
    if let Some(config) = members.get_mut("Config") {
        fill(config, &config_defaults());
    }
    if let Some(host) = members.get_mut("HostConfig") {
        fill(host, &host_defaults());
        fill(host, &resource_defaults());
    }
    let Some(network) = members.get_mut("NetworkSettings") else { return Ok(value) };
    fill(network, &json!({ "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null }));
    let endpoints = network.get_mut("Networks").and_then(Value::as_object_mut);
    for endpoint in endpoints.into_iter().flat_map(Map::values_mut) {
        fill(endpoint, &json!({ "IPAMConfig": null, "Links": null, "Aliases": null, "DriverOpts": null }));
    }
    Ok(value)
}

/// A command in a container: as long as it runs, its status is null.
pub(crate) fn exec(answer: &impl Serialize) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(answer)?;
    fill(&mut value, &json!({ "ExitCode": null }));
    Ok(value)
}

/// Adds to an object the members it lacks.
fn fill(value: &mut Value, defaults: &Value) {
    let (Some(members), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else { return };
    for (name, default) in defaults {
        members.entry(name.clone()).or_insert_with(|| default.clone());
    }
}

fn config_defaults() -> Value {
    json!({
        "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": [], "Cmd": null, "Image": "", "Volumes": null,
        "WorkingDir": "", "Entrypoint": null, "OnBuild": null, "Labels": {},
    })
}

/// Of the host's part, all but the limits.
fn host_defaults() -> Value {
    json!({
        "Binds": null, "ContainerIDFile": "", "PortBindings": {}, "AutoRemove": false, "VolumeDriver": "",
        "VolumesFrom": null, "ConsoleSize": [0, 0], "CapAdd": null, "CapDrop": null, "Dns": [], "DnsOptions": [],
        "DnsSearch": [], "ExtraHosts": null, "GroupAdd": null, "Cgroup": "", "Links": null, "OomScoreAdj": 0,
        "PidMode": "", "Privileged": false, "PublishAllPorts": false, "ReadonlyRootfs": false, "SecurityOpt": null,
        "UTSMode": "", "UsernsMode": "", "Isolation": "",
    })
}

fn resource_defaults() -> Value {
    json!({
        "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [],
        "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "",
        "CpusetMems": "", "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null, "MemoryReservation": 0,
        "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": false, "PidsLimit": null, "Ulimits": [],
        "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_and_what_is_not_is_empty() {
        let answer = json!({
            "Config": { "Tty": true },
            "HostConfig": { "Memory": 7 },
            "NetworkSettings": { "Networks": { "bridge": { "Aliases": ["a"] } } },
        });
        let complete = container(&answer).unwrap();
        assert_eq!(complete["Config"]["Tty"], true);
        assert_eq!(complete["Config"]["OpenStdin"], false);
        assert_eq!((&complete["HostConfig"]["Memory"], &complete["HostConfig"]["CpuShares"]), (&json!(7), &json!(0)));
        let bridge = &complete["NetworkSettings"]["Networks"]["bridge"];
        assert_eq!(bridge, &json!({ "Aliases": ["a"], "DriverOpts": null, "IPAMConfig": null, "Links": null }));
    }

    #[test]
    fn a_command_that_runs_has_no_status_yet() {
        assert_eq!(exec(&json!({ "Running": true })).unwrap(), json!({ "Running": true, "ExitCode": null }));
        assert_eq!(exec(&json!({ "ExitCode": 3 })).unwrap(), json!({ "ExitCode": 3 }));
    }

    /// A client with types reads it too.
    #[test]
    fn the_empty_members_have_the_types_of_the_api() {
        let complete = container(&json!({ "Config": {}, "HostConfig": {} })).unwrap();
        let read: Result<skiff_engine::models::ContainerInspectResponse, _> = serde_json::from_value(complete);
        assert!(read.is_ok(), "{read:?}");
    }
}
