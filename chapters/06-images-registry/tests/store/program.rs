//! The chapter's program: from an archive or a registry to a running container.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use images::{ImageConfig, Store};

use super::fixture::{Place, skopeo};
use super::registry::Registry;

/// An image of busybox alone.
fn busybox(place: &Place) -> String {
    let mut layer = tar::Builder::new(Vec::new());
    let program = fs::read("/bin/busybox").expect("this test needs the Debian package busybox-static");
    for directory in ["bin", "proc", "sys", "dev", "etc", "tmp"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        layer.append_data(&mut header, directory, std::io::empty()).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_mode(fs::metadata("/bin/busybox").unwrap().permissions().mode());
    header.set_size(program.len() as u64);
    layer.append_data(&mut header, "bin/busybox", program.as_slice()).unwrap();
    let layer = layer.into_inner().unwrap();
    let mut config = ImageConfig::new(Vec::new());
    config.config.env = vec!["GREETING=hello".into(), "PATH=/bin".into()];
    config.config.entrypoint = Some(vec!["busybox".into()]);
    config.config.cmd = Some(vec!["echo".into(), "the default".into()]);
    config.config.working_dir = "/tmp".into();
    let store = Store::open(&place.path().join("source")).unwrap();
    store.build_from_parts(config, &[&layer], &"busybox".parse().unwrap()).unwrap();
    format!("oci:{}:docker.io/library/busybox:latest", place.path().join("source/images").display())
}

fn program(place: &Place, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_images"));
    command.args(arguments).env("SKIFF_DATA_ROOT", place.root()).output().unwrap()
}

/// Standard output of a success.
fn out(place: &Place, arguments: &[&str]) -> String {
    let output = program(place, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_archive_is_loaded_and_run() {
    let place = Place::new();
    let archive = place.path().join("busybox.tar");
    skopeo(&["copy", "--quiet", &busybox(&place), &format!("docker-archive:{}:busybox:latest", archive.display())]);
    assert_eq!(out(&place, &["run", archive.to_str().unwrap()]), "the default\n");
    assert!(out(&place, &["ls"]).ends_with("  busybox:latest\n"));
    assert_eq!(out(&place, &["run", "busybox", "sh", "-c", "echo $GREETING; pwd; echo $$"]), "hello\n/tmp\n1\n");
    let output = program(&place, &["run", "-v", "data:/d", "busybox", "sh", "-c", "echo kept > /d/x; exit 3"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(out(&place, &["run", "-v", "data:/d", "busybox", "cat", "/d/x"]), "kept\n");
    let left: Vec<_> = fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "besides images, layers and volumes: {left:?}");
}

#[test]
fn a_registry_is_asked_and_run() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    let name = format!("{}/busybox", registry.address);
    skopeo(&["copy", "--quiet", "--dest-tls-verify=false", &busybox(&place), &format!("docker://{name}")]);
    assert_eq!(out(&place, &["run", &name, "echo", "pulled"]), "pulled\n");
    assert!(out(&place, &["pull", &name]).ends_with(&format!("  {name}:latest\n")));
    let output = program(&place, &["run", &format!("{name}:nope"), "true"]);
    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8_lossy(&output.stderr).replace(&registry.address, "REGISTRY");
    insta::assert_snapshot!(said, @r"
    images: cannot use the image: manifest for REGISTRY/busybox:nope not found: manifest unknown: manifest unknown
    Is the tag right? The registry has nothing of this name.
    ");
}
