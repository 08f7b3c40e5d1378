//! One request after the other, each shown by what its plan has that the plan of a plain request has not.

use std::path::PathBuf;

use bollard_stubs::models::{
    ContainerConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, ResourcesUlimits,
};
use cgroups::{DeviceKind, Throttle};
use network::{Attachment, Endpoint, Network, Request, Wish};
use serde_json::Value;

use super::cdi::Edits;
use super::devices::HostDevice;
use super::files::Files;
use super::process::of_exec;
use super::{Facts, Shared, plan};
use crate::config::Config;
use crate::containers::container::Places;
use crate::containers::record::Mounted;
use crate::containers::request::mounts::{self, Sources};
use crate::containers::testing;
use crate::error::Error;

const ID: &str = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789";

/// The plan as JSON; system call filters by their length.
fn planned(config: ContainerConfig, host: HostConfig, change: impl FnOnce(&mut Facts<'_>)) -> Value {
    let mut asked = testing::request(ID, "web", config, host);
    let directory = tempfile::tempdir().unwrap();
    let store = volumes::Store::open(directory.path()).unwrap();
    let wanted = mounts::wanted(&asked.config, &asked.host, &[]).unwrap();
    let none = |name: &str| Err(Error::not_found(format!("No such image: {name}")));
    asked.mounts = mounts::resolve(wanted, &[], &Sources { volumes: &store, image: &none }).unwrap();
    let places = Places::of(&Config::default(), ID);
    let mut facts = Facts {
        asked: &asked,
        places: &places,
        cgroup_parent: "skiff",
        lowers: vec!["/layers/top".into(), "/layers/base".into()],
        network: &Attachment::None,
        links: Vec::new(),
        shared: Shared::default(),
        devices: Vec::new(),
        named: Edits::default(),
        throttles: Vec::new(),
        weights: Vec::new(),
    };
    change(&mut facts);
    let mut plan = serde_json::to_value(plan(&facts).unwrap()).unwrap();
    if let Some(seccomp) = plan.pointer_mut("/container/process/seccomp/instructions") {
        *seccomp = format!("[{} instructions]", seccomp.as_array().unwrap().len()).into();
    }
    let text = plan.to_string().replace(&*directory.path().to_string_lossy(), "/volumes");
    serde_json::from_str(&text).unwrap()
}

fn plain() -> Value {
    planned(ContainerConfig::default(), HostConfig::default(), |_| ())
}

/// What is in `new` and not in `old`, one line for each place.
fn difference(path: &str, old: Option<&Value>, new: Option<&Value>, lines: &mut Vec<String>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for key in keys {
                difference(&format!("{path}.{key}"), old.get(key), new.get(key), lines);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            lines.extend(old.iter().filter(|item| !new.contains(item)).map(|item| format!("{path} - {item}")));
            lines.extend(new.iter().filter(|item| !old.contains(item)).map(|item| format!("{path} + {item}")));
        }
        (_, new) => lines.push(format!("{path} = {}", new.unwrap_or(&Value::Null))),
    }
}

fn shown(config: ContainerConfig, host: HostConfig) -> String {
    shown_with(config, host, |_| ())
}

fn shown_with(config: ContainerConfig, host: HostConfig, change: impl FnOnce(&mut Facts<'_>)) -> String {
    let mut lines = Vec::new();
    difference("", Some(&plain()), Some(&planned(config, host, change)), &mut lines);
    lines.join("\n")
}

fn config(change: impl FnOnce(&mut ContainerConfig)) -> String {
    let mut config = ContainerConfig::default();
    change(&mut config);
    shown(config, HostConfig::default())
}

fn host(change: impl FnOnce(&mut HostConfig)) -> String {
    let mut host = HostConfig::default();
    change(&mut host);
    shown(ContainerConfig::default(), host)
}

#[expect(clippy::unnecessary_wraps, reason = "the API's fields are optional")]
fn list(words: &[&str]) -> Option<Vec<String>> {
    Some(words.iter().map(|&word| word.to_owned()).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "the API's fields are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_plain_request() {
    insta::assert_json_snapshot!(plain());
}

#[test]
fn the_process() {
    insta::assert_snapshot!(config(|config| {
        config.entrypoint = list(&["/entry", "-x"]);
        config.cmd = list(&["arg"]);
        config.env = list(&["A=1", "PATH=/bin", "HOSTNAME"]);
        config.user = text("web:staff");
        config.working_dir = text("/srv");
        config.hostname = text("db");
        config.domainname = text("example.org");
    }));
}

#[test]
fn a_terminal_with_open_input() {
    let mut config = ContainerConfig { tty: Some(true), open_stdin: Some(true), ..ContainerConfig::default() };
    let sized = HostConfig { console_size: Some(vec![24, 80]), ..HostConfig::default() };
    let tty = shown(config.clone(), sized.clone());
    (config.tty, config.stdin_once) = (None, Some(true));
    insta::assert_snapshot!(format!("{tty}\n--- without a terminal, once\n{}", shown(config, sized)));
}

#[test]
fn limits() {
    insta::assert_snapshot!(host(|host| {
        host.memory = Some(64 << 20);
        host.memory_swap = Some(-1);
        host.nano_cpus = Some(500_000_000);
        host.cpu_shares = Some(512);
        host.cpuset_cpus = text("0");
        host.pids_limit = Some(50);
        host.blkio_weight = Some(300);
        host.oom_score_adj = Some(500);
        host.cgroup_parent = text("/mine");
        host.shm_size = Some(1 << 20);
        let ulimit = |name: &str, soft, hard| ResourcesUlimits { name: text(name), soft: Some(soft), hard: Some(hard) };
        host.ulimits = Some(vec![ulimit("nofile", 100, 200), ulimit("core", -1, -1)]);
    }));
}

#[test]
fn capabilities_and_security_options() {
    insta::assert_snapshot!(host(|host| {
        host.cap_add = list(&["NET_ADMIN"]);
        host.cap_drop = list(&["ALL"]);
        host.security_opt = list(&["no-new-privileges", "seccomp=unconfined", "apparmor=mine", "label=disable"]);
        host.group_add = list(&["audio"]);
        host.masked_paths = list(&[]);
        host.readonly_paths = list(&["/proc/sys"]);
    }));
}

#[test]
fn a_privileged_container() {
    insta::assert_snapshot!(host(|host| host.privileged = Some(true)));
}

#[test]
fn a_read_only_root_that_is_removed_at_its_end() {
    insta::assert_snapshot!(host(|host| (host.readonly_rootfs, host.auto_remove) = (Some(true), Some(true))));
}

#[test]
fn namespaces_of_the_host_and_of_others() {
    let of_host = host(|host| {
        host.pid_mode = text("host");
        host.ipc_mode = text("host");
        host.uts_mode = text("host");
        host.cgroupns_mode = Some(HostConfigCgroupnsModeEnum::HOST);
    });
    let of_others = HostConfig { ipc_mode: text("container:a"), ..HostConfig::default() };
    let of_others = shown_with(ContainerConfig::default(), of_others, |facts| {
        facts.shared = Shared { pid: Some(10), ipc: Some(11) };
        facts.network = &Attachment::Host;
    });
    let no_shm = host(|host| host.ipc_mode = text("none"));
    insta::assert_snapshot!([of_host, of_others, no_shm].join("\n---\n"));
}

#[test]
fn volumes_come_in_order_among_our_own_files() {
    insta::assert_snapshot!(host(|host| {
        host.binds = list(&["/srv/hosts:/etc/hosts:ro", "/srv:/etc/hosts.d", "data:/a/b/c"]);
        host.tmpfs = Some([("/a".to_owned(), "size=1m".to_owned())].into());
    }));
}

#[test]
fn a_shared_bind_connects_the_root() {
    insta::assert_snapshot!(host(|host| host.binds = list(&["/srv:/srv:rshared"])));
}

#[test]
fn devices_and_what_may_be_opened() {
    let fuse = HostDevice {
        path: PathBuf::from("/dev/fuse"),
        kind: DeviceKind::Character,
        number: (10, 229),
        mode: 0o660,
        owner: (0, 5),
        permissions: "rw".into(),
    };
    let rules = HostConfig { device_cgroup_rules: list(&["b 7:* rmw"]), ..HostConfig::default() };
    insta::assert_snapshot!(shown_with(ContainerConfig::default(), rules, |facts| {
        facts.devices = vec![fuse];
        facts.throttles = vec![Throttle { major: 8, read_bps: Some(1 << 20), ..Throttle::default() }];
    }));
}

#[test]
fn sysctls_and_logs() {
    insta::assert_snapshot!(host(|host| {
        host.sysctls = Some([("net.ipv4.ip_unprivileged_port_start".to_owned(), "80".to_owned())].into());
        let options = [("max-size".to_owned(), "1m".to_owned()), ("max-file".to_owned(), "2".to_owned())];
        host.log_config = Some(HostConfigLogConfig { typ: text("local"), config: Some(options.into()) });
    }));
}

#[test]
fn an_exec_has_the_containers_rights_and_environment() {
    let config = ContainerConfig { env: list(&["A=1", "B=2"]), user: text("web"), ..ContainerConfig::default() };
    let asked = testing::request(ID, "web", config, HostConfig { cap_drop: list(&["KILL"]), ..HostConfig::default() });
    let exec = bollard_stubs::models::ExecConfig {
        cmd: list(&["sh"]),
        env: list(&["B=3"]),
        tty: Some(true),
        working_dir: text("/tmp"),
        ..Default::default()
    };
    let process = of_exec(&asked, &[], &exec).unwrap();
    assert_eq!(process.env[1..], ["HOSTNAME=c0ffee012345", "TERM=xterm", "A=1", "B=3"]);
    assert_eq!((process.user.user.as_str(), process.cwd.to_str()), ("web", Some("/tmp")));
    assert!(!process.capabilities.bounding.contains(&"KILL".to_owned()) && process.seccomp.is_some());
    let root = bollard_stubs::models::ExecConfig { privileged: Some(true), user: text("0"), ..exec };
    let process = of_exec(&asked, &[], &root).unwrap();
    assert_eq!((process.capabilities.effective.len(), process.seccomp, process.user.user.as_str()), (41, None, "0"));
}

#[test]
fn what_a_limit_cannot_be() {
    let ulimit = |name: &str, soft, hard| {
        super::process::rlimit(&ResourcesUlimits { name: text(name), soft: Some(soft), hard: Some(hard) })
            .unwrap_err()
            .message
    };
    insta::assert_snapshot!([ulimit("files", 1, 1), ulimit("nofile", 2, 1)].join("\n"), @r"
    invalid ulimit type: files
    ulimit soft limit must be less than or equal to hard limit: 2 > 1
    ");
}

fn on_bridge() -> Attachment {
    let network = Network::plan(Request { name: "bridge".into(), ..Request::default() }, "n1", "", &[]).unwrap();
    let address = network.ipv4.as_ref().unwrap().subnet.hosts().nth(1).unwrap();
    Attachment::Endpoints(vec![Endpoint::new(&network, ID, Wish::at(address)).unwrap()])
}

#[test]
fn the_three_files() {
    let files = |network: &Attachment, change: fn(&mut HostConfig)| {
        let mut host = HostConfig::default();
        change(&mut host);
        let asked = testing::request(ID, "web", ContainerConfig::default(), host);
        let files = Files::of(&asked, network, Vec::new(), "127.0.0.1 me\n", "nameserver 127.0.0.1\nsearch home\n");
        files.map_or_else(|error| error.message, |files| files.0.join("---\n"))
    };
    let all = [
        files(&on_bridge(), |host| host.extra_hosts = list(&["up:host-gateway"])),
        files(&Attachment::Host, |_| ()),
        files(&Attachment::None, |host| (host.dns, host.dns_search) = (list(&["9.9.9.9"]), list(&["x.org"]))),
        files(&Attachment::None, |host| host.dns = list(&["nine"])),
    ];
    insta::assert_snapshot!(all.join("\n======\n"));
}

/// A mount of another container keeps what it was, but is nobody's to remove.
#[test]
fn a_mount_has_a_volume_or_none() {
    let json = plain();
    let first = json.pointer("/volumes/0").unwrap().clone();
    let mounted = Mounted { attachment: serde_json::from_value(first).unwrap(), mode: String::new(), anonymous: true };
    assert_eq!(mounted.volume(), None);
}
