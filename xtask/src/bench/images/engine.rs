//! The contestants. Each keeps everything on the ground.

use std::path::PathBuf;

use anyhow::Result;

use super::super::room::{Daemon, Room};
use super::Move;
use super::ground::place;

/// What the others are compared with.
pub(crate) const DOCKER: &str = "docker";

/// Fetches to a directory of blobs, and untars them one over the other in the order of the manifest.
const SKOPEO: &str = "cd \"$1\"; skopeo copy -q --src-tls-verify=false \"docker://$2\" dir:copied; mkdir root
    tr -d '\\n' < copied/manifest.json | grep -o 'tar.gzip[^}]*' | grep -o '[0-9a-f]\\{64\\}' > layers
    while read -r layer; do tar -xzf \"copied/$layer\" -C root; done < layers; test -e root/etc/passwd; sync -f root";

/// One of them.
pub(crate) enum Engine {
    /// Ours; where its binaries are.
    Skiff(PathBuf),
    Docker,
    Podman,
    Skopeo,
}

impl Engine {
    pub(crate) fn all(binaries: PathBuf) -> Vec<Self> {
        vec![Self::Skiff(binaries), Self::Docker, Self::Podman, Self::Skopeo]
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Skiff(_) => "skiff",
            Self::Docker => DOCKER,
            Self::Podman => "podman",
            Self::Skopeo => "skopeo copy, tar",
        }
    }

    /// Skopeo keeps no images.
    pub(crate) fn can(&self, what: Move) -> bool {
        what == Move::Pull || !matches!(self, Self::Skopeo)
    }

    /// Starts its daemon, if it has one.
    pub(crate) fn start(&self, room: &Room) -> Result<Option<Daemon>> {
        let (program, more): (_, &[&str]) = match self {
            Self::Skiff(binaries) => (binaries.join("skiffd").to_string_lossy().into_owned(), &[]),
            Self::Docker => ("dockerd".to_owned(), &["--bridge", "none", "--iptables=false"]),
            Self::Podman | Self::Skopeo => return Ok(None),
        };
        let (ground, socket) = (place(room), format!("{}.sock", self.name()));
        let [data, exec, pid] = ["data", "exec", "pid"].map(|part| format!("{ground}/{part}"));
        let host = format!("unix://{}", room.path(&socket));
        let words = [&program, "--data-root", &data, "--exec-root", &exec, "--pidfile", &pid, "--host", &host];
        room.daemon(self.name(), &[&words, more].concat(), || room.listens(&socket)).map(Some)
    }

    /// The command that moves `object`, which is the name of an image or the path of an archive.
    pub(crate) fn words(&self, room: &Room, what: Move, object: &str) -> Vec<String> {
        let words: &[&str] = match (self, what) {
            (Self::Skopeo, _) => return room.inside(&["sh", "-ec", SKOPEO, "sh", &place(room), object]),
            (Self::Podman, Move::Pull) => &["pull", "--quiet", "--tls-verify=false"],
            (Self::Podman, Move::Push) => &["push", "--quiet", "--tls-verify=false"],
            (_, Move::Pull) => &["pull", "--quiet"],
            (_, Move::Push) => &["push", "--quiet"],
            (_, Move::Load) => &["load", "--quiet", "--input"],
        };
        self.client(room, &[words, &[object]].concat())
    }

    /// The command that gives an image another name.
    pub(crate) fn tag(&self, room: &Room, name: &str, other: &str) -> Vec<String> {
        self.client(room, &["tag", name, other])
    }

    fn client(&self, room: &Room, words: &[&str]) -> Vec<String> {
        let host = format!("unix://{}", room.path(&format!("{}.sock", self.name())));
        let ground = place(room);
        let [data, exec] = ["data", "exec"].map(|part| format!("{ground}/{part}"));
        match self {
            Self::Skiff(binaries) => {
                room.inside(&[&[&*binaries.join("skiff").to_string_lossy(), "--host", &host], words].concat())
            }
            Self::Podman => room.inside(&[&["podman", "--root", &data, "--runroot", &exec], words].concat()),
            Self::Docker | Self::Skopeo => room.inside(&[&["docker", "--host", &host], words].concat()),
        }
    }
}
