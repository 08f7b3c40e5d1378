//! What the container may not do: capabilities, system calls, masks, descriptors.

use std::fs;

use namespaces::{Container, seccomp};

use crate::Test;
use crate::bench::{Image, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("it_has_dockers_capabilities", capabilities),
    ("another_user_has_none", capabilities_of_another_user),
    ("ambient_capabilities_only_when_asked_for", ambient_capabilities),
    ("a_capability_that_nobody_has_is_left_out", missing_capability),
    ("system_calls_are_refused", system_calls),
    ("no_filter_without_a_profile", unconfined),
    ("no_new_privileges", no_new_privileges),
    ("masked_paths_are_empty", masked_paths),
    ("the_kernel_cannot_be_told_anything", readonly_paths),
    ("privileged_may_all_that", privileged),
    ("nothing_of_the_host_is_open", descriptors),
    ("promised_descriptors_stay_open", promised_descriptors),
    ("kernel_parameters_of_own_namespaces_only", sysctls),
];

fn status(container: &Container, name: &str) -> String {
    let outcome = run(container);
    let line = outcome.text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{outcome:?}"));
    line.split_whitespace().nth(1).unwrap().to_owned()
}

const STATUS: &str = "cat /proc/self/status";

fn capabilities() {
    let image = Image::new();
    let container = image.container(STATUS);
    for (set, expected) in [
        ("CapEff", "00000000a80425fb"),
        ("CapPrm", "00000000a80425fb"),
        ("CapBnd", "00000000a80425fb"),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
    ] {
        assert_eq!(status(&container, set), expected, "{set}");
    }
}

fn capabilities_of_another_user() {
    let image = Image::new();
    let mut container = image.container(STATUS);
    container.process.user.user = "web".into();
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(&container, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(&container, "CapBnd"), "00000000a80425fb");
}

fn ambient_capabilities() {
    let image = Image::new();
    let mut container = image.container(STATUS);
    container.process.user.user = "web".into();
    let names = vec!["NET_BIND_SERVICE".to_owned()];
    container.process.capabilities.inheritable.clone_from(&names);
    container.process.capabilities.ambient = names;
    for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
        assert_eq!(status(&container, set), "0000000000000400", "{set}");
    }
}

fn missing_capability() {
    let image = Image::new();
    let container = image.container(STATUS).privileged();
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapPrm:")).unwrap().trim().to_owned();
    assert_eq!(status(&container, "CapPrm"), own);
}

/// Numbers and arguments of calls that are refused, with the errno: 1 is EPERM, 38 ENOSYS.
const REFUSED: [(&str, &str, &str); 8] = [
    ("keyctl", "250, 0, -3, 0", "1"),
    ("unshare(CLONE_NEWUSER)", "272, 0x10000000", "1"),
    ("mount", "165, 0, 0, 0, 0, 0", "1"),
    ("clone(CLONE_NEWUSER)", "56, 0x10000011, 0, 0, 0, 0", "1"),
    ("clone3", "435, 0, 0", "38"),
    ("socket(AF_ALG)", "41, 38, 5, 0", "1"),
    ("socket(AF_VSOCK) in disguise", "41, 0x100000028, 1, 0", "1"),
    ("a call of the future", "1000", "38"),
];

fn system_calls() {
    for (name, arguments, expected) in REFUSED {
        let outcome = run(&Image::new().perl(&format!("syscall({arguments}); print $!+0")));
        assert_eq!(outcome.text, expected, "{name}");
    }
    let allowed = run(&Image::new().perl("print syscall(41, 2, 1, 0) > 0 ? 'socket' : $!"));
    assert_eq!(allowed.text, "socket");
}

fn unconfined() {
    let image = Image::new();
    let mut container = image.container(STATUS);
    assert_eq!(status(&container, "Seccomp:"), "2");
    container.process.seccomp = None;
    assert_eq!(status(&container, "Seccomp:"), "0");
}

fn no_new_privileges() {
    let image = Image::new();
    let mut container = image.container(STATUS);
    assert_eq!(status(&container, "NoNewPrivs"), "0");
    container.process.no_new_privileges = true;
    // Then a filter needs no capability any more, and it may be one that forbids what comes before it.
    let mut profile = seccomp::default::profile(0);
    profile.rules.retain(|rule| !["capset", "prctl", "setresuid"].contains(&rule.call.as_str()));
    container.process.seccomp = Some(seccomp::compile(&profile));
    assert_eq!(status(&container, "NoNewPrivs"), "1");
    assert_eq!(status(&container, "Seccomp:"), "2");
}

fn masked_paths() {
    let image = Image::new();
    let container = image.container("");
    for path in &container.masked_paths {
        if !path.exists() {
            continue;
        }
        let path = path.display();
        let script = format!(
            "if [ -d {path} ]; then ls -A {path}; touch {path}/x 2>/dev/null && echo made; else cat {path}; fi"
        );
        assert_eq!(image.prints(&script), "", "{path}");
    }
    assert!(container.masked_paths.iter().any(|path| path.exists()), "nothing was tested");
}

fn readonly_paths() {
    let image = Image::new();
    for path in ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        if !std::path::Path::new(path).exists() {
            continue;
        }
        // Opened for writing and left as it is: where the step is missing, these files are the machine's.
        let outcome = run(&image.container(&format!(": >> {path}")));
        assert!(outcome.text.contains("Read-only file system"), "{path}: {outcome:?}");
    }
    // The cgroup files among them: release_agent would run a program on the host (CVE-2022-0492).
    let written = "for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo 1 2>/dev/null > $f && echo $f; done";
    assert_eq!(image.prints(written), "");
}

fn privileged() {
    let image = Image::new();
    let mut container = image.container(
        "mount -t tmpfs x /tmp && echo mounted; mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x; ls /proc/timer_list",
    );
    container = container.privileged();
    assert_eq!(run(&container).lines(), ["mounted", "/proc/timer_list"]);
}

/// A directory of the host, inherited by accident: opened without close-on-exec.
fn leak() -> std::os::fd::OwnedFd {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open("/", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn descriptors() {
    let _leaked = leak();
    let open = Image::new().prints("ls /proc/self/fd");
    // 3 is the directory that ls reads.
    assert_eq!(open.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

fn promised_descriptors() {
    use std::os::fd::AsRawFd;
    let leaked = leak();
    let image = Image::new();
    let number = leaked.as_raw_fd();
    let mut container = image.container(&format!("ls -d /proc/self/fd/{number}/proc >/dev/null 2>&1 && echo open"));
    container.process.preserve_fds = u32::try_from(number - 2).unwrap();
    assert_eq!(run(&container).text, "open\n");
    container.process.preserve_fds = u32::try_from(number - 3).unwrap();
    assert_eq!(run(&container).text, "");
}

fn sysctls() {
    let image = Image::new();
    let mut container = image.container("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni");
    let host = || fs::read_to_string("/proc/sys/kernel/shmmni").unwrap();
    let before = host();
    container.sysctls = [("net.ipv4.ip_forward", "1"), ("kernel.shmmni", "77")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert_eq!(run(&container).lines(), ["1", "77"]);
    assert_eq!(host(), before);
    container.namespaces.net = namespaces::Namespace::Host;
    let failure = try_run(&container).unwrap_err();
    assert!(failure.to_string().contains("shares its net namespace with the host"), "{failure}");
    container.sysctls = [("kernel.core_pattern".to_owned(), "core".to_owned())].into();
    let failure = try_run(&container).unwrap_err();
    assert!(failure.to_string().contains("belongs to the whole machine"), "{failure}");
}
