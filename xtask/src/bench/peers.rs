//! The engines of the race: each with roots of its own, in one network namespace, ended when the race is over.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::room::{Daemon, Room, command};
use crate::{fixtures, packages, release, shell};

/// The daemon that races.
pub(super) const SKIFF: &str = "skiff";
/// The daemon that tells where its time goes, which costs time: it does not race.
pub(super) const TELLING: &str = "telling";

/// The engines, running.
pub(crate) struct Peers {
    binaries: PathBuf,
    /// Ended before the room is left.
    daemons: Vec<Daemon>,
    /// Where they run.
    pub(super) room: Room,
    with_podman: bool,
}

impl Peers {
    /// Starts them all; what has no package here is left out with a word.
    pub(crate) fn start() -> Result<Self> {
        for list in [packages::FIXTURES, packages::PEERS, packages::ENGINES] {
            packages::install(list)?;
        }
        let busybox = fixtures::build()?.join("busybox.tar");
        let binaries = release::build()?;
        let mut peers = Self { binaries, daemons: Vec::new(), room: Room::open()?, with_podman: true };
        peers.bundle(&busybox)?;
        peers.start_docker(&busybox)?;
        peers.start_skiff(SKIFF, &[], &busybox)?;
        // Room for as many networks as a benchmark makes.
        let pools = ["--default-address-pool", "base=10.64.0.0/10,size=22"];
        peers.start_skiff(TELLING, &["--debug", pools[0], pools[1]], &busybox)?;
        peers.prepare_podman(&busybox);
        Ok(peers)
    }

    /// `crun run` or `runc run` of the bare bundle.
    pub(crate) fn oci(&self, runtime: &str) -> Vec<String> {
        let bundle = self.room.path("bundle");
        self.room.inside(&[runtime, "run", "--bundle", &bundle, &format!("skiff-bench-{runtime}")])
    }

    /// Our own runtime on the same bundle.
    pub(crate) fn skiff_runtime(&self) -> Vec<String> {
        let (program, bundle) = (self.binaries.join("skiff-runtime"), self.room.path("bundle"));
        let root = self.room.path("skiff-runtime");
        self.room.inside(&[&program.to_string_lossy(), "--root", &root, "run", "--bundle", &bundle, "skiff-bench-own"])
    }

    /// `skiff run --rm` on a network.
    pub(crate) fn skiff(&self, network: &str) -> Vec<String> {
        let mut words = self.skiff_client(SKIFF);
        words.extend(["run", "--rm", "--network", network, "busybox", "true"].map(str::to_owned));
        words
    }

    /// The same on a bridge, by a daemon that logs how long each step took.
    pub(crate) fn telling(&self) -> Vec<String> {
        let mut words = self.skiff_client(TELLING);
        words.extend(["run", "--rm", "busybox", "true"].map(str::to_owned));
        words
    }

    /// What that daemon has logged.
    pub(crate) fn told(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.room.path(&format!("{TELLING}.log")))?)
    }

    /// `docker run --rm` on its default network.
    pub(crate) fn docker(&self) -> Vec<String> {
        let mut words = self.docker_client();
        words.extend(["run", "--rm", "busybox", "true"].map(str::to_owned));
        words
    }

    /// `podman run --rm` on its default network, where podman can run.
    pub(crate) fn podman(&self) -> Option<Vec<String>> {
        let mut words = self.podman_client();
        words.extend(["run", "--rm", "localhost/busybox", "true"].map(str::to_owned));
        self.with_podman.then_some(words)
    }

    // Clients need not enter the namespaces, since they talk over a socket in the file system. They do it all the same,
    // because the bare runtimes must, and it costs about a millisecond.
    pub(super) fn skiff_client(&self, name: &str) -> Vec<String> {
        let program = self.binaries.join("skiff").to_string_lossy().into_owned();
        self.room.inside(&[&program, "-H", &format!("unix://{}", self.room.path(&format!("{name}.sock")))])
    }

    pub(super) fn docker_client(&self) -> Vec<String> {
        self.room.inside(&["docker", "-H", &format!("unix://{}", self.room.path("docker.sock"))])
    }

    fn podman_client(&self) -> Vec<String> {
        let (root, run) = (self.room.path("podman"), self.room.path("podman-run"));
        let config = format!("CONTAINERS_CONF={}", self.room.path("containers.conf"));
        self.room.inside(&["env", &config, "podman", "--root", &root, "--runroot", &run])
    }

    fn bundle(&self, busybox: &Path) -> Result<()> {
        let bundle = PathBuf::from(self.room.path("bundle"));
        std::fs::create_dir_all(bundle.join("rootfs"))?;
        shell::run(Command::new("tar").arg("-C").arg(bundle.join("rootfs")).arg("-xf").arg(busybox))?;
        shell::run(Command::new("runc").args(["spec", "--bundle"]).arg(&bundle))?;
        let file = bundle.join("config.json");
        let mut spec: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let process = spec.pointer_mut("/process").and_then(|each| each.as_object_mut()).context("no process")?;
        process.insert("terminal".into(), false.into());
        process.insert("args".into(), vec!["/bin/true"].into());
        process.remove("rlimits");
        Ok(std::fs::write(&file, serde_json::to_vec(&spec)?)?)
    }

    fn start_docker(&mut self, busybox: &Path) -> Result<()> {
        self.daemons.push(dockerd(&self.room)?);
        let words = self.docker_client();
        shell::output(command(&words)?.arg("import").arg(busybox).arg("busybox:latest")).map(drop)
    }

    fn start_skiff(&mut self, name: &str, flags: &[&str], busybox: &Path) -> Result<()> {
        self.daemons.push(skiffd(&self.room, &self.binaries, name, flags)?);
        let words = self.skiff_client(name);
        shell::output(command(&words)?.arg("import").arg(busybox).arg("busybox:latest")).map(drop)
    }

    /// Podman cannot run everywhere: the race goes on without it, and says why.
    fn prepare_podman(&mut self, busybox: &Path) {
        // Hard limits cannot be raised on every machine.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:2048\", \"nproc=4096:4096\"]\n";
        let written = std::fs::write(self.room.path("containers.conf"), limits);
        let import = command(&self.podman_client()).and_then(|mut each| {
            shell::output(each.args(["import", "-q"]).arg(busybox).arg("localhost/busybox:latest"))
        });
        let tried = written.map_err(anyhow::Error::from).and(import).and_then(|_| {
            let words = self.podman().context("no podman")?;
            shell::output(&mut command(&words)?)
        });
        if let Err(error) = tried {
            eprintln!("podman is left out: {error}");
            self.with_podman = false;
        }
    }
}

/// Starts a dockerd in the room, with `docker.sock`.
pub(super) fn dockerd(room: &Room) -> Result<Daemon> {
    let (data, exec, pid) = (room.path("docker-data"), room.path("docker-exec"), room.path("docker.pid"));
    let socket = format!("unix://{}", room.path("docker.sock"));
    let words = ["dockerd", "--data-root", &data, "--exec-root", &exec, "--pidfile", &pid, "--host", &socket];
    room.daemon("docker", &words, || room.listens("docker.sock"))
}

/// Starts one of our daemons in the room, with `NAME.sock`, or starts it again.
pub(super) fn skiffd(room: &Room, binaries: &Path, name: &str, flags: &[&str]) -> Result<Daemon> {
    let program = binaries.join("skiffd").to_string_lossy().into_owned();
    let [data, exec, pid] = ["data", "exec", "pid"].map(|part| room.path(&format!("{name}-{part}")));
    let socket = format!("{name}.sock");
    let host = format!("unix://{}", room.path(&socket));
    let mut words = vec![&*program, "--data-root", &data, "--exec-root", &exec, "--pidfile", &pid, "--host", &host];
    words.extend(flags);
    room.daemon(name, &words, || room.listens(&socket))
}
