//! The monitor, driven by a test in the daemon's place: real containers of busybox, as root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bench;
mod rootfs;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bench::{ALL, Bench, OUTPUT, entries, frames, receive, spawn, until};
use namespaces::Failure;
use skiff_runtime::monitor::read_exit;
use skiff_runtime::plan::{LogFile, Stdin};
use skiff_runtime::protocol::{Attach, Event, Exit, Request, State};
use skiff_runtime::{Channel, ExecPlan};

#[test]
fn output_arrives_framed_and_logged_and_the_code_is_kept() {
    let mut bench = Bench::shell("framed", "echo one; echo two >&2; printf three; exit 42");
    let mut client = bench.start(OUTPUT);
    assert_eq!(frames(&mut client), ("one\nthree".into(), "two\n".into()));
    let exit = bench.exited();
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (42, None, false));
    let mut logged = bench.logged();
    logged.sort();
    assert_eq!(logged, entries(&[("stderr", "two\n"), ("stdout", "one\n"), ("stdout", "three")]));
}

#[test]
fn much_output_arrives_whole_though_the_client_is_slow() {
    let mut bench = Bench::shell("flood", "yes 0123456789abcde | head -c 4000000");
    let mut client = bench.start(OUTPUT);
    std::thread::sleep(Duration::from_millis(300));
    let (output, _) = frames(&mut client);
    assert_eq!(output.len(), 4_000_000);
    assert!(output.lines().all(|line| line == "0123456789abcde"));
    assert_eq!(bench.exited().code, 0);
    assert_eq!(bench.logged().len(), 250_000);
}

#[test]
fn a_client_that_left_slows_nobody() {
    let mut bench = Bench::shell("left", "yes 0123456789abcde | head -c 2000000; read line; exit 3");
    bench.plan.stdin = Stdin::Open;
    drop(bench.start(OUTPUT));
    let mut client = bench.attach(Attach { stdin: true, ..Attach::default() });
    client.write_all(b"\n").unwrap();
    assert_eq!(bench.exited().code, 3);
    assert_eq!(bench.logged().len(), 125_000);
}

#[test]
fn half_closing_ends_the_input_of_the_first_client_only() {
    let mut bench = Bench::new("once", &["cat"]);
    bench.plan.stdin = Stdin::Once;
    let mut client = bench.start(ALL);
    client.write_all(&vec![b'x'; 300_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(frames(&mut client).0.len(), 300_000);
    assert_eq!(bench.exited().code, 0);

    let mut bench = Bench::shell("open", "read a; read b; echo $a$b");
    bench.plan.stdin = Stdin::Open;
    let mut first = bench.start(ALL);
    first.write_all(b"one\n").unwrap();
    first.shutdown(Shutdown::Both).unwrap();
    let mut second = bench.attach(ALL);
    second.write_all(b"two\n").unwrap();
    assert_eq!(frames(&mut second).0, "onetwo\n");
    assert_eq!(bench.exited().code, 0);
}

#[test]
fn without_input_the_program_reads_the_end_and_the_client_is_told() {
    let mut bench = Bench::new("closed", &["cat"]);
    let mut client = bench.start(ALL);
    assert_eq!(frames(&mut client), (String::new(), String::new()));
    assert!(client.write_all(b"x").is_err());
    assert_eq!(bench.exited().code, 0);
}

#[test]
fn a_program_that_closes_its_input_does_not_hold_the_client_up() {
    let mut bench = Bench::shell("deaf", "exec 0<&-; sleep 0.2; echo done");
    bench.plan.stdin = Stdin::Once;
    let mut client = bench.start(ALL);
    let mut writer = client.try_clone().unwrap();
    let flood = std::thread::spawn(move || while writer.write_all(&vec![0; 65536]).is_ok() {});
    assert_eq!(frames(&mut client).0, "done\n");
    drop(client);
    flood.join().unwrap();
    assert_eq!(bench.exited().code, 0);
}

#[test]
fn a_terminal_shows_resizes_and_takes_control_characters() {
    let mut bench = Bench::shell(
        "terminal",
        "trap 'stty size; echo changed' WINCH; trap 'echo interrupted; exit 7' INT; stty size; while :; do sleep 0.05; done",
    );
    bench.plan.container.process.terminal = true;
    bench.plan.container.process.console_size = Some((80, 24));
    bench.plan.stdin = Stdin::Open;
    let mut client = bench.start(ALL);
    assert_eq!(until(&mut client, "24 80\r\n"), "24 80\r\n");
    assert_eq!(bench.ask(&Request::Resize { width: 132, height: 50 }, &[]), Event::Done);
    until(&mut client, "50 132\r\nchanged\r\n");
    let mut second = bench.attach(ALL);
    client.write_all(b"\x03").unwrap();
    until(&mut client, "interrupted\r\n");
    assert_eq!(until(&mut second, "interrupted\r\n"), "^Cinterrupted\r\n");
    assert_eq!(bench.exited().code, 7);
    assert!(bench.logged().contains(&("stdout".into(), "50 132\r\n".into())));
}

#[test]
fn a_terminal_that_nobody_has_open_costs_no_processor_time() {
    let mut bench = Bench::shell("idle", "exec 0<&- 1>&- 2>&-; sleep 0.5");
    bench.plan.container.process.terminal = true;
    let _client = bench.start(ALL);
    let monitor = bench.monitor.as_ref().unwrap().id();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
        let after = stat.rsplit(')').next().unwrap().to_owned();
        after.split(' ').skip(12).take(2).map(|field| field.parse::<u64>().unwrap()).sum::<u64>()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_millis(300));
    assert!(ticks() - before <= 2, "{} ticks", ticks() - before);
    assert_eq!(bench.exited().code, 0);
}

#[test]
fn resizing_pipes_and_unknown_signals_are_refused_with_a_reason() {
    let mut bench = Bench::new("refuse", &["sleep", "60"]);
    let _client = bench.start(OUTPUT);
    let Event::Failed(failure) = bench.ask(&Request::Resize { width: 1, height: 1 }, &[]) else { panic!() };
    insta::assert_snapshot!(failure, @"cannot resize the terminal: the container has no terminal");
    let Event::Failed(failure) = bench.ask(&Request::Signal { signo: 99 }, &[]) else { panic!() };
    insta::assert_snapshot!(failure, @"cannot send the signal 99: Invalid argument");
    let Event::Failed(failure) = bench.ask(&Request::Attach(ALL), &[]) else { panic!() };
    insta::assert_snapshot!(failure, @"cannot attach: one socket must come along, not 0");
    assert_eq!(bench.ask(&Request::Signal { signo: 0 }, &[]), Event::Done);
    assert_eq!(bench.ask(&Request::Signal { signo: 9 }, &[]), Event::Done);
    let exit = bench.exited();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
}

#[test]
fn a_container_outlives_its_daemon_and_is_found_again() {
    let mut bench = Bench::shell("reconnect", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done");
    let mut client = bench.start(OUTPUT);
    let mut head = [0; 11];
    client.read_exact(&mut head).unwrap();
    drop(client);
    drop(bench.daemon.take());
    std::thread::sleep(Duration::from_millis(100));

    bench.daemon = Some(Channel::connect(&bench.plan.run).unwrap());
    let second = Channel::connect(&bench.plan.run).unwrap();
    let Event::State(State { id, pid, exit: None, .. }) = bench.ask(&Request::Hello, &[]) else { panic!() };
    assert_eq!(id, "reconnect");
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    let mut client = bench.attach(OUTPUT);
    assert_eq!(bench.ask(&Request::Signal { signo: 15 }, &[]), Event::Done);
    assert_eq!(frames(&mut client).0, "bye\n");
    let exit = bench.exited();
    assert_eq!(exit.code, 9);
    assert_eq!(receive(&second), Event::Exited(exit));
    assert_eq!(bench.logged(), entries(&[("stdout", "up\n"), ("stdout", "bye\n")]));
}

#[test]
fn the_end_is_kept_when_no_daemon_is_there() {
    let mut bench = Bench::shell("absent", "sleep 0.2; exit 5");
    drop(bench.start(OUTPUT));
    drop(bench.daemon.take());
    bench.gone();
    assert_eq!(read_exit(&bench.plan.record).unwrap().unwrap().code, 5);
}

#[test]
fn a_container_that_cannot_be_made_is_told_and_leaves_nothing() {
    let mut bench = Bench::new("missing", &["no-such-program"]);
    bench.plan.cgroup = Some(cgroups::Plan::new("", "skiff-runtime-missing", cgroups::Limits::default()));
    let (_client, theirs) = UnixStream::pair().unwrap();
    let Event::Failed(failure) = bench.ask_to_start(OUTPUT, theirs.into()) else { panic!("it started") };
    insta::assert_snapshot!(failure, @"cannot execute no-such-program: executable file not found in $PATH");
    bench.daemon = None;
    bench.gone();
    assert_eq!(read_exit(&bench.plan.record).unwrap(), None);
}

#[test]
fn a_log_that_cannot_be_opened_stops_the_start() {
    let mut bench = Bench::new("log", &["true"]);
    bench.plan.log = LogFile { path: "/no/such/directory/log".into(), max_size: None, max_files: 1 }.into();
    let (_client, theirs) = UnixStream::pair().unwrap();
    let Event::Failed(failure) = bench.ask_to_start(OUTPUT, theirs.into()) else { panic!("it started") };
    insta::assert_snapshot!(failure, @"cannot open the log /no/such/directory/log: No such file or directory");
}

#[test]
fn the_wrong_first_words_are_answered() {
    for (request, fds) in [(Request::Hello, 0), (Request::Start { plan: Box::default(), attach: vec![ALL] }, 0)] {
        let (daemon, mut monitor) = spawn(&request, &Vec::with_capacity(fds));
        let Event::Failed(Failure { cause, .. }) = receive(&daemon) else { panic!("not refused") };
        assert!(cause.is_some());
        assert!(monitor.wait().unwrap().success());
    }
}

#[test]
fn a_second_process_in_the_same_container() {
    let mut bench = Bench::new("exec", &["sleep", "60"]);
    bench.plan.cgroup = Some(cgroups::Plan::new("", "skiff-runtime-exec", cgroups::Limits::default()));
    let _client = bench.start(OUTPUT);
    let Event::State(State { pid, .. }) = bench.ask(&Request::Hello, &[]) else { panic!() };

    let mut plan = ExecPlan { id: "exec".into(), pid, stdin: Stdin::Once, ..ExecPlan::default() };
    plan.process = bench.plan.container.process.clone();
    plan.process.args =
        ["sh", "-c", "cat; cat /proc/1/cmdline | tr '\\0' ' '; cat /proc/self/cgroup; exit 4"].map(String::from).into();
    plan.cgroup = bench.plan.cgroup.as_ref().map(|cgroup| cgroup.path.clone());
    let run = |plan: &ExecPlan, wants: Attach| {
        let (client, theirs) = UnixStream::pair().unwrap();
        let request = Request::Exec { plan: Box::new(plan.clone()), attach: vec![wants] };
        let (daemon, monitor) = spawn(&request, &[theirs.into()]);
        (client, daemon, monitor)
    };
    let (mut client, daemon, mut monitor) = run(&plan, ALL);
    assert!(matches!(receive(&daemon), Event::Started(_)));
    client.write_all(b"hello ").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let (output, _) = frames(&mut client);
    assert!(output.starts_with("hello sleep 60"), "{output}");
    let group = if output.contains("pids:") { "pids:/\n" } else { "0::/\n" };
    assert!(output.contains(group), "in its group, seen from inside: {output}");
    assert!(matches!(receive(&daemon), Event::Exited(Exit { code: 4, .. })));
    assert!(monitor.wait().unwrap().success());

    plan.process.terminal = true;
    plan.process.args =
        ["sh", "-c", "stty size; test -t 0 && echo terminal; sleep 60 & exit 0"].map(String::from).into();
    plan.process.console_size = Some((100, 30));
    let (mut client, daemon, mut monitor) = run(&plan, OUTPUT);
    let mut output = String::new();
    client.read_to_string(&mut output).unwrap();
    assert_eq!(output, "30 100\r\nterminal\r\n", "the process in the background does not hold the end up");
    assert!(matches!(receive(&daemon), Event::Started(_)));
    assert!(matches!(receive(&daemon), Event::Exited(Exit { code: 0, .. })));
    assert!(monitor.wait().unwrap().success());

    plan.process.args = vec!["/tmp".into()];
    let (_client, daemon, mut monitor) = run(&plan, OUTPUT);
    let Event::Failed(failure) = receive(&daemon) else { panic!("it started") };
    insta::assert_snapshot!(failure, @"cannot execute /tmp: Permission denied");
    assert!(monitor.wait().unwrap().success());

    assert_eq!(bench.ask(&Request::Signal { signo: 9 }, &[]), Event::Done);
    assert_eq!(bench.exited().code, 137);
}

#[test]
fn a_monitor_is_small() {
    let mut bench = Bench::new("small", &["sleep", "60"]);
    bench.plan.container.process.env.extend((0..200).map(|number| format!("VARIABLE_{number}=some value")));
    let _client = bench.start(OUTPUT);
    let monitor = bench.monitor.as_ref().unwrap().id();
    let rollup = PathBuf::from(format!("/proc/{monitor}/smaps_rollup"));
    let private = || {
        let text = std::fs::read_to_string(&rollup).unwrap();
        let of = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
        text.lines().filter(|line| line.starts_with("Private_Dirty")).map(of).sum::<u64>()
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    // The debug build is dynamic and relocated: those pages are its own too. The promise is about the static one.
    let limit = if std::env::var_os("SKIFF_RUNTIME").is_some() { 150 } else { 900 };
    while private() > limit && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(private() <= limit, "{} kB", private());
    assert_eq!(bench.ask(&Request::Signal { signo: 9 }, &[]), Event::Done);
    assert_eq!(bench.exited().code, 137);
}
