//! Which namespaces are the container's own, the host's, or another container's.

use std::collections::BTreeMap;

use bollard_stubs::models::HostConfigCgroupnsModeEnum;
use namespaces::{Namespace, Namespaces};
use network::Attachment as NetworkAttachment;

use super::Facts;

/// An answer for each kind. The network namespace is `Host` here even when it is the container's own: it is prepared by the
/// engine and joined by the network stage.
pub(super) fn of(facts: &Facts<'_>) -> Namespaces {
    let host = &facts.asked.host;
    let one = |mode: Option<&str>, kind: &str, shared: Option<i32>| match (mode, shared) {
        (_, Some(pid)) => Namespace::Join(format!("/proc/{pid}/ns/{kind}").into()),
        (Some("host"), None) => Namespace::Host,
        (_, None) => Namespace::New,
    };
    Namespaces {
        pid: one(host.pid_mode.as_deref(), "pid", facts.shared.pid),
        ipc: one(host.ipc_mode.as_deref(), "ipc", facts.shared.ipc),
        uts: one(host.uts_mode.as_deref(), "uts", None),
        cgroup: match host.cgroupns_mode {
            Some(HostConfigCgroupnsModeEnum::HOST) => Namespace::Host,
            _ => Namespace::New,
        },
        net: Namespace::Host,
        ..Namespaces::default()
    }
}

/// The kernel parameters that were asked for, and in a network namespace of its own docker's two: every port is open to a
/// user who is not root, and so is ping. Both are safe there, because the namespace has no ports but its own.
pub(super) fn sysctls(facts: &Facts<'_>) -> BTreeMap<String, String> {
    let mut sysctls = BTreeMap::new();
    if matches!(facts.network, NetworkAttachment::None | NetworkAttachment::Endpoints(_)) {
        sysctls.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
        sysctls.insert("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned());
    }
    sysctls.extend(facts.asked.host.sysctls.clone().unwrap_or_default());
    sysctls
}
