//! The Debian packages that tests need.
//!
//! Tests use the real parts of the field as peers and never skip silently, so what they need is installed by name. On a
//! machine without apt the missing programs are named instead.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// A package and a file that it brings.
pub(crate) type Package = (&'static str, &'static str);

/// What running a container needs besides the kernel: the rules of a bridge network are loaded by `nft`.
pub(crate) const RUN: &[Package] = &[("nftables", "/usr/sbin/nft")];

/// What the images that tests run are made from.
pub(crate) const FIXTURES: &[Package] = &[("busybox-static", "/bin/busybox"), ("debootstrap", "/usr/sbin/debootstrap")];

/// What tests run beside or against Skiff.
pub(crate) const PEERS: &[Package] = &[
    ("iproute2", "/usr/sbin/ip"),
    ("nftables", "/usr/sbin/nft"),
    ("skopeo", "/usr/bin/skopeo"),
    ("umoci", "/usr/bin/umoci"),
    ("docker.io", "/usr/sbin/dockerd"),
    ("docker-registry", "/usr/bin/docker-registry"),
    ("crun", "/usr/bin/crun"),
    ("runc", "/usr/sbin/runc"),
    ("curl", "/usr/bin/curl"),
    ("strace", "/usr/bin/strace"),
    ("openssl", "/usr/bin/openssl"),
    ("strace", "/usr/bin/strace"),
    ("python3-docker", "/usr/lib/python3/dist-packages/docker/__init__.py"),
    ("docker-compose", "/usr/bin/docker-compose"),
];

/// What the book is looked at with: Chromium without windows.
pub(crate) const BROWSER: &[Package] = &[("chromium-headless-shell", "/usr/bin/chromium-headless-shell")];

/// What only benchmarks need: whole engines.
pub(crate) const ENGINES: &[Package] = &[
    ("docker.io", "/usr/sbin/dockerd"),
    ("podman", "/usr/bin/podman"),
    ("conmon", "/usr/bin/conmon"),
    ("netavark", "/usr/lib/podman/netavark"),
    ("iptables", "/usr/sbin/iptables"),
    ("iperf3", "/usr/bin/iperf3"),
];

/// The docker client: the one that is there, or Debian's.
pub(crate) const CLIENT: Package = ("docker.io", "docker");

/// Installs those that are missing, and says which.
pub(crate) fn install(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().filter(|(_, file)| !present(file)).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !shell::on_path("apt-get") {
        bail!("these are missing and there is no apt-get to install them: {}", missing.join(", "));
    }
    eprintln!("Installing with apt-get: {}", missing.join(" "));
    shell::run(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
    shell::run(&mut install)?;
    if let Some((name, file)) = packages.iter().find(|(_, file)| !present(file)) {
        bail!("package {name} is installed, but {file} is not there");
    }
    Ok(())
}

fn present(file: &str) -> bool {
    if file.starts_with('/') { std::path::Path::new(file).exists() } else { shell::on_path(file) }
}
