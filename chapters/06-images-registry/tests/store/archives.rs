//! Load, import, save.

use std::sync::Mutex;

use images::{Event, Import, Kind, Reference};

use super::fixture::{Place, config, gzip, layer, make, odd_layer, quiet, skopeo};

/// An archive of these files; a content that begins with `->` makes a symbolic link.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        if let Some(target) = content.strip_prefix(b"->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, name, str::from_utf8(target).unwrap()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, *content).unwrap();
        }
    }
    archive.into_inner().unwrap()
}

/// docker's layout of before version 25.
fn saved_by_docker() -> Vec<u8> {
    let (base, top) = (layer(&[("etc/base", "the same")]), layer(&[("etc/name", "top")]));
    let one = serde_json::to_vec(&config("one", &[base.clone(), top.clone()])).unwrap();
    let two = serde_json::to_vec(&config("two", std::slice::from_ref(&base))).unwrap();
    let list = br#"[{"Config":"1.json","RepoTags":["one:latest","other:1"],"Layers":["a/layer.tar","b/layer.tar"]},
                    {"Config":"2.json","RepoTags":null,"Layers":["c/layer.tar"]}]"#;
    archive(&[
        ("a/layer.tar", &base),
        ("a/VERSION", b"1.0"),
        ("b/layer.tar", &top),
        ("c/layer.tar", b"->../a/layer.tar"),
        ("1.json", &one),
        ("2.json", &two),
        ("manifest.json", list),
    ])
}

#[test]
fn dockers_own_archives() {
    let place = Place::new();
    let store = place.store();
    let events = Mutex::new(Vec::new());
    let listen = |event: Event| events.lock().unwrap().push(event);
    let saved = saved_by_docker();
    let loaded = store.load(saved.as_slice(), &listen).unwrap();
    let names = |image: &images::Image| image.repo_tags.iter().map(Reference::familiar).collect::<Vec<_>>();
    assert_eq!(loaded.iter().map(names).collect::<Vec<_>>(), [vec!["one:latest", "other:1"], vec![]]);
    assert_eq!(store.list().len(), 2);
    assert_eq!(place.residue().1.len(), 2, "the shared layer is there once");
    assert!(std::fs::exists(store.lowers(&loaded[1])[0].join("etc/base")).unwrap());
    let events = events.into_inner().unwrap();
    assert!(events.iter().all(|event| event.status == "Loading layer" && event.total.is_some()), "{events:?}");
    let again = store.load(gzip(&saved).as_slice(), &quiet).unwrap();
    assert_eq!(again, loaded);
}

#[test]
fn archives_of_skopeo() {
    let place = Place::new();
    let image = make(&place.store(), "one");
    let layout = format!("oci:{}:docker.io/library/one:latest", place.root().join("images").display());
    for kind in ["docker-archive", "oci-archive"] {
        let file = place.path().join(kind);
        skopeo(&["copy", "--quiet", &layout, &format!("{kind}:{}:docker.io/library/two:v1", file.display())]);
        let other = Place::new();
        let loaded = other.store().load(std::fs::File::open(&file).unwrap(), &quiet).unwrap();
        assert_eq!((loaded[0].id, &loaded[0].layers), (image.id, &image.layers), "{kind}");
        assert_eq!(loaded[0].repo_tags, ["two:v1".parse().unwrap()], "{kind}");
    }
}

#[test]
fn what_is_saved_can_be_loaded_by_us_and_others() {
    let place = Place::new();
    let store = place.store();
    let image = make(&store, "one");
    make(&store, "two");
    let mut bytes = Vec::new();
    store.save(&["one".into(), "two:latest".into(), image.id.short()], &mut bytes).unwrap();
    let other = Place::new();
    let copy = other.store();
    copy.load(bytes.as_slice(), &quiet).unwrap();
    assert_eq!(copy.list(), store.list());
    let file = place.path().join("saved.tar");
    std::fs::write(&file, &bytes).unwrap();
    let docker =
        skopeo(&["inspect", "--config", &format!("docker-archive:{}:docker.io/library/one:latest", file.display())]);
    assert!(docker.contains("/bin/sh"), "{docker}");
    let oci = format!("oci-archive:{}:docker.io/library/two:latest", file.display());
    let digest = skopeo(&["inspect", "--format", "{{.Digest}}", &oci]);
    assert_eq!(digest.trim(), store.resolve("two").unwrap().manifest.digest.to_string());
    let mut again = Vec::new();
    store.save(&["one".into(), "two".into()], &mut again).unwrap();
    assert_eq!(again, bytes, "the same images give the same bytes");
}

#[test]
fn a_root_file_system_becomes_an_image() {
    let place = Place::new();
    let store = place.store();
    let tree = layer(&[("bin/sh", "#!"), ("etc/passwd", "root")]);
    let import = Import {
        name: Some("mine".parse().unwrap()),
        changes: vec![r#"CMD ["sh"]"#.into(), "ENV A=b".into()],
        message: Some("by hand".into()),
    };
    let image = store.import(gzip(&tree).as_slice(), import).unwrap();
    assert_eq!(store.resolve("mine:latest").unwrap(), image);
    assert_eq!(
        (image.config.config.cmd.as_deref().unwrap(), image.config.config.env.as_slice()),
        (&["sh".into()][..], &["A=b".into()][..])
    );
    assert_eq!((image.config.history[0].comment.as_str(), image.size), ("by hand", 6));
    assert_eq!(image.config.rootfs.diff_ids, [images::Digest::of(&tree)]);
    let unnamed = store.import(zstd::encode_all(&*tree, 1).unwrap().as_slice(), Import::default()).unwrap();
    assert_eq!((unnamed.layers, unnamed.repo_tags.len()), (image.layers, 0));
}

/// What is said of each archive that cannot be loaded. Nothing of it may be left.
fn refusals(attempts: &[&[u8]]) -> String {
    let place = Place::new();
    let store = place.store();
    let refusal = |bytes: &&[u8]| {
        let error = store.load(*bytes, &quiet).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(store.list().is_empty());
        place.assert_empty();
        error.to_string() + "\n"
    };
    attempts.iter().map(refusal).collect()
}

const LIST: &[u8] = br#"[{"Config":"c","RepoTags":["one:latest"],"Layers":["l"]}]"#;

/// docker's layout with one layer.
fn saved(layer: &[u8], config: &[u8]) -> Vec<u8> {
    archive(&[("l", layer), ("c", config), ("manifest.json", LIST)])
}

/// The configuration for this layer.
fn json(layer: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&config("one", &[layer.to_vec()])).unwrap()
}

#[test]
fn broken_archives_are_refused() {
    let base = layer(&[("etc/base", "x")]);
    let whole = saved(&base, &json(&base));
    let long = [LIST, vec![b' '; 5 << 20].as_slice()].concat();
    let named = br#"[{"Config":"c","RepoTags":["One"],"Layers":["l"]}]"#;
    let hostile = br#"[{"Config":"../../../etc/hostname","Layers":["/etc/passwd"]}]"#;
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{}","digest":"{}","size":0}}]}}"#,
        images::manifest::MANIFEST,
        images::Digest::of(b"")
    );
    let said = refusals(&[
        b"",
        &[b'x'; 4096],
        &whole[..3000],
        &gzip(&whole)[..200],
        &base,
        &archive(&[("manifest.json", b"[{}]")]),
        &archive(&[("manifest.json", &long)]),
        &archive(&[("c", &json(&base)), ("manifest.json", LIST)]),
        &archive(&[("l", &base), ("c", &json(&base)), ("manifest.json", named)]),
        &archive(&[("l", &base), ("c", &json(&base)), ("manifest.json", hostile)]),
        &archive(&[("index.json", index.as_bytes())]),
        &archive(&[("a", b"->b"), ("b", b"->a"), ("manifest.json", br#"[{"Config":"a"}]"#)]),
    ]);
    insta::assert_snapshot!(said, @r"
    cannot load the archive: it is empty
    cannot read the archive: this is not a tar archive, or it is damaged (wrong checksum of a header)
    cannot read the archive: it ends in the middle; it was cut off
    cannot read the archive: incomplete deflate stream
    cannot load the archive: it has neither a manifest.json nor an index.json
    cannot load the archive: its manifest.json is malformed: missing field `Config` at line 1 column 3
    cannot load the archive: the file sha256:e313898ef33b99d315a85e417fc121888b0e03580dee94d9b93fece6fabce6a3 has more than 4194304 bytes
    cannot load the archive: the file l is missing
    invalid reference format: repository name (library/One) must be lowercase
    cannot load the archive: the file /etc/passwd is missing
    cannot load the archive: the blob sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 is missing
    cannot load the archive: the file a is missing
    ");
    Place::new().store().load(whole.as_slice(), &quiet).unwrap();
}

#[test]
fn images_that_are_none_are_refused() {
    let (base, other, odd) = (layer(&[("etc/base", "x")]), layer(&[("etc/base", "y")]), odd_layer());
    let none = br#"{"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let said = refusals(&[
        &saved(&other, &json(&base)),
        &saved(&[b'x'; 600], &json(&base)),
        &saved(&base, none),
        &saved(&base, br#"{"os":"windows"}"#),
        &saved(&base, b"[]"),
        &saved(&odd, &json(&odd)),
    ]);
    insta::assert_snapshot!(said, @r"
    cannot accept the layer sha256:3ed433c24900e606bc2a27f8df2ced728d932785944603d04979b0261a1d5a15: its archive has the digest sha256:c4e8ae7907e8c42b00f5755e7b613b3e5aa1eb95d0f2e77e2c7f39442c10f36f
    cannot read the archive: this is not a tar archive, or it is damaged (wrong checksum of a header)
    cannot use the image: it has 1 archives for 0 layers
    cannot use the image: it is for windows
    cannot read the configuration of the image: invalid type: sequence, expected struct ImageConfig at line 1 column 0
    cannot unpack x: it is of the unknown type 'V'
    ");
}
