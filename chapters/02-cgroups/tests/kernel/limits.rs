//! What is asked for stands in the kernel's files.

use cgroups::{
    Cgroup, Controller, DeviceRule, DeviceWeight, Hierarchies, HugePages, Limits, Plan, Throttle, UNLIMITED, Version,
    format_size,
};

use crate::group::{Group, eventually, unique, version};

#[test]
fn limits_can_be_read_back() {
    let group = Group::new(Limits {
        memory: Some(64 << 20),
        memory_swap: Some(64 << 20),
        cpu_shares: Some(512),
        cpuset_cpus: Some("0".into()),
        cpu_burst: Some(20_000),
        pids_max: Some(17),
        memory_reservation: Some(32 << 20),
        devices: Some(vec![DeviceRule::character(1, 3)]),
        ..Limits::default().nano_cpus(500_000_000)
    });
    let stats = group.cgroup.stats().unwrap();
    assert_eq!((stats.memory.limit, stats.pids.limit), (Some(64 << 20), Some(17)));
    assert_eq!(group.says(Controller::Cpuset, "cpuset.cpus"), "0");
    if group.cgroup.version() == Version::V1 {
        assert_eq!(group.says(Controller::Memory, "memory.memsw.limit_in_bytes"), (64 << 20).to_string());
        assert_eq!(group.says(Controller::Cpu, "cpu.shares"), "512");
        assert_eq!(group.says(Controller::Cpu, "cpu.cfs_quota_us"), "50000");
        assert_eq!(group.says(Controller::Cpu, "cpu.cfs_burst_us"), "20000");
        assert_eq!(group.says(Controller::Memory, "memory.soft_limit_in_bytes"), (32 << 20).to_string());
        assert_eq!(group.says(Controller::Devices, "devices.list"), "c 1:3 rwm");
    } else {
        assert_eq!(group.says(Controller::Cpu, "cpu.max.burst"), "20000");
        assert_eq!(group.says(Controller::Memory, "memory.swap.max"), "0");
        assert_eq!(group.says(Controller::Memory, "memory.low"), (32 << 20).to_string());
        assert_eq!(group.says(Controller::Cpu, "cpu.weight"), "59");
        assert_eq!(group.says(Controller::Cpu, "cpu.max"), "50000 100000");
    }
}

#[test]
fn limits_can_be_raised_and_lowered() {
    let limits =
        |memory: u64| Limits { memory: Some(memory), memory_swap: i64::try_from(memory).ok(), ..Limits::default() };
    let group = Group::new(limits(64 << 20));
    for memory in [128_u64 << 20, 32 << 20, 512 << 20] {
        group.cgroup.update(&limits(memory)).unwrap();
        assert_eq!(group.cgroup.stats().unwrap().memory.limit, Some(memory), "{}", format_size(memory));
    }
    group.cgroup.update(&Limits { pids_max: Some(5), ..Limits::default() }).unwrap();
    let stats = group.cgroup.stats().unwrap();
    assert_eq!((stats.pids.limit, stats.memory.limit), (Some(5), Some(512 << 20)), "the rest stays");
}

#[test]
fn a_limit_below_what_is_used_is_refused_in_words() {
    let group = Group::new(Limits::default());
    let mut shell = group.shell("x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 1000");
    eventually("it has filled its memory", || group.cgroup.stats().unwrap().memory.usage > 30_000_000);
    let failure = group.cgroup.update(&Limits { memory: Some(1 << 20), ..Limits::default() }).unwrap_err();
    let text = failure.to_string().replace(&group.path.display().to_string(), "GROUP");
    let file = if version() == Version::V1 { "memory.limit_in_bytes" } else { "memory.max" };
    assert_eq!(text, format!("cannot set {file} to \"1048576\" for the cgroup /GROUP: Device or resource busy"));
    let hint = failure.hint.unwrap();
    assert!(hint.starts_with("The processes use ") && hint.contains("Choose a limit above that"), "{hint}");
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn processors_that_are_not_there_are_refused_in_words_and_nothing_remains() {
    for (set, hostile) in [("6000", false), ("1-4294967295", true)] {
        let (hierarchies, path) = (Hierarchies::discover().unwrap(), unique());
        let limits = Limits { cpuset_cpus: Some(set.into()), ..Limits::default() };
        let failure = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits: limits.clone() }).unwrap_err();
        assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("there are 0")), "{failure:?}");
        assert_eq!(limits.validate().is_err(), hostile, "the parser's bound comes before the kernel's");
        assert!(hierarchies.mounts.iter().all(|hierarchy| !hierarchy.mount_point.join(&path).exists()));
    }
}

#[test]
fn missing_parents_are_made_ready() {
    let (hierarchies, parent) = (Hierarchies::discover().unwrap(), unique());
    let plan = Plan::new(&parent, "a/b", Limits { memory: Some(64 << 20), ..Limits::default() });
    let made = Cgroup::create(&hierarchies, &plan).map(|cgroup| cgroup.read(Controller::Cpuset, "cpuset.cpus"));
    Cgroup::remove(&hierarchies, &parent).unwrap();
    let cpus = made.unwrap().unwrap().unwrap();
    assert!(hierarchies.version == Version::V2 || cpus.starts_with('0'), "{cpus:?}");
}

#[test]
fn an_idle_group_runs_when_nobody_else_wants_to() {
    let group = Group::new(Limits { cpu_idle: true, ..Limits::default() });
    assert_eq!(group.says(Controller::Cpu, "cpu.idle"), "1");
}

#[test]
fn a_limit_can_be_taken_away() {
    let group = Group::new(Limits { memory: Some(64 << 20), pids_max: Some(9), ..Limits::default() });
    let quota = Limits { cpu_quota: Some(50_000), cpu_period: Some(50_000), ..Limits::default() };
    group.cgroup.update(&quota).unwrap();
    let none = Limits { memory: Some(UNLIMITED), pids_max: Some(-1), cpu_quota: Some(-1), ..Limits::default() };
    group.cgroup.update(&none).unwrap();
    let stats = group.cgroup.stats().unwrap();
    assert_eq!((stats.memory.limit, stats.pids.limit), (None, None));
    let (file, free) = match version() {
        Version::V1 => ("cpu.cfs_quota_us", "-1"),
        Version::V2 => ("cpu.max", "max 50000"),
    };
    assert_eq!(group.says(Controller::Cpu, file), free, "and the period stays");
}

#[test]
fn a_period_can_be_changed_under_its_quota() {
    let group = Group::new(Limits::default().nano_cpus(500_000_000));
    group.cgroup.update(&Limits { cpu_period: Some(200_000), ..Limits::default() }).unwrap();
    if version() == Version::V1 {
        assert_eq!(group.says(Controller::Cpu, "cpu.cfs_quota_us"), "50000");
        assert_eq!(group.says(Controller::Cpu, "cpu.cfs_period_us"), "200000");
    } else {
        assert_eq!(group.says(Controller::Cpu, "cpu.max"), "50000 200000");
    }
}

#[test]
fn docker_swap_is_memory_and_swap_together() {
    let group = |memory_swap| Group::new(Limits { memory: Some(64 << 20), memory_swap, ..Limits::default() });
    // Unset is as much swap again, -1 is all there is, and a number is the sum.
    let unlimited = if version() == Version::V1 { "9223372036854771712" } else { "max" };
    for (asked, sum, alone) in [(None, 128 << 20, 64 << 20), (Some(96 << 20), 96 << 20, 32 << 20), (Some(-1), 0, 0)] {
        let (file, bytes) = match version() {
            Version::V1 => ("memory.memsw.limit_in_bytes", sum),
            Version::V2 => ("memory.swap.max", alone),
        };
        let wanted = if asked == Some(-1) { unlimited.to_owned() } else { bytes.to_string() };
        assert_eq!(group(asked).says(Controller::Memory, file), wanted, "{asked:?}");
    }
}

/// On the machine's first block device, whatever it is: the ceilings are high enough for everybody.
#[test]
fn block_devices_get_ceilings_and_weights() {
    let mut devices = std::fs::read_dir("/sys/block").unwrap().flatten();
    let number = devices.find_map(|device| {
        // A device without a queue of its own (a partition, a device mapper's) takes no limits.
        let number = std::fs::read_to_string(device.path().join("dev")).ok()?;
        device.path().join("queue/scheduler").exists().then_some(number)
    });
    let number = number.expect("the machine has a disk");
    let (major, minor) = number.trim().split_once(':').unwrap();
    let (major, minor) = (major.parse().unwrap(), minor.parse().unwrap());
    let throttle = Throttle { major, minor, read_bps: Some(1 << 30), write_iops: Some(100_000), ..Throttle::default() };
    let group = Group::new(Limits { throttles: vec![throttle], ..Limits::default() });
    if version() == Version::V1 {
        let says = |file: &str| group.says(Controller::Blkio, file);
        assert_eq!(says("blkio.throttle.read_bps_device"), format!("{major}:{minor} {}", 1 << 30));
        assert_eq!(says("blkio.throttle.write_iops_device"), format!("{major}:{minor} 100000"));
    } else {
        let line = format!("{major}:{minor} rbps={} wbps=max riops=max wiops=100000", 1 << 30);
        assert_eq!(group.says(Controller::Blkio, "io.max"), line);
    }
    // A weight needs a scheduler that weighs, which few kernels have for every disk: it is set, or refused in words.
    let weight = DeviceWeight { major, minor, weight: 100 };
    for limits in [
        Limits { blkio_weight: Some(500), ..Limits::default() },
        Limits { blkio_weight_devices: vec![weight], ..Limits::default() },
    ] {
        if let Err(failure) = group.cgroup.update(&limits) {
            assert!(failure.hint.is_some(), "{failure:?}");
        }
    }
}

#[test]
fn huge_pages_are_limited_where_the_machine_counts_them() {
    let limits = Limits { huge_pages: vec![HugePages { size: "2MB".into(), bytes: 4 << 20 }], ..Limits::default() };
    let (hierarchies, path) = (Hierarchies::discover().unwrap(), unique());
    let counted = match hierarchies.version {
        Version::V1 => hierarchies.mounts.iter().any(|mount| mount.controllers.contains(&Controller::Hugetlb)),
        Version::V2 => std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap().contains("hugetlb"),
    };
    let made = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits });
    let file = if version() == Version::V1 { "hugetlb.2MB.limit_in_bytes" } else { "hugetlb.2MB.max" };
    let says = made.as_ref().ok().and_then(|group| group.read(Controller::Hugetlb, file).unwrap());
    Cgroup::remove(&hierarchies, &path).unwrap();
    match made {
        Ok(_) => assert_eq!(says.unwrap().trim(), (4 << 20).to_string()),
        Err(failure) => {
            assert!(!counted && failure.hint.unwrap().contains("hugetlb"), "a limit that is not there is named");
        }
    }
}

#[test]
fn files_of_version_2_can_be_named_there() {
    let limits = Limits { unified: [("memory.high".into(), "48M".into())].into(), ..Limits::default() };
    if version() == Version::V2 {
        assert_eq!(Group::new(limits).says(Controller::Memory, "memory.high"), (48 << 20).to_string());
        return;
    }
    let (hierarchies, path) = (Hierarchies::discover().unwrap(), unique());
    let failure = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits }).unwrap_err();
    assert!(failure.to_string().contains("memory.high") && failure.hint.is_some(), "{failure:?}");
    assert!(hierarchies.mounts.iter().all(|hierarchy| !hierarchy.mount_point.join(&path).exists()));
}

/// Version 1 compares a group's share of the processor with its parent's at every write, and a share is two files.
#[test]
fn quota_and_period_change_together_below_a_parent_that_is_limited() {
    let parent = Group::new(Limits { cpu_quota: Some(50_000), cpu_period: Some(100_000), ..Limits::default() });
    let path = parent.path.join("inner");
    let inner = Cgroup::create(&parent.hierarchies, &Plan { path: path.clone(), limits: Limits::default() });
    // Version 2 passes no controller on from a group that has been made for processes.
    let Ok(inner) = inner else { return assert_eq!(version(), Version::V2) };
    let share = |quota, period| Limits { cpu_quota: Some(quota), cpu_period: Some(period), ..Limits::default() };
    for (quota, period) in [(30_000, 100_000), (3_000, 10_000), (30_000, 100_000)] {
        let updated = inner.update(&share(quota, period));
        assert!(updated.is_ok() || version() == Version::V2, "{updated:?}");
    }
    if version() == Version::V1 {
        let failure = inner.update(&share(60_000, 100_000)).unwrap_err();
        assert!(failure.hint.unwrap().contains("parent group's"));
    }
    Cgroup::remove(&parent.hierarchies, &path).unwrap();
}

#[test]
fn realtime_time_is_given_on_by_the_group_above() {
    let realtime =
        |runtime| Limits { cpu_rt_runtime: Some(runtime), cpu_rt_period: Some(1_000_000), ..Limits::default() };
    if version() == Version::V2 {
        let refused = Cgroup::create(&Hierarchies::discover().unwrap(), &Plan { path: unique(), limits: realtime(1) });
        return assert!(refused.unwrap_err().to_string().contains("version 2"));
    }
    let group = Group::new(Limits::default());
    if group.cgroup.read(Controller::Cpu, "cpu.rt_runtime_us").unwrap().is_none() {
        return eprintln!("skipped: this kernel does not share realtime out (CONFIG_RT_GROUP_SCHED)");
    }
    group.cgroup.update(&realtime(5_000)).unwrap();
    assert_eq!(group.says(Controller::Cpu, "cpu.rt_runtime_us"), "5000");
    let path = group.path.join("inner");
    let inner = |runtime| Cgroup::create(&group.hierarchies, &Plan { path: path.clone(), limits: realtime(runtime) });
    let failure = inner(6_000).unwrap_err();
    assert_eq!(
        failure.hint.as_deref(),
        Some("Realtime time is given by the group above, which has 5000 µs itself; write more there first.")
    );
    drop(inner(2_000).unwrap());
    Cgroup::remove(&group.hierarchies, &path).unwrap();
}
