//! Where the output of containers goes: to a syslog server, to the journal, to nobody; and that it can be read back all the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, Ran};

/// A collector of datagrams, as `/dev/log` and the journal are.
struct Collector {
    socket: UnixDatagram,
    _home: tempfile::TempDir,
    path: String,
}

impl Collector {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self { socket, path: path.display().to_string(), _home: home }
    }

    fn option(&self) -> String {
        format!("syslog-address=unixgram://{}", self.path)
    }

    fn message(&self) -> String {
        let mut bytes = vec![0; 64 << 10];
        let length = self.socket.recv(&mut bytes).unwrap();
        bytes.truncate(length);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// `docker run --log-driver syslog` with `options`, then `words`.
fn run(daemon: &Daemon, options: &[&str], words: &[&str]) -> Ran {
    let options = options.iter().flat_map(|option| ["--log-opt", option]);
    let start = ["run", "-d", "--log-driver", "syslog"].into_iter().chain(options);
    daemon.docker(&start.chain(words.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn a_syslog_server_gets_every_line_and_docker_logs_has_them_too() {
    let daemon = Daemon::start();
    let collector = Collector::new();
    let address = collector.option();
    let script = "echo one; echo two >&2; printf three";
    let named = ["--name", "web", "busybox", "sh", "-c", script];
    let tag = "tag={{.Name}}/{{.ImageName}}";
    let id = run(&daemon, &[&address, "syslog-format=rfc5424", "syslog-facility=local0", tag], &named);
    let mut messages = [collector.message(), collector.message(), collector.message()];
    // The two streams are two pipes.
    messages.sort();
    for (message, (priority, text)) in messages.iter().zip([("131", "two"), ("134", "one"), ("134", "three")]) {
        assert!(message.starts_with(&format!("<{priority}>1 20")), "{message}");
        let (_, rest) = message.split_once(" web/busybox ").unwrap();
        assert!(rest.ends_with(&format!(" web/busybox - {text}\n")), "{message}");
    }
    daemon.docker(&["wait", "web"]).ok();
    let logs = daemon.docker(&["logs", "web"]);
    assert_eq!((logs.ok(), logs.stderr.as_str()), ("one\nthree", "two\n"));
    assert_eq!(daemon.docker(&["inspect", "-f", "{{.LogPath}}", id.ok()]).ok(), "");
    daemon.docker(&["rm", "web"]).ok();

    // Without the cache there is nothing to read, and an address of the network is dialled in the daemon's.
    let words = ["--name", "web", "busybox", "sh", "-c", script];
    run(&daemon, &[&address, "cache-disabled=true"], &words).ok();
    assert!(collector.message().starts_with("<3"));
    daemon.docker(&["wait", "web"]).ok();
    daemon.skiff(&["logs", "web"]).fails(1, "configured logging driver does not support reading");
    daemon.docker(&["rm", "web"]).ok();
    daemon.finish();
}

#[test]
fn what_is_not_there_or_cannot_be_is_said() {
    let daemon = Daemon::start();
    let fails = |driver: &str, option: &str, words: &str| {
        daemon.docker(&["run", "--rm", "--log-driver", driver, "--log-opt", option, "busybox"]).fails(125, words);
    };
    fails("json-file", "colour=red", "unknown log opt 'colour' for json-file log driver");
    fails("local", "colour=red", "unknown log opt 'colour' for log driver local");
    fails("syslog", "colour=red", "unknown log opt 'colour' for syslog log driver");
    fails("journald", "max-size=1m", "unknown log opt 'max-size' for journald log driver");
    fails("gelf", "mode=blocking", "logger: no log driver named 'gelf' is registered");
    fails("json-file", "mode=sometimes", "logger: logging mode not supported: sometimes");
    fails("json-file", "max-buffer-size=1m", "max-buffer-size option is only supported with 'mode=non-blocking'");
    fails("json-file", "max-file=0", "invalid log option max-file=0");
    fails("syslog", "cache-disabled=maybe", "invalid value for option cache-disabled: maybe");
    fails("syslog", "syslog-address=here", "syslog-address should be in form proto://address, got here");
    // The client takes these words for those of a missing program, dockerd's as well as ours.
    let nowhere = ["run", "--log-driver", "syslog", "--log-opt", "syslog-address=unix:///no/such/socket", "busybox"];
    daemon.docker(&nowhere).fails(127, "stat /no/such/socket: no such file or directory");
    fails("syslog", "syslog-facility=nobody", "invalid syslog facility");
    fails("syslog", "syslog-format=long", "Invalid syslog format");
    fails("syslog", "tag={{.Nmae}}", "can't evaluate field .Nmae");
    let closed = "syslog-address=tcp://127.0.0.1:9";
    let words =
        "failed to initialize logging driver: cannot connect to the log's collector 127.0.0.1:9: Connection refused";
    fails("syslog", closed, words);
    if !std::path::Path::new("/run/systemd/journal/socket").exists() {
        fails("journald", "tag=x", "failed to initialize logging driver: journald is not enabled on this host");
    }
    assert_eq!(daemon.docker(&["ps", "-aq"]).ok(), "");
    daemon.finish();
}

/// A server that does not read holds up the container, or loses lines, as was asked; the daemon and the monitor go on.
#[test]
fn a_collector_that_is_slow() {
    let daemon = Daemon::start();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("socket");
    let server = UnixListener::bind(&path).unwrap();
    let address = format!("syslog-address=unix://{}", path.display());
    let script = "for n in $(seq 20000); do echo line $n of many; done; echo end >&2";
    for (modes, held_up) in [(&["mode=blocking"][..], true), (&["mode=non-blocking", "max-buffer-size=64k"], false)] {
        run(&daemon, &[&[address.as_str()], modes].concat(), &["--name", "chatty", "busybox", "sh", "-c", script]).ok();
        let (mut stream, _) = server.accept().unwrap();
        if held_up {
            // It is not read any more, and answers all the same.
            assert_eq!(daemon.docker(&["inspect", "-f", "{{.State.Running}}", "chatty"]).ok(), "true");
        } else {
            // It ends although nobody has read a line.
            assert_eq!(daemon.docker(&["wait", "chatty"]).ok(), "0");
        }
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        let numbers: Vec<u32> =
            all.lines().filter_map(|line| line.rsplit_once("]: line ")?.1.split(' ').next()?.parse().ok()).collect();
        assert!(numbers.is_sorted(), "in order");
        if held_up {
            assert_eq!(numbers.len(), 20000);
            assert_eq!(daemon.docker(&["wait", "chatty"]).ok(), "0");
        } else {
            assert!(numbers.len() < 20000 && numbers.first() == Some(&1), "{} lines", numbers.len());
        }
        // The file has them all.
        assert_eq!(daemon.docker(&["logs", "chatty"]).ok().lines().count(), 20000);
        daemon.docker(&["rm", "chatty"]).ok();
    }
    daemon.finish();
}

/// Nothing of a log depends on the daemon: what is written while there is none is there when the next one looks.
#[test]
fn a_log_goes_on_while_there_is_no_daemon() {
    let mut daemon = Daemon::start();
    let collector = Collector::new();
    let home = tempfile::tempdir().unwrap();
    let (mount, go) = (format!("{}:/m", home.path().display()), home.path().join("go"));
    let script = "echo before; until test -e /m/go; do usleep 20000; done; echo after";
    let drivers: [&[&str]; 3] =
        [&["json-file"], &["local"], &["syslog", "--log-opt", &collector.option(), "--log-opt", "tag=t"]];
    for (name, driver) in ["a", "b", "c"].into_iter().zip(drivers) {
        let name = format!("log-{name}");
        let run =
            [&["run", "-d", "--name", &name, "-v", &mount, "--log-driver"], driver, &["busybox", "sh", "-c", script]];
        daemon.docker(&run.concat()).ok();
    }
    assert!(collector.message().ends_with("]: before\n"));
    daemon.crash();
    std::fs::write(go, "").unwrap();
    assert!(collector.message().ends_with("]: after\n"));
    daemon.restart();
    for name in ["log-a", "log-b", "log-c"] {
        assert_eq!(daemon.docker(&["wait", name]).ok(), "0");
        let deadline = Instant::now() + Duration::from_mins(1);
        while daemon.docker(&["logs", name]).ok() != "before\nafter" {
            assert!(Instant::now() < deadline, "{}", daemon.docker(&["logs", name]));
        }
        daemon.docker(&["rm", name]).ok();
    }
    daemon.finish();
}
