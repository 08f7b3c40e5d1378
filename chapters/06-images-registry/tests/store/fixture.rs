//! Small images, and a data directory of its own for each test.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use images::{Digest, Event, Image, ImageConfig, Store};

/// Nobody listens.
pub(crate) fn quiet(_: Event) {}

/// A data directory.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.root()).unwrap()
    }

    /// Names of the blobs, of the layers, and of what is unfinished.
    pub(crate) fn residue(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let names = |directory: &str| {
            let entries = fs::read_dir(self.root().join(directory)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        (names("images/blobs/sha256"), names("layers"), names("images/unfinished"))
    }

    pub(crate) fn assert_empty(&self) {
        let (blobs, layers, unfinished) = self.residue();
        assert!(blobs.is_empty() && layers.is_empty() && unfinished.is_empty(), "{blobs:?} {layers:?} {unfinished:?}");
    }
}

/// A layer of these files.
pub(crate) fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A layer with a member that nobody understands.
pub(crate) fn odd_layer() -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path("x").unwrap();
    header.set_entry_type(tar::EntryType::new(b'V'));
    header.set_size(0);
    header.set_cksum();
    [header.as_bytes().as_slice(), &[0; 1024]].concat()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The configuration for these layers. The text makes images of the same layers differ.
pub(crate) fn config(text: &str, layers: &[Vec<u8>]) -> ImageConfig {
    let mut config = ImageConfig::new(layers.iter().map(|layer| Digest::of(layer)).collect());
    config.config.cmd = Some(vec!["/bin/sh".into(), "-c".into(), text.into()]);
    config
}

/// Makes an image of two layers; the lower one is the same for all.
pub(crate) fn make(store: &Store, name: &str) -> Image {
    let layers = [layer(&[("etc/base", "the same")]), layer(&[("etc/name", name)])];
    let parts: Vec<_> = layers.iter().map(Vec::as_slice).collect();
    store.build_from_parts(config(name, &layers), &parts, &name.parse().unwrap()).unwrap()
}

/// Runs a program from a Debian package; fails with the package's name when it is not there.
pub(crate) fn run(package: &str, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}. It is in the Debian package {package}."));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn skopeo(arguments: &[&str]) -> String {
    run("skopeo", "skopeo", arguments)
}
