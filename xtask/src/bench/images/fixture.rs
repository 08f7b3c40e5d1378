//! Two images of the same Debian, made, pushed and saved by docker: one layer, and twenty.

use std::path::Path;

use anyhow::Result;

use super::super::paired::timed;
use super::super::room::{Daemon, Room};
use super::Move;
use super::engine::Engine;
use super::ground::{Ground, place, store};

/// The images.
pub(crate) const IMAGES: [&str; 2] = ["debian", "debian-in-20-layers"];

/// The registry; the network namespace is the room's own.
const REGISTRY: &str = "127.0.0.1:5000";

/// Twenty archives, each with a twentieth of the files, and a Dockerfile that puts one over the other.
const SPLIT: &str = "mkdir -p \"$2/tree\" \"$2/context\"; tar -xf \"$1\" -C \"$2/tree\"; cd \"$2/tree\"
    find . -mindepth 1 \\( ! -type d -o -empty \\) | sort > \"$2/list\"; split -d -n l/20 \"$2/list\" \"$2/part\"
    echo FROM scratch > \"$2/context/Dockerfile\"
    for part in \"$2\"/part??; do
        tar --no-recursion --numeric-owner -cf \"$2/context/${part##*/}.tar\" -T \"$part\"
        echo \"ADD ${part##*/}.tar /\" >> \"$2/context/Dockerfile\"
    done";

/// The registry and the archives.
pub(crate) struct Fixture<'a> {
    room: &'a Room,
    _registry: Daemon,
}

impl<'a> Fixture<'a> {
    /// Makes the images from the root file system in the archive `debian`. All is kept in memory, but for the grounds, which
    /// are in `disk` if there is one.
    pub(crate) fn make(room: &'a Room, debian: &Path, disk: Option<&Path>) -> Result<Self> {
        let (memory, store) = (room.path("memory"), store(room));
        room.script("mkdir -p \"$1\" \"$2\"; mount -t tmpfs memory \"$1\"", &[&memory, &store])?;
        match disk {
            Some(disk) => room.script("mount --bind \"$1\" \"$2\"", &[&disk.to_string_lossy(), &store])?,
            None => room.script("mount -t tmpfs store \"$1\"", &[&store])?,
        };
        let fixture = Self { _registry: registry(room, &memory)?, room };
        fixture.fill(debian, &memory)?;
        Ok(fixture)
    }

    fn fill(&self, debian: &Path, memory: &str) -> Result<()> {
        let _ground = Ground::new(self.room)?;
        let docker = Engine::Docker;
        let _daemon = docker.start(self.room)?;
        let socket = self.room.path("docker.sock");
        let [one, twenty] = IMAGES.map(name);
        let debian = debian.to_string_lossy();
        self.room.script(SPLIT, &[&debian, &place(self.room)])?;
        let script = "export DOCKER_HOST=unix://$1 DOCKER_BUILDKIT=0
            docker import \"$2\" \"$3\"; docker build -t \"$4\" \"$5/context\"";
        self.room.script(script, &[&socket, &debian, &one, &twenty, &place(self.room)])?;
        for image in IMAGES {
            timed(&docker.words(self.room, Move::Push, &name(image)))?;
            let save = "docker --host \"unix://$1\" save --output \"$2\" \"$3\"";
            self.room.script(save, &[&socket, &format!("{memory}/{image}.tar"), &name(image)])?;
        }
        Ok(())
    }

    /// The archive of `docker save`.
    pub(crate) fn archive(&self, image: &str) -> String {
        self.room.path(&format!("memory/{image}.tar"))
    }
}

/// Where an image is in the registry.
pub(crate) fn name(image: &str) -> String {
    format!("{REGISTRY}/{image}:latest")
}

/// A name that the registry does not have yet.
pub(crate) fn new_name(image: &str, engine: &Engine, turn: usize) -> String {
    let engine = engine.name();
    format!("{REGISTRY}/pushed/{engine}/{turn}/{image}:latest")
}

/// The registry of Debian's package.
fn registry(room: &Room, memory: &str) -> Result<Daemon> {
    let config = room.path("registry.yml");
    let storage = format!("storage: {{filesystem: {{rootdirectory: {memory}/registry}}}}");
    std::fs::write(&config, format!("version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: {REGISTRY}}}\n"))?;
    let ready = || room.script("curl -sf \"http://$1/v2/\"", &[REGISTRY]).is_ok();
    room.daemon("registry", &["docker-registry", "serve", &config], ready)
}
