//! The store itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use images::{Kind, Reference, Removed, Store, User};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::fixture::{Place, config, layer, make, skopeo};

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

#[test]
fn names_lead_to_images() {
    let place = Place::new();
    let store = place.store();
    let (one, two) = (make(&store, "one"), make(&store, "localhost:5000/two:v2"));
    assert_eq!(store.resolve("one").unwrap(), store.resolve("docker.io/library/one:latest").unwrap());
    assert_eq!(store.resolve("localhost:5000/two:v2").unwrap().id, two.id);
    let hex = one.id.hex();
    for text in [&one.id.to_string(), &hex, &hex[..12], &format!("sha256:{}", &hex[..20])] {
        assert_eq!(store.resolve(text).unwrap().id, one.id, "{text}");
    }
    let error =
        |text: &str| store.resolve(text).map(|image| image.id).map_err(|error| (error.kind(), error.to_string()));
    assert_eq!(error("nope").unwrap_err(), (Kind::NotFound, "No such image: nope:latest".into()));
    assert_eq!(error("localhost:5000/two").unwrap_err().1, "No such image: localhost:5000/two:latest");
    assert_eq!(error("Bad").unwrap_err().0, Kind::Invalid);
    // The same content under the name of another repository is not what was asked for.
    assert_eq!(error(&format!("two@{}", two.manifest.digest)).unwrap_err().0, Kind::NotFound);
    store.tag(&one.id, &name("two:v2")).unwrap();
    store.tag(&two.id, &name("two:v2")).unwrap();
    assert_eq!(store.resolve("two:v2").unwrap().id, two.id, "the tag has moved");
    assert_eq!(store.list().len(), 2);
    assert_eq!(store.lowers(&one).len(), 2);
    assert_eq!(fs::read_to_string(store.lowers(&one)[0].join("etc/name")).unwrap(), "one");
    assert_eq!(one.layers[0], two.layers[0], "the lower layer is shared");
}

#[test]
fn everything_is_still_there_the_next_time() {
    let place = Place::new();
    let (store, before) = {
        let store = place.store();
        make(&store, "one");
        make(&store, "two");
        store.tag(&store.resolve("one").unwrap().id, &name("other:tag")).unwrap();
        let before = store.list();
        drop(store);
        (place.store(), before)
    };
    assert_eq!(store.list(), before);
    assert!(store.problems().is_empty());
    let second = Store::open(&place.root()).unwrap_err();
    assert_eq!(second.kind(), Kind::Conflict);
    assert!(second.to_string().contains("another process uses them") && second.hint().unwrap().contains("--data-root"));
}

#[test]
fn skopeo_reads_the_store_as_it_stands() {
    let place = Place::new();
    let image = make(&place.store(), "one");
    let layout = format!("oci:{}:docker.io/library/one:latest", place.root().join("images").display());
    let inspected = skopeo(&["inspect", "--format", "{{.Digest}}", &layout]);
    assert_eq!(inspected.trim(), image.manifest.digest.to_string());
}

#[test]
fn removal_takes_what_nobody_else_needs() {
    let place = Place::new();
    let store = place.store();
    let (one, two) = (make(&store, "one"), make(&store, "two"));
    store.tag(&one.id, &name("more")).unwrap();
    assert_eq!(store.remove("one", false, &[]).unwrap(), [Removed::Untagged(name("one:latest"))]);
    let removed = store.remove("more", false, &[]).unwrap();
    let upper = Removed::Deleted(one.layers[1]);
    assert_eq!(removed, [Removed::Untagged(name("more:latest")), Removed::Deleted(one.id), upper]);
    assert!(store.lowers(&two)[1].join("etc/base").exists(), "the shared layer is still needed");
    assert_eq!(store.remove(&two.id.short(), false, &[]).unwrap().len(), 4);
    place.assert_empty();
    assert_eq!(store.remove("two", false, &[]).unwrap_err().to_string(), "No such image: two:latest");
}

#[test]
fn the_layers_of_a_container_outlive_its_image() {
    let place = Place::new();
    let store = place.store();
    let image = make(&store, "one");
    let used = [User { image: image.id, container: "c0ffee".to_owned(), running: false }];
    let conflict = store.remove("one", false, &used).unwrap_err();
    assert_eq!(conflict.kind(), Kind::Conflict);
    store.remove("one", true, &used).unwrap();
    assert!(store.list().is_empty() && store.resolve(&image.id.to_string()).is_err());
    assert!(store.lowers(&image)[0].exists() && store.get(&image.id).is_ok());
    drop(store);
    let store = place.store();
    store.collect(&used).unwrap();
    assert!(store.lowers(&image)[0].exists());
    store.collect(&[]).unwrap();
    place.assert_empty();
}

#[test]
fn what_a_crash_leaves_is_swept() {
    let place = Place::new();
    let image = {
        let store = place.store();
        make(&store, "lost");
        let image = make(&store, "kept");
        // As if the process had died before it wrote the index.
        let index = place.root().join("images/index.json");
        let text = fs::read_to_string(&index).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["manifests"].as_array_mut().unwrap().retain(|line| line.to_string().contains("kept"));
        fs::write(&index, value.to_string()).unwrap();
        fs::write(place.root().join("images/unfinished/7"), "half a blob").unwrap();
        fs::create_dir_all(place.root().join("layers/.new-1-1/diff/etc")).unwrap();
        image
    };
    let store = place.store();
    assert_eq!(store.list(), std::slice::from_ref(&image));
    store.sweep(std::time::Duration::ZERO).unwrap();
    let (blobs, layers, unfinished) = place.residue();
    assert_eq!((blobs.len(), layers.len(), unfinished.len()), (4, 2, 0));
    assert_eq!(store.resolve("kept").unwrap(), image);
}

#[test]
fn a_lost_layer_is_unpacked_again_and_a_damaged_blob_is_told() {
    let place = Place::new();
    let good = make(&place.store(), "good");
    let bad = make(&place.store(), "bad");
    fs::remove_dir_all(place.root().join("layers").join(good.layers[1].hex())).unwrap();
    fs::write(place.root().join("images/blobs/sha256").join(bad.id.hex()), "{}").unwrap();
    let store = place.store();
    assert_eq!(store.list(), std::slice::from_ref(&good));
    assert!(store.lowers(&good)[0].join("etc/name").exists());
    assert!(store.problems()[0].to_string().contains("its content has changed on the disk"), "{:?}", store.problems());
}

#[test]
fn other_users_of_the_machine_stay_out() {
    let place = Place::new();
    make(&place.store(), "one");
    for directory in ["images", "layers"] {
        let mode = fs::metadata(place.root().join(directory)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{directory}");
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let place = Place::new();
    let root = place.root();
    fs::create_dir(&root).unwrap();
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>).unwrap();
        mount(Some("skiff-test"), &root, Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
        let store = Store::open(&root).unwrap();
        let layers = [layer(&[("big", &"x".repeat(700_000))])];
        let parts: Vec<_> = layers.iter().map(Vec::as_slice).collect();
        let error = store.build_from_parts(config("big", &layers), &parts, &name("big")).unwrap_err();
        assert_eq!(error.kind(), Kind::NoSpace, "{error}");
        assert!(error.to_string().ends_with("No space left on device"), "{error}");
        assert!(error.hint().unwrap().starts_with("Free some space"), "{error}");
        let error =
            store.import(layer(&[("big", &"x".repeat(2_000_000))]).as_slice(), images::Import::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::NoSpace, "{error}");
        assert!(store.list().is_empty());
        assert_eq!(fs::read_dir(root.join("images/unfinished")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(root.join("layers")).unwrap().count(), 0);
        let small = [layer(&[("small", "x")])];
        let parts: Vec<_> = small.iter().map(Vec::as_slice).collect();
        store.build_from_parts(config("small", &small), &parts, &name("small")).unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn many_threads_at_once() {
    let place = Place::new();
    let store = place.store();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..4 {
                    let name = format!("image{}", (number + turn) % 3);
                    let image = make(store, &name);
                    assert!(
                        store.lowers(&image).iter().all(|lower| lower.exists()),
                        "a layer of a new image is missing"
                    );
                    let _ = store.remove(&name, true, &[]);
                }
            });
        }
    });
    for image in store.list() {
        store.remove(&image.id.to_string(), true, &[]).unwrap();
    }
    place.assert_empty();
}
