//! Running the commands of a session by the shell, in which `docker` is the client under test.

use std::path::{Path, PathBuf};
use std::process::Command;

use skiff_tests::run;

use crate::normal;
use crate::script::{Answer, Entry};

/// A client, the daemon it talks to, and a directory to work in.
#[derive(Debug)]
pub(crate) struct Player {
    directory: PathBuf,
    path: String,
    host: String,
}

impl Player {
    /// Makes `program` the `docker` of its sessions.
    pub(crate) fn new(program: PathBuf, socket: &Path, directory: &Path) -> Self {
        let programs = directory.join("programs");
        std::fs::create_dir_all(&programs).unwrap();
        std::os::unix::fs::symlink(program, programs.join("docker")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Self { directory: directory.to_owned(), path, host: format!("unix://{}", socket.display()) }
    }

    /// Runs one command of the session `name`.
    pub(crate) fn play(&self, name: &str, entry: &Entry) -> Entry {
        let work = self.directory.join(name);
        std::fs::create_dir_all(&work).unwrap();
        // What hangs is a wrong answer, too: it ends with 124.
        let mut shell = Command::new("timeout");
        shell.args(["120", "sh", "-c", &entry.command]).current_dir(&work);
        shell.env("PATH", &self.path).env("DOCKER_HOST", &self.host).env("DOCKER_CONFIG", work.join("client"));
        shell.env("NO_COLOR", "1").env("DOCKER_CLI_HINTS", "false").env("LC_ALL", "C").env_remove("DOCKER_CONTEXT");
        shell.env_remove("SKIFF_HOST").env("PWD", &work);
        let ran = run(&mut shell, b"");
        let directory = self.directory.display().to_string();
        let answer = Answer {
            stdout: normal::text(&ran.stdout, &directory),
            stderr: normal::messages(&ran.stderr, &directory),
            status: ran.code,
        };
        entry.answered(answer)
    }
}

/// The real client.
pub(crate) fn docker_on_path() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|directory| directory.join("docker")).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("there is no docker; `cargo xtask test` installs it"))
}

/// `28` for 28.2.2.
pub(crate) fn client_version(docker: &Path) -> String {
    let ran = run(Command::new(docker).arg("--version"), b"");
    let version = ran.ok().split_whitespace().nth(2).unwrap_or_default();
    version.split('.').next().unwrap_or_default().to_owned()
}
