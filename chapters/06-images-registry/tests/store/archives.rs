//! Load, import, save.

use std::sync::Mutex;

use images::{Event, Import, Kind, Reference};

use super::fixture::{Place, config, gzip, layer, make, quiet, skopeo};

/// An archive of these files; a content that begins with `->` makes a symbolic link.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
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
    assert_eq!(digest.trim(), store.resolve("two").unwrap().manifest.to_string());
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

#[test]
fn broken_archives_are_refused_and_leave_nothing() {
    let place = Place::new();
    let store = place.store();
    let base = layer(&[("etc/base", "x")]);
    let image = serde_json::to_vec(&config("one", std::slice::from_ref(&base))).unwrap();
    let list = br#"[{"Config":"c","RepoTags":["one:latest"],"Layers":["l"]}]"#.as_slice();
    let named = br#"[{"Config":"c","RepoTags":["One"],"Layers":["l"]}]"#.as_slice();
    let hostile =
        br#"[{"Config":"../../../etc/hostname","RepoTags":["one:latest"],"Layers":["/etc/passwd"]}]"#.as_slice();
    let other = layer(&[("etc/base", "y")]);
    let whole = archive(&[("l", &base), ("c", &image), ("manifest.json", list)]);
    let mut device = tar::Header::new_ustar();
    device.set_path("x").unwrap();
    device.set_entry_type(tar::EntryType::new(b'V'));
    device.set_size(0);
    device.set_cksum();
    let odd = [device.as_bytes().as_slice(), &[0; 1024]].concat();
    let odd_image = serde_json::to_vec(&config("one", std::slice::from_ref(&odd))).unwrap();
    let long = [list, vec![b' '; 5 << 20].as_slice()].concat();
    let index = br#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0}]}"#;
    let attempts: &[&[u8]] = &[
        b"",
        &[b'x'; 4096],
        &whole[..3000],
        &gzip(&whole)[..200],
        &base,
        &archive(&[("manifest.json", b"[{}]")]),
        &archive(&[("manifest.json", &long)]),
        &archive(&[("c", &image), ("manifest.json", list)]),
        &archive(&[("l", &other), ("c", &image), ("manifest.json", list)]),
        &archive(&[("l", b"no archive at all, but long enough to have the first block of one, which takes 512 bytes, more than anybody wants to write for a test, and so it is repeated: no archive at all, but long enough to have the first block of one, which takes 512 bytes, more than anybody wants to write for a test, and so it is repeated: no archive at all, but long enough to have the first block of one, which takes 512 bytes, more than anybody wants to write for a test, and so it is repeated: enough now."), ("c", &image), ("manifest.json", list)]),
        &archive(&[("l", &base), ("c", b"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"), ("manifest.json", list)]),
        &archive(&[("l", &base), ("c", b"{\"os\":\"windows\"}"), ("manifest.json", list)]),
        &archive(&[("l", &base), ("c", b"[]"), ("manifest.json", list)]),
        &archive(&[("l", &base), ("c", &image), ("manifest.json", named)]),
        &archive(&[("l", &base), ("c", &image), ("manifest.json", hostile)]),
        &archive(&[("l", &odd), ("c", &odd_image), ("manifest.json", list)]),
        &archive(&[("index.json", index)]),
        &archive(&[("a", b"->b"), ("b", b"->a"), ("manifest.json", br#"[{"Config":"a"}]"#)]),
    ];
    let mut said = Vec::new();
    for bytes in attempts {
        let error = store.load(*bytes, &quiet).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        said.push(error.to_string());
        assert!(store.list().is_empty());
        place.assert_empty();
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    cannot load the archive: it is empty
    cannot read the archive: this is not a tar archive, or it is damaged (wrong checksum of a header)
    cannot read the archive: it ends in the middle; it was cut off
    cannot read the archive: incomplete deflate stream
    cannot load the archive: it has neither a manifest.json nor an index.json
    cannot load the archive: its manifest.json is malformed: missing field `Config` at line 1 column 3
    cannot load the archive: the file sha256:e313898ef33b99d315a85e417fc121888b0e03580dee94d9b93fece6fabce6a3 has more than 4194304 bytes
    cannot load the archive: the file l is missing
    cannot accept the layer sha256:3ed433c24900e606bc2a27f8df2ced728d932785944603d04979b0261a1d5a15: its archive has the digest sha256:c4e8ae7907e8c42b00f5755e7b613b3e5aa1eb95d0f2e77e2c7f39442c10f36f
    cannot read the archive: it ends in the middle; it was cut off
    cannot use the image: it has 1 archives for 0 layers
    cannot use the image: it is for windows
    cannot read the configuration of the image: invalid type: sequence, expected struct ImageConfig at line 1 column 0
    invalid reference format: repository name (library/One) must be lowercase
    cannot load the archive: the file /etc/passwd is missing
    cannot unpack x: it is of the unknown type 'V'
    cannot load the archive: the blob sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 is missing
    cannot load the archive: the file a is missing
    ");
    store.load(whole.as_slice(), &quiet).unwrap();
}
