//! `--init`: a first process of ours, with the program as its child.

use std::fs::File;
use std::io::{Read, Write};

use namespaces::{Launch, Namespace, Stdio, launch};
use rustix::process::Signal;

use crate::Test;
use crate::bench::{Image, Output, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("init_has_the_program_as_its_child", child),
    ("init_ends_as_the_program_ends", ends),
    ("init_passes_signals_on", signals),
    ("init_reaps_orphans", orphans),
    ("init_leaves_the_terminal_to_the_program", terminal),
    ("init_tells_why_the_program_did_not_start", failure),
    ("init_without_a_pid_namespace_of_its_own", host_pids),
];

fn image_with(script: &str) -> (Image, namespaces::Container) {
    let image = Image::new();
    let mut container = image.container(script);
    container.init = true;
    (image, container)
}

fn child() {
    let (_image, container) =
        image_with("echo $$; cat /proc/1/comm; ls /proc/1/fd | wc -l; readlink /proc/1/exe || echo hidden");
    assert_eq!(run(&container).lines(), ["2", "init", "0", "hidden"]);
}

fn ends() {
    let (_image, mut container) = image_with("exit 7");
    assert_eq!(run(&container).status, 7);
    container.process.args = ["sh", "-c", "kill -USR1 $$"].map(str::to_owned).to_vec();
    assert_eq!(run(&container).status, 138);
}

/// `sleep` has no handler for any signal: as process 1 it would sleep on.
fn signals() {
    let (_image, container) = image_with("exec sleep 60");
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::USR2, 140), (Signal::KILL, 137)] {
        let running = launch(&container, &mut [], Output::new().options()).unwrap();
        rustix::process::pidfd_send_signal(&running.pidfd, signal).unwrap();
        assert_eq!(running.wait().unwrap(), status);
    }
}

fn orphans() {
    let script = "orphan=$(sh -c 'sleep 0.1 >/dev/null & echo $!'); for turn in $(cat /etc/turns); do \
                  test -e /proc/$orphan || { echo reaped; exit; }; sleep 0.05; done; cat /proc/$orphan/status";
    let (image, container) = image_with(script);
    std::fs::write(image.path().join("etc/turns"), "turn\n".repeat(1000)).unwrap();
    assert_eq!(run(&container).text, "reaped\n");
}

fn terminal() {
    let (_image, container) = image_with("echo ready; exec sleep 60");
    let options = Launch { stdio: Some(Stdio::Terminal), ..Launch::default() };
    let running = launch(&container, &mut [], options).unwrap();
    let mut console = File::from(running.console.as_ref().unwrap().try_clone().unwrap());
    let mut text = [0; 7];
    console.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"ready\r\n");
    console.write_all(b"\x03").unwrap();
    assert_eq!(running.wait().unwrap(), 130);
}

fn failure() {
    let (_image, mut container) = image_with("");
    container.process.args = vec!["no-such-program".into()];
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.exit_status(), 127, "{failure}");
}

fn host_pids() {
    let (_image, mut container) = image_with("grep PPid /proc/self/status | grep -v 'PPid:.1$' | wc -l; exit 3");
    container.namespaces.pid = Namespace::Host;
    let outcome = run(&container);
    assert_eq!((outcome.text.as_str(), outcome.status), ("1\n", 3));
}
