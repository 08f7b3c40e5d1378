//! What strangers write, damaged at random: archives, manifests and configurations, references. Each is a target of its own
//! with the law that whatever comes in, nobody panics, and what is accepted means one thing.
//!
//! Some hundred cases of each in every run, in a bounded time; many more with `SKIFF_SOAK=1`. The damage is done to
//! honest input, because what is random from the first byte on never gets past the first check.

use std::cell::Cell;

use images::manifest::Document;
use images::{ImageConfig, Platform, Reference};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::archives::archive;
use super::fixture::{Place, config, gzip, layer, quiet};

/// How often a target is tried: in every run, and when somebody has time.
fn runner(cases: u32, soak: u32) -> TestRunner {
    let cases = if std::env::var("SKIFF_SOAK").is_ok() { soak } else { cases };
    TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() })
}

/// One change of an archive.
#[derive(Debug, Clone)]
enum Damage {
    /// A byte becomes another.
    Byte(Index, u8),
    /// A number in a header, where the lengths are, becomes another.
    Size(Index, u64),
    /// A block comes once more, or is missing, or changes places with another.
    Twice(Index),
    Gone(Index),
    Swapped(Index, Index),
    /// The rest is missing.
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let numbers =
        prop_oneof![Just(0), Just(1), Just(511), Just(u64::MAX), Just(1 << 33), Just(0o77_777_777_777), any::<u64>()];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        2 => (any::<Index>(), numbers).prop_map(|(at, number)| Damage::Size(at, number)),
        1 => any::<Index>().prop_map(Damage::Twice),
        1 => any::<Index>().prop_map(Damage::Gone),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Damage::Swapped(one, other)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

/// The checksum of a header is put right, or every damage of one would end there.
fn mend(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn damaged(bytes: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut blocks: Vec<[u8; 512]> = bytes.chunks_exact(512).map(|block| block.try_into().unwrap()).collect();
    let mut length = usize::MAX;
    for damage in damages {
        let count = blocks.len();
        if count == 0 {
            break;
        }
        match damage {
            Damage::Byte(at, byte) => {
                let at = at.index(count * 512);
                blocks[at / 512][at % 512] = *byte;
                mend(&mut blocks[at / 512]);
            }
            Damage::Size(at, number) => {
                let block = &mut blocks[at.index(count)];
                // Octal as far as it fits, and in base 256 beyond that, as GNU tar writes it.
                let octal = format!("{number:011o}\0");
                if octal.len() == 12 {
                    block[124..136].copy_from_slice(octal.as_bytes());
                } else {
                    block[124..136].fill(0);
                    block[124] = 0x80;
                    block[128..136].copy_from_slice(&number.to_be_bytes());
                }
                mend(block);
            }
            Damage::Twice(at) => {
                let at = at.index(count);
                blocks.insert(at, blocks[at]);
            }
            Damage::Gone(at) => drop(blocks.remove(at.index(count))),
            Damage::Swapped(one, other) => blocks.swap(one.index(count), other.index(count)),
            Damage::Cut(at) => length = at.index(count * 512),
        }
    }
    let mut bytes = blocks.concat();
    bytes.truncate(length);
    bytes
}

/// Archives of each kind that `load` reads, with two images each.
fn honest() -> Vec<Vec<u8>> {
    let (base, top) = (layer(&[("etc/base", "x")]), gzip(&layer(&[("etc/.wh.base", ""), ("etc/name", "top")])));
    let plain = layer(&[("etc/.wh.base", ""), ("etc/name", "top")]);
    let json = serde_json::to_vec(&config("x", &[base.clone(), plain])).unwrap();
    let list = br#"[{"Config":"c","RepoTags":["a:1","b:2"],"Layers":["l","m"]},{"Config":"c","Layers":["l","m"]}]"#;
    let docker = archive(&[("l", &base), ("m", &top), ("c", &json), ("manifest.json", list)]);
    let oldest = archive(&[
        ("a/json", br#"{"created":"2014-01-02T03:04:05Z","container_config":{"Cmd":["x"]}}"#),
        ("a/layer.tar", &base),
        ("b/json", br#"{"parent":"a","config":{"Cmd":["sh"]}}"#),
        ("b/layer.tar", &top),
        ("repositories", br#"{"old":{"1":"b","2":"a"}}"#),
    ]);
    let place = Place::new();
    let store = place.store();
    store.load(docker.as_slice(), &quiet).unwrap();
    let mut both = Vec::new();
    store.save(&["a:1".to_owned()], &mut both).unwrap();
    vec![docker, oldest, both]
}

#[test]
fn archives() {
    let honest = honest();
    let place = Place::new();
    let store = place.store();
    let strategy = (any::<Index>(), proptest::collection::vec(damage(), 1..6));
    let loaded = Cell::new(0);
    runner(150, 10_000)
        .run(&strategy, |(which, damages)| {
            let bytes = damaged(&honest[which.index(honest.len())], &damages);
            let images = store.load(bytes.as_slice(), &quiet);
            loaded.set(loaded.get() + u32::from(images.is_ok()));
            for image in images.unwrap_or_default() {
                prop_assert_eq!(image.layers.len(), image.config.rootfs.diff_ids.len());
                // An image that two lines of the list name is there once.
                let _ = store.remove(&image.id.to_string(), true, &[]);
            }
            // Of an archive that is refused in its middle the images before that stay: they were reported to nobody.
            for image in store.list() {
                store.remove(&image.id.to_string(), true, &[]).unwrap();
            }
            place.assert_empty();
            Ok(())
        })
        .unwrap();
    // Damage that never harms, or always does, would test nothing.
    eprintln!("{} archives were loaded all the same", loaded.get());
    assert!(loaded.get() > 0);
}

/// A place in a document, and what comes there instead.
fn changes() -> impl Strategy<Value = Vec<(Index, Option<Value>)>> {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1.5e300),
        json!(""),
        json!("\u{0}\u{1b}[31m"),
        json!([]),
        json!({}),
        json!([null]),
        json!("sha256:"),
        json!("sha256:../../../../etc/passwd"),
        json!(format!("sha256:{}", "a".repeat(64))),
        json!(format!("sha512:{}", "a".repeat(128))),
        json!("a".repeat(10_000)),
        json!(2),
        json!({"a": {"b": [[[]]]}}),
        json!(images::manifest::INDEX),
        json!(images::manifest::DOCKER_MANIFEST),
    ];
    let value = proptest::option::weighted(0.8, proptest::sample::select(odd.to_vec()));
    proptest::collection::vec((any::<Index>(), value), 1..5)
}

fn nodes(value: &Value) -> usize {
    let inner = match value {
        Value::Array(list) => list.iter().map(nodes).sum(),
        Value::Object(map) => map.values().map(nodes).sum(),
        _ => 0,
    };
    1 + inner
}

/// Puts `new` in the place of the node with this number; without it the node goes.
fn change(value: &mut Value, number: &mut usize, new: Option<&Value>) -> bool {
    if *number == 0 {
        *value = new.cloned().unwrap_or(Value::Null);
        return true;
    }
    *number -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|each| change(each, number, new)),
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            keys.iter().any(|key| {
                let gone = *number == 0 && new.is_none();
                if gone {
                    map.remove(key);
                }
                gone || map.get_mut(key).is_some_and(|each| change(each, number, new))
            })
        }
        _ => false,
    }
}

#[test]
fn manifests_and_configurations() {
    let blob = |size: u64| {
        json!({"mediaType": images::manifest::CONFIG, "digest": format!("sha256:{}", "b".repeat(64)), "size": size,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}, "annotations": {"a": "b"}})
    };
    let documents = vec![
        json!({"schemaVersion": 2, "mediaType": images::manifest::MANIFEST, "config": blob(2), "layers": [blob(1), blob(7)], "annotations": {"c": "d"}}),
        json!({"schemaVersion": 2, "manifests": [blob(3), blob(4)]}),
        json!({"schemaVersion": 1, "fsLayers": [], "signatures": []}),
        serde_json::to_value(config("x", &[layer(&[("a", "b")])])).unwrap(),
    ];
    let stated = proptest::option::of(proptest::sample::select(vec![
        images::manifest::MANIFEST,
        images::manifest::INDEX,
        "text/html",
    ]));
    let strategy = (proptest::sample::select(documents), changes(), stated);
    runner(2000, 500_000)
        .run(&strategy, |(mut document, changes, stated)| {
            for (at, new) in &changes {
                let mut number = at.index(nodes(&document));
                change(&mut document, &mut number, new.as_ref());
            }
            let text = document.to_string();
            if let Ok(read) = Document::read(text.as_bytes(), stated) {
                // Whoever reads it under the name that it gives itself reads the same.
                if let Some(own) = document["mediaType"].as_str() {
                    prop_assert_eq!(Document::read(text.as_bytes(), Some(own)).unwrap(), read.clone());
                }
                match read {
                    Document::Manifest(manifest) => {
                        prop_assert!(document.get("manifests").is_none(), "it is two things at once: {}", text);
                        let again = serde_json::to_vec(&manifest).unwrap();
                        prop_assert_eq!(Document::read(&again, None).unwrap(), Document::Manifest(manifest));
                    }
                    Document::Index(index) => {
                        prop_assert!(document.get("layers").is_none() && document.get("config").is_none(), "{}", text);
                        let _ = (index.choose(&Platform::host()), index.platforms());
                    }
                }
            }
            if let Ok(config) = serde_json::from_str::<ImageConfig>(&text) {
                let again: ImageConfig = serde_json::from_slice(&serde_json::to_vec(&config).unwrap()).unwrap();
                prop_assert_eq!(again, config);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn references_and_platforms() {
    let parts =
        "[a-zA-Z0-9]{0,3}|[.:/@_-]{1,2}|localhost|docker\\.io|library/|:5000|\\[::1\\]|sha256:|[a-f0-9]{64}|\\PC";
    let strategy = proptest::collection::vec(parts, 0..9).prop_map(|parts| parts.concat());
    runner(5000, 100_000)
        .run(&strategy, |text| {
            if let Ok(reference) = text.parse::<Reference>() {
                for form in [reference.to_string(), reference.familiar()] {
                    prop_assert_eq!(form.parse::<Reference>(), Ok(reference.clone()), "{} as {}", text, form);
                }
                let name = format!("{}/{}", reference.domain(), reference.path());
                prop_assert!(name.len() <= 255 && !name.contains("..") && !name.contains("//"), "{}", name);
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{}", name);
                prop_assert!(reference.path().bytes().all(|byte| !byte.is_ascii_uppercase()), "{}", name);
            }
            if let Ok(platform) = text.parse::<Platform>() {
                prop_assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
            }
            Ok(())
        })
        .unwrap();
}
