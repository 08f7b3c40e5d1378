//! Debian's kernel for virtual machines: small, and with everything that an engine needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The modules that the guest loads, each after those that it needs. A part that is built in has no file and needs none.
const MODULES: &[&str] = &["virtio_blk", "overlay", "veth", "llc", "stp", "bridge"];

/// A kernel, unpacked.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// `6.12.107+deb12-cloud-amd64`.
    pub(crate) release: String,
    /// What boots.
    pub(crate) image: PathBuf,
    /// Names and files of its modules, ready to be loaded in this order.
    pub(crate) modules: Vec<(&'static str, PathBuf)>,
}

/// The newest one that apt knows, downloaded and unpacked into `directory` unless it is there. Without a network, whatever
/// is there.
pub(crate) fn fetch(directory: &Path) -> Result<Kernel> {
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    if let Some(kernel) = newest_of(directory)? {
        return Ok(kernel);
    }
    let scratch = tempfile::tempdir_in(directory)?;
    // What apt knows may be out of date: the archive keeps only the newest.
    let package = download(scratch.path()).or_else(|_| {
        shell::run(Command::new("apt-get").args(["update", "-qq"]))?;
        download(scratch.path())
    })?;
    let archive = std::fs::read_dir(scratch.path())?.flatten().map(|entry| entry.path());
    let archive = archive.into_iter().find(|path| path.extension().is_some_and(|name| name == "deb"));
    let unpacked = scratch.path().join("unpacked");
    shell::run(
        Command::new("dpkg-deb").arg("-x").arg(archive.context("apt has downloaded no package")?).arg(&unpacked),
    )?;
    keep(&unpacked, &directory.join(package.trim_start_matches("linux-image-")))?;
    newest_of(directory)?.context("the kernel's package has no kernel in it")
}

/// Downloads the newest package that apt knows, and returns its name.
fn download(to: &Path) -> Result<String> {
    let package = newest_package()?.context("apt knows no linux-image-*-cloud-amd64 to run the guest with")?;
    eprintln!("Fetching the guest's kernel: {package}");
    // apt drops its rights to download, and then may not write here; as root it warns and goes on.
    shell::run(Command::new("apt-get").args(["download", "-qq", &package]).current_dir(to))?;
    Ok(package)
}

/// Takes what is used out of the unpacked package, and gives it its final name when it is complete.
fn keep(unpacked: &Path, kept: &Path) -> Result<()> {
    let partial = unpacked.join("kept");
    std::fs::create_dir_all(&partial)?;
    let boot = std::fs::read_dir(unpacked.join("boot")).context("the kernel's package has no /boot")?.flatten();
    let image = boot.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("vmlinuz-"));
    std::fs::rename(image.context("the kernel's package has no vmlinuz")?, partial.join("vmlinuz"))?;
    for name in MODULES {
        let mut find = Command::new("find");
        find.arg(unpacked.join("lib/modules")).args(["-name", &format!("{name}.ko*")]);
        let found = shell::output(&mut find)?;
        let Some(found) = found.lines().next() else { continue };
        let module = partial.join(format!("{name}.ko"));
        if Path::new(found).extension().is_some_and(|name| name == "xz") {
            let plain = std::fs::File::create(&module)?;
            shell::run(Command::new("/bin/busybox").args(["unxz", "-c", found]).stdout(plain))?;
        } else {
            std::fs::copy(found, &module)?;
        }
    }
    let _an_older_attempt = std::fs::remove_dir_all(kept);
    std::fs::rename(&partial, kept).with_context(|| format!("cannot keep the kernel in {}", kept.display()))
}

/// The newest of the kernels that are kept.
fn newest_of(directory: &Path) -> Result<Option<Kernel>> {
    let entries = std::fs::read_dir(directory)?.flatten();
    let names = entries.filter(|entry| entry.path().join("vmlinuz").exists());
    let names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let Some(release) = names.into_iter().max_by_key(|name| numbers(name)) else { return Ok(None) };
    let home = directory.join(&release);
    let modules = MODULES.iter().map(|name| (*name, home.join(format!("{name}.ko"))));
    let modules = modules.filter(|(_, file)| file.exists()).collect();
    Ok(Some(Kernel { image: home.join("vmlinuz"), release, modules }))
}

fn newest_package() -> Result<Option<String>> {
    if !shell::on_path("apt-cache") {
        bail!("the guest's kernel comes from Debian's archive, and there is no apt-cache here");
    }
    let known =
        shell::output(Command::new("apt-cache").args(["search", "--names-only", "^linux-image-.*-cloud-amd64$"]))?;
    let names = known.lines().filter_map(|line| line.split(' ').next());
    Ok(names.filter(|name| !numbers(name).is_empty()).max_by_key(|name| numbers(name)).map(str::to_owned))
}

/// The numbers before the architecture: `linux-image-6.12.107+deb12-cloud-amd64` is 6, 12, 107, 12.
fn numbers(name: &str) -> Vec<u64> {
    let version = name.trim_end_matches("-cloud-amd64");
    version.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn newer_is_greater() {
        assert_eq!(numbers("linux-image-6.12.107+deb12-cloud-amd64"), [6, 12, 107, 12]);
        assert!(numbers("linux-image-6.1.0-48-cloud-amd64") < numbers("linux-image-6.12.9+deb12-cloud-amd64"));
        assert_eq!(numbers("linux-image-cloud-amd64"), [0_u64; 0]);
    }
}
