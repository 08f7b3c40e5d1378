//! A path that is looked at and then used by name can be exchanged in between by another container with the same volume.
//! `SKIFF_SOAK=1` makes the rounds many.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use skiff_tests::Bundle;

fn rounds() -> u32 {
    if std::env::var_os("SKIFF_SOAK").is_some() { 2_000 } else { 25 }
}

/// Runs containers that mount something at `/volume/place/inner` while the place changes from a directory into a link that
/// leads to a directory of the host and back, and looks whether anything appeared there.
#[test]
fn a_mount_point_that_becomes_a_link_leads_nowhere() {
    let bundle = Bundle::new("true");
    let (volume, outside) = (bundle.directory().join("volume"), bundle.directory().join("outside"));
    fs::create_dir(&volume).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::create_dir(volume.join("a")).unwrap();
    symlink("../../outside", volume.join("b")).unwrap();
    symlink(&outside, volume.join("c")).unwrap();
    let bundle = bundle
        .mount(json!({ "destination": "/volume", "type": "bind", "source": volume, "options": ["rbind"] }))
        .mount(json!({ "destination": "/volume/place/inner", "type": "tmpfs", "source": "tmpfs" }));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                exchange(&volume);
            }
        });
        for _ in 0..rounds() {
            let _refused_or_not = bundle.run();
            assert!(fs::read_dir(&outside).unwrap().next().is_none(), "something was made on the host");
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// Puts a directory, a link up and a link by its whole path in the place, one after the other, each by rename.
fn exchange(volume: &Path) {
    for name in ["a", "b", "c"] {
        let (one, place) = (volume.join(name), volume.join("place"));
        let _made_by_the_runtime_meanwhile = fs::rename(&one, &place);
        std::thread::yield_now();
        let _taken_back = fs::rename(&place, &one);
    }
}
