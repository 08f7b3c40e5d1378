//! A `skiffd` of the test's own: its own roots, socket, network namespace; the machine as it was when the test ends.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, kill_process};

use crate::parts::{binary, busybox_tar};
use crate::residue::Residue;
use crate::run::{Ran, run};

/// A running daemon. Dropping it stops it and removes its files; [`Daemon::finish`] also proves that nothing is left.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    directory: tempfile::TempDir,
    arguments: Vec<String>,
    residue: Residue,
    _lock: File,
}

impl Daemon {
    /// Starts one with busybox imported as `busybox:latest`.
    pub fn start() -> Self {
        let daemon = Self::bare(&[]);
        let tar = busybox_tar().display().to_string();
        daemon.skiff(&["import", "--change", "CMD [\"sh\"]", &tar, "busybox:latest"]).ok();
        daemon
    }

    /// Starts one with further arguments and no image but its own `hello`.
    pub fn bare(arguments: &[&str]) -> Self {
        Self::launch(arguments, None)
    }

    /// Starts one whose data root is a tmpfs of this many megabytes.
    pub fn on_small_disk(megabytes: u32) -> Self {
        Self::launch(&[], Some(megabytes))
    }

    fn launch(arguments: &[&str], megabytes: Option<u32>) -> Self {
        let lock = machine_lock();
        let directory = tempfile::Builder::new().prefix("skiff-test-").tempdir().expect("a temporary directory");
        let residue = Residue::of_machine(&cgroup_parent(directory.path()));
        if let Some(megabytes) = megabytes {
            mount_small_disk(&directory.path().join("data"), megabytes);
        }
        let arguments: Vec<String> = arguments.iter().map(|&each| each.to_owned()).collect();
        let child = spawn(directory.path(), &arguments, None);
        let mut daemon = Self { child, directory, arguments, residue, _lock: lock };
        daemon.wait_until_ready();
        daemon
    }

    /// Where it keeps everything: `data`, `exec`, `skiff.sock`, `log`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("skiff.sock")
    }

    /// Its process id; also the way into its network namespace.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// `skiff ARGUMENTS` to its end.
    pub fn skiff(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command("skiff", arguments), b"")
    }

    /// The real `docker ARGUMENTS` to its end.
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command("docker", arguments), b"")
    }

    /// `skiff` or `docker` with its `-H` set, not started.
    pub fn command(&self, client: &str, arguments: &[&str]) -> Command {
        let program = if client == "skiff" { binary("skiff") } else { PathBuf::from(client) };
        let mut command = Command::new(program);
        command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.env_remove("DOCKER_HOST").env("DOCKER_CONFIG", self.directory.path().join("client"));
        command
    }

    /// A command in the daemon's network namespace: what its host sees.
    pub fn on_host(&self, words: &[&str]) -> Ran {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.pid().to_string()]).args(words);
        run(&mut command, b"")
    }

    /// Ends the daemon with SIGKILL, as a crash would, and leaves everything else as it is.
    pub fn crash(&mut self) {
        self.keep_namespace();
        self.child.kill().expect("the daemon runs");
        self.child.wait().expect("the daemon is our child");
    }

    /// Starts it again on the same roots, in the same network namespace, after [`Daemon::crash`].
    pub fn restart(&mut self) {
        let namespace = self.directory.path().join("netns");
        self.child = spawn(self.directory.path(), &self.arguments, Some(&namespace));
        self.wait_until_ready();
    }

    /// Stops the daemon and asserts that the machine is as it was before it started.
    #[track_caller]
    pub fn finish(mut self) {
        self.stop();
        let left = self.residue.settle(Duration::from_mins(1));
        assert!(left.is_empty(), "left behind:\n{}\n--- log\n{}", left.join("\n"), self.log());
    }

    fn stop(&mut self) {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default()) {
            let _already_gone = kill_process(pid, Signal::TERM);
        }
        let _reaped = self.child.wait();
        remove_cgroup_parent(&cgroup_parent(self.directory.path()));
        for point in ["netns", "data"] {
            let mut unmount = Command::new("umount");
            let _not_mounted = unmount.arg(self.directory.path().join(point)).stderr(Stdio::null()).status();
        }
    }

    /// Binds the daemon's network namespace to a file, so that it outlives the daemon.
    fn keep_namespace(&self) {
        let file = self.directory.path().join("netns");
        if !file.exists() {
            File::create(&file).expect("a file to bind the namespace on");
            let namespace = format!("/proc/{}/ns/net", self.pid());
            let mounted = Command::new("mount").args(["--bind", &namespace]).arg(&file).status();
            assert!(mounted.is_ok_and(|status| status.success()), "cannot bind {namespace}");
        }
    }

    fn wait_until_ready(&mut self) {
        let end = Instant::now() + Duration::from_mins(1);
        while std::os::unix::net::UnixStream::connect(self.socket()).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("skiffd ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < end, "skiffd does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.remove_containers();
        self.stop();
    }
}

impl Daemon {
    /// Ends what a failed test has left running, so that the next test starts on a clean machine.
    fn remove_containers(&self) {
        if std::thread::panicking() && self.socket().exists() {
            eprintln!("--- log of skiffd\n{}", self.log());
            let ids = self.skiff(&["ps", "-aq"]).stdout;
            for id in ids.split_whitespace() {
                self.skiff(&["rm", "-f", "-v", id]);
            }
        }
    }
}

/// Starts `skiffd` in a new network namespace, or in the one at `namespace`.
fn spawn(directory: &Path, arguments: &[String], namespace: Option<&Path>) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).expect("a log file");
    let mut command = match namespace {
        None => Command::new("unshare"),
        Some(_) => Command::new("nsenter"),
    };
    let flag = namespace.map_or_else(|| "--net".to_owned(), |file| format!("--net={}", file.display()));
    // The shell turns loopback on, then becomes the daemon.
    command.args([flag.as_str(), "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).arg(binary("skiffd"));
    command.arg("--host").arg(format!("unix://{}", directory.join("skiff.sock").display()));
    command.arg("--data-root").arg(directory.join("data")).arg("--exec-root").arg(directory.join("exec"));
    command.arg("--pidfile").arg(directory.join("skiffd.pid")).arg("--cgroup-parent").arg(cgroup_parent(directory));
    command.args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
    command.spawn().expect("skiffd starts")
}

/// Mounts a tmpfs on `directory`.
fn mount_small_disk(directory: &Path, megabytes: u32) {
    std::fs::create_dir(directory).expect("a directory to mount on");
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "skiff-small"]).arg(directory);
    assert!(mount.status().is_ok_and(|status| status.success()), "cannot mount a tmpfs");
}

/// The cgroup below which this daemon's containers have theirs: by it the residue check knows its own.
fn cgroup_parent(directory: &Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Removes the parent itself from every hierarchy. A container's own cgroup in it makes this fail, and the check find it.
fn remove_cgroup_parent(name: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let hierarchies = || std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    let places: Vec<PathBuf> =
        hierarchies().chain([PathBuf::from("/sys/fs/cgroup")]).map(|hierarchy| hierarchy.join(name)).collect();
    // The monitor of the last container gives back its cgroup while the daemon ends: until then this one is not empty.
    while places.iter().any(|place| std::fs::remove_dir(place).is_err() && place.exists()) && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One daemon at a time on this machine: the residue check compares all of it.
fn machine_lock() -> File {
    let file = File::create("/tmp/skiff-tests.lock").expect("a lock file");
    rustix::fs::flock(&file, FlockOperation::LockExclusive).expect("the lock");
    file
}
