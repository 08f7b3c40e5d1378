//! The bench on which a test lays a container: a root file system of busybox, and a way to see what came out.

use std::fs;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use namespaces::{Container, Launch, Mount, Result, Running, Stage, Stdio, launch};
use tempfile::TempDir;

/// A directory with busybox and the files of a small image, removed at the end.
pub(crate) struct Image {
    directory: TempDir,
}

impl Image {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-namespaces-").tempdir().unwrap();
        let root = directory.path();
        for path in ["bin", "etc", "tmp", "root", "home/web"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("these tests need the package busybox-static");
        let applets = "sh cat ls id echo env hostname ps grep readlink touch mkdir mount umount unshare stat sleep test tty \
                       stty kill yes head wc pwd find dd nsenter true false sort";
        for applet in applets.split_whitespace() {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n")
            .unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\nweb:x:1000:\nstaff:x:50:root,web\n").unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A default container that runs `script`.
    pub(crate) fn container(&self, script: &str) -> Container {
        let mut container = Container::with_defaults(self.path());
        container.process.args = ["sh", "-c", script].map(str::to_owned).to_vec();
        container
    }

    /// What `script` prints in a default container.
    pub(crate) fn prints(&self, script: &str) -> String {
        run(&self.container(script)).text
    }

    /// A default container that runs a Perl script, by the host's Perl: what can make any system call and is on every Debian.
    pub(crate) fn perl(&self, script: &str) -> Container {
        let mut container = self.container("");
        for link in ["lib", "lib64"] {
            symlink(Path::new("usr").join(link), self.path().join(link)).unwrap();
        }
        container.mounts.push(Mount::bind("/usr", "/usr"));
        container.process.args = ["/usr/bin/perl", "-e", script].map(str::to_owned).to_vec();
        container
    }
}

/// What came out of a container.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) status: u8,
}

impl Outcome {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }
}

/// Runs it to its end.
pub(crate) fn run(container: &Container) -> Outcome {
    try_run(container).unwrap_or_else(|failure| panic!("{failure}: {failure:?}"))
}

pub(crate) fn try_run(container: &Container) -> Result<Outcome> {
    let output = Output::new();
    let running = launch(container, &mut [], output.options())?;
    Ok(output.of(&running))
}

pub(crate) fn run_with(container: &Container, stages: &mut [Box<dyn Stage>]) -> Result<Outcome> {
    let output = Output::new();
    let running = launch(container, stages, output.options())?;
    Ok(output.of(&running))
}

/// A file that is standard output and error.
pub(crate) struct Output {
    file: fs::File,
}

impl Output {
    pub(crate) fn new() -> Self {
        let file = tempfile::tempfile().unwrap();
        // A program that opens /dev/stdout again writes where the others have stopped.
        rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND).unwrap();
        Self { file }
    }

    pub(crate) fn options(&self) -> Launch {
        let null: OwnedFd = fs::File::open("/dev/null").unwrap().into();
        let same = || self.file.as_fd().try_clone_to_owned().unwrap();
        Launch { stdio: Some(Stdio::Files([null, same(), same()])), ..Launch::default() }
    }

    /// What is in the file when the program has ended.
    pub(crate) fn of(mut self, running: &Running) -> Outcome {
        let status = running.wait().unwrap();
        let mut text = String::new();
        self.file.rewind().unwrap();
        self.file.read_to_string(&mut text).unwrap();
        Outcome { text, status }
    }

    /// What is in the file by now.
    pub(crate) fn so_far(&mut self) -> String {
        let mut text = String::new();
        self.file.rewind().unwrap();
        self.file.read_to_string(&mut text).unwrap();
        text
    }
}

/// A container that sleeps until the test is over.
pub(crate) struct Sleeper {
    pub(crate) running: Running,
    _image: Image,
}

impl Sleeper {
    pub(crate) fn start(change: impl FnOnce(&mut Container)) -> Self {
        let image = Image::new();
        let mut container = image.container("exec sleep 60");
        change(&mut container);
        let running = launch(&container, &mut [], Output::new().options()).unwrap();
        Self { running, _image: image }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.running.pid.as_raw_pid()
    }

    pub(crate) fn namespace(&self, link: &str) -> PathBuf {
        format!("/proc/{}/ns/{link}", self.pid()).into()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = rustix::process::pidfd_send_signal(&self.running.pidfd, rustix::process::Signal::KILL);
        // Whatever has entered it and was not waited for, because a test failed, would keep it from ending.
        while rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok() {}
    }
}
