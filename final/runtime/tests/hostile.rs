//! Hostile `config.json`: valid ones with something wrong in them, by the hundred. Each must lead to a clear error or to a
//! correct run; never to a panic, a hang, or something left behind.
//!
//! `SKIFF_SOAK=1` makes ten thousand of them. A failure names its seed; `SKIFF_SEED=N` runs that one alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bundle;
mod rootfs;

use std::path::{Component, Path};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bundle::Bundle;
use serde_json::{Value, json};

/// How long one may take. Only a hang takes as long, however loaded the machine is.
const LONGEST: Duration = Duration::from_mins(2);

/// Pseudo-random numbers that are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A config with one of everything, over that of `spec`.
fn everything() -> Value {
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    json!({
        "process": {
            "args": ["cat", "/proc/self/status"],
            "user": { "uid": 33, "gid": 33, "umask": 63, "additionalGids": [5, 6] },
            "cwd": "/tmp",
            "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }],
            "oomScoreAdj": 100,
            // The weakest: less is refused to a test that is itself run with nice(1), without CAP_SYS_NICE.
            "scheduler": { "policy": "SCHED_BATCH", "nice": 19 },
            "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 5 },
            "consoleSize": { "height": 24, "width": 80 },
        },
        "domainname": "example",
        "hooks": {
            "createRuntime": [{ "path": "/bin/true", "args": ["true"], "env": ["A=1"], "timeout": 20 }],
            "startContainer": [{ "path": "/bin/true" }],
            "poststop": [{ "path": "/bin/true" }],
        },
        "annotations": { "a.b/c": "d" },
        "linux": {
            "uidMappings": map, "gidMappings": map,
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
                { "type": "cgroup" }, { "type": "user" }, { "type": "time" },
            ],
            "timeOffsets": { "boottime": { "secs": 100, "nanosecs": 5 } },
            "personality": { "domain": "LINUX" },
            "sysctl": { "net.ipv4.ip_forward": "1", "kernel.msgmax": "4096" },
            "devices": [{ "path": "/dev/full", "type": "c", "major": 1, "minor": 7, "fileMode": 438, "uid": 0, "gid": 0 }],
            "rootfsPropagation": "rslave",
            "resources": {
                "memory": { "limit": 67_108_864, "swap": 67_108_864 },
                "cpu": { "shares": 512, "quota": 50000, "period": 100_000, "cpus": "0" },
                "pids": { "limit": 50 },
                "devices": [{ "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }],
            },
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                "syscalls": [{ "names": ["mkdir", "chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95,
                    "args": [{ "index": 1, "value": 511, "valueTwo": 0, "op": "SCMP_CMP_EQ" }] }],
            },
        },
    })
}

/// What things are replaced by.
fn odd(dice: &mut Dice) -> Value {
    let long = "x".repeat(5000);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(65_536),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.5),
        json!(""),
        json!("x"),
        json!("/"),
        json!(".."),
        json!("../../.."),
        json!("a\0b"),
        json!("/proc/self/exe"),
        json!("bind"),
        json!("ro"),
        json!("shared"),
        json!(long),
        json!([]),
        json!({}),
        json!(["x"]),
        json!([null]),
        json!({ "x": 1 }),
        deep,
        json!("SCMP_ACT_KILL"),
        json!("SCMP_ACT_NOTIFY"),
        json!("\u{1F6A3}"),
    ];
    dice.one(&all).clone()
}

/// All places in the value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            places(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, inner)| places(inner, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Changes one thing.
fn mutate(config: &mut Value, dice: &mut Dice) {
    let mut all = Vec::new();
    places(config, "", &mut all);
    let place = dice.one(&all[1..]).clone();
    let (above, key) = place.rsplit_once('/').unwrap();
    let (choice, new) = (dice.below(4), odd(dice));
    match config.pointer_mut(above).unwrap() {
        Value::Object(map) if choice == 0 => drop(map.remove(key)),
        Value::Object(map) if choice == 1 => drop(map.insert("unknownKey".to_owned(), new)),
        Value::Array(list) if choice == 0 => drop(list.remove(key.parse().unwrap())),
        // There twice.
        Value::Array(list) if choice == 1 => list.push(list[key.parse::<usize>().unwrap()].clone()),
        _ => *config.pointer_mut(&place).unwrap() = new,
    }
}

/// A root directory, a source of a bind, a group that is not the test's own would be the machine's.
fn confine(config: &mut Value, bundle: &Bundle) {
    let outside = |path: &Value| {
        let text = path.as_str().unwrap_or("rootfs");
        text.is_empty()
            || Path::new(text).is_absolute()
            || Path::new(text).components().any(|part| part == Component::ParentDir)
    };
    if config.pointer("/root/path").is_some_and(outside) {
        config["root"]["path"] = json!("rootfs");
    }
    for mount in config.get_mut("mounts").and_then(Value::as_array_mut).into_iter().flatten() {
        if mount.get("source").is_some_and(outside) {
            mount["source"] = json!("rootfs/etc");
        }
    }
    if let Some(linux) = config.get_mut("linux").and_then(Value::as_object_mut)
        && linux.get("cgroupsPath").is_none_or(Value::is_string)
    {
        linux.insert("cgroupsPath".to_owned(), json!(format!("/skiff-runtime/{}", bundle.id)));
    }
}

/// The text of one hostile config.
fn hostile(seed: u64, bundle: &Bundle, valid: &[Value]) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut config = dice.one(valid).clone();
    for _ in 0..=dice.below(3) {
        mutate(&mut config, &mut dice);
    }
    confine(&mut config, bundle);
    let mut text = serde_json::to_vec(&config).unwrap();
    // Some are no JSON at all any more; nothing of such a one can be carried out.
    if dice.below(10) == 0 {
        let (at, how) = (dice.below(text.len()), dice.below(2));
        if how == 0 { text.truncate(at) } else { text[at] = 0xff }
    }
    text
}

/// What is wrong about how it ended.
fn judge(bundle: &Bundle) -> Option<String> {
    let file = std::fs::File::create(bundle.rootfs.join("said")).unwrap();
    let mut command = bundle.command();
    command.args(["run", "--bundle", bundle.path(), &bundle.id]).stdout(Stdio::null()).stderr(file);
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + LONGEST;
    let ended: ExitStatus = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                return Some("it hangs".to_owned());
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let said = String::from_utf8_lossy(&std::fs::read(bundle.rootfs.join("said")).unwrap()).into_owned();
    if ended.code().is_none_or(|code| code == 101) || said.contains("panicked") || said.contains("a bug") {
        return Some(format!("{ended}: {said}"));
    }
    let left = bundle.left();
    (!left.is_empty()).then(|| format!("{left:?} left behind; {ended}: {said}"))
}

#[test]
fn no_config_does_any_harm() {
    let rounds = if std::env::var_os("SKIFF_SOAK").is_some() { 10_000 } else { 300 };
    let only: Option<u64> = std::env::var("SKIFF_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (0..rounds).collect(), |seed| vec![seed]);
    let bundles: Vec<_> =
        ["one", "two"].map(|name| Bundle::new(&format!("hostile-{name}"), &["true"], json!({}))).into();
    let simple: Value = serde_json::from_slice(&std::fs::read(bundles[0].config()).unwrap()).unwrap();
    bundle::patch(&bundles[1], everything());
    let valid = [simple, serde_json::from_slice(&std::fs::read(bundles[1].config()).unwrap()).unwrap()];
    // What is changed must run unchanged: otherwise everything would be refused for the same reason.
    for bundle in &bundles {
        let unchanged = bundle.run();
        assert_eq!(unchanged.0, Some(0), "{unchanged:?}");
    }
    std::thread::scope(|scope| {
        for (index, bundle) in bundles.iter().enumerate() {
            let (seeds, valid, bundles) = (&seeds, &valid, &bundles);
            scope.spawn(move || {
                for seed in seeds.iter().skip(index).step_by(bundles.len()) {
                    std::fs::write(bundle.config(), hostile(*seed, bundle, valid)).unwrap();
                    if let Some(wrong) = judge(bundle) {
                        let config = String::from_utf8_lossy(&std::fs::read(bundle.config()).unwrap()).into_owned();
                        panic!("seed {seed}: {wrong}\n{config}");
                    }
                }
            });
        }
    });
}
