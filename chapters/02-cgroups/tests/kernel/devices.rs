//! Devices that are not on the list cannot be opened, whatever node the container makes.

use std::fs;

use cgroups::{DeviceRule, Limits};

use crate::group::{Group, unique, version_2_tree};

#[test]
fn devices_that_are_not_allowed_cannot_be_opened() {
    let group = Group::new(Limits { devices: Some(DeviceRule::defaults()), ..Limits::default() });
    only_the_defaults(&group);
}

/// Beside version 1 it has no controllers of ours, but asks programs all the same.
#[test]
fn the_version_2_tree_asks_a_program_about_devices() {
    let Some(tree) = version_2_tree() else { return eprintln!("skipped: no version 2 tree") };
    only_the_defaults(&Group::on(tree, Limits { devices: Some(DeviceRule::defaults()), ..Limits::default() }));
}

/// The usual ones open; a node of anything else can be made, and not opened.
fn only_the_defaults(group: &Group) {
    let node = std::env::temp_dir().join(unique());
    let script = format!(
        "echo x > /dev/null && echo null; head -c 1 /dev/urandom > /dev/null && echo random; \
         mknod {0} b 7 200 && echo made; : < {0}",
        node.display()
    );
    let output = group.shell(&script).wait_with_output().unwrap();
    fs::remove_file(&node).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "null\nrandom\nmade\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not permitted"), "{output:?}");
}
