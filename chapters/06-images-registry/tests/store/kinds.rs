//! What is in an archive or a registry besides images for this machine: images for others, things that are no images, and
//! images in the form that docker has given up.

use std::collections::HashMap;

use images::manifest::{CONFIG, DOCKER_MANIFEST, Descriptor, INDEX, Index, MANIFEST, Manifest};
use images::{Digest, Image, Kind, Platform, Reference, RegistryOptions, pull, push};

use super::archives::archive;
use super::fake::{Answer, Fake};
use super::fixture::{Place, config, layer, quiet};
use super::registry::Registry;

/// An archive that docker wrote before version 1.10: two layers, two names, no configuration.
#[test]
fn the_oldest_archives() {
    let (base, top) = (layer(&[("etc/base", "x")]), layer(&[("etc/name", "top")]));
    let lower =
        br#"{"id":"aa","created":"2014-01-02T03:04:05Z","container_config":{"Cmd":["/bin/sh","-c","ADD file"]}}"#;
    let upper = br#"{"id":"bb","parent":"aa","created":"2015-01-02T03:04:05Z","author":"me","comment":"done",
        "container_config":{"Cmd":["/bin/sh","-c","make"]},"config":{"Cmd":["sh"],"Env":["A=b"]},
        "architecture":"amd64","os":"linux","Size":7}"#;
    let names = br#"{"old":{"latest":"bb","1":"bb"},"base":{"2014":"aa"}}"#;
    let file = archive(&[
        ("aa/VERSION", b"1.0"),
        ("aa/json", lower),
        ("aa/layer.tar", &base),
        ("bb/json", upper),
        ("bb/layer.tar", &top),
        ("repositories", names),
    ]);
    let place = Place::new();
    let store = place.store();
    let loaded = store.load(file.as_slice(), &quiet).unwrap();
    assert_eq!(loaded.len(), 2);
    let image = store.resolve("old").unwrap();
    assert_eq!(image.repo_tags.iter().map(Reference::familiar).collect::<Vec<_>>(), ["old:1", "old:latest"]);
    assert_eq!(image.config.rootfs.diff_ids, [Digest::of(&base), Digest::of(&top)]);
    assert_eq!(
        (image.config.config.cmd.clone().unwrap(), image.created.as_str()),
        (vec!["sh".to_owned()], "2015-01-02T03:04:05Z")
    );
    assert!(image.config.other.get("Size").is_none(), "what was said of the layer is no part of the image");
    let steps: Vec<_> =
        image.config.history.iter().map(|step| (step.created_by.as_str(), step.comment.as_str())).collect();
    assert_eq!(steps, [("/bin/sh -c ADD file", ""), ("/bin/sh -c make", "done")]);
    assert_eq!(store.resolve("base:2014").unwrap().layers, image.layers[..1], "the lower layer is there once");
    // The same archive makes the same image, whenever and wherever it is loaded.
    assert_eq!(Place::new().store().load(file.as_slice(), &quiet).unwrap(), loaded);
}

#[test]
fn oldest_archives_that_lead_nowhere() {
    let base = layer(&[("etc/base", "x")]);
    let of =
        |json: &[u8]| archive(&[("a/json", json), ("a/layer.tar", &base), ("repositories", br#"{"x":{"1":"a"}}"#)]);
    let files = [
        archive(&[("repositories", b"[]")]),
        archive(&[("repositories", br#"{"x":{"1":"../../etc"}}"#)]),
        of(br#"{"parent":"a"}"#),
        of(br#"{"parent":"b"}"#),
        of(b"{"),
        of(br#"{"os":"windows"}"#),
    ];
    let place = Place::new();
    let said: Vec<_> =
        files.iter().map(|file| place.store().load(file.as_slice(), &quiet).unwrap_err().to_string()).collect();
    place.assert_empty();
    insta::assert_snapshot!(said.join("\n"), @r"
    cannot load the archive: its repositories file is malformed: invalid type: sequence, expected a map at line 1 column 0
    cannot load the archive: the file ../../etc/json is missing
    cannot load the archive: the image a has more than 500 layers
    cannot load the archive: the file b/json is missing
    cannot load the archive: a/json is malformed: EOF while parsing an object at line 1 column 1
    cannot use the image: it is for windows
    ");
}

/// A layout with an image for two kinds of machines, each with its own file.
fn for_two_machines() -> (Vec<u8>, [Digest; 2]) {
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    let mut keep = |bytes: Vec<u8>| {
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        files.insert(format!("blobs/sha256/{}", digest.hex()), bytes);
        (digest, size)
    };
    let mut manifests = Vec::new();
    let mut ids = Vec::new();
    for machine in ["amd64", "arm64"] {
        let tar = layer(&[("machine", machine)]);
        let mut config = config(machine, std::slice::from_ref(&tar));
        machine.clone_into(&mut config.architecture);
        let (id, size) = keep(serde_json::to_vec(&config).unwrap());
        let (blob, length) = keep(tar);
        let layers = vec![Descriptor::new("application/vnd.oci.image.layer.v1.tar", blob, length)];
        let (digest, length) =
            keep(serde_json::to_vec(&Manifest::new(Descriptor::new(CONFIG, id, size), layers)).unwrap());
        let platform = Some(format!("linux/{machine}").parse::<Platform>().unwrap());
        manifests.push(Descriptor { platform, ..Descriptor::new(MANIFEST, digest, length) });
        ids.push(id);
    }
    let list = |manifests| serde_json::to_vec(&Index { schema_version: 2, media_type: None, manifests }).unwrap();
    let (digest, size) = keep(list(manifests));
    let name = [("io.containerd.image.name".to_owned(), "docker.io/library/two:1".to_owned())].into();
    let top = list(vec![Descriptor { annotations: name, ..Descriptor::new(INDEX, digest, size) }]);
    files.insert("index.json".to_owned(), top);
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    (archive(&files), [ids[0], ids[1]])
}

#[test]
fn of_an_image_for_two_machines_the_right_one_is_taken() {
    let (file, [amd64, arm64]) = for_two_machines();
    for (platform, id) in [("linux/amd64", amd64), ("linux/arm64/v8", arm64)] {
        let place = Place::new();
        let store = place.store();
        let wanted: Platform = platform.parse().unwrap();
        let loaded = store.load_for(file.as_slice(), Some(&wanted), &quiet).unwrap();
        assert_eq!(loaded.iter().map(|image| image.id).collect::<Vec<_>>(), [id]);
        assert!(loaded[0].platform().fits(&wanted));
        // What is saved is for that platform only, and says so when another is asked for.
        let mut saved = Vec::new();
        store.save(&["two:1".to_owned()], &mut saved).unwrap();
        let again = Place::new();
        again.store().load_for(saved.as_slice(), Some(&wanted), &quiet).unwrap();
        let other: Platform = "linux/s390x".parse().unwrap();
        let error = Place::new().store().load_for(saved.as_slice(), Some(&other), &quiet).unwrap_err();
        assert!(error.to_string().ends_with("does not match the specified platform (linux/s390x)"), "{error}");
        let error = Place::new().store().load_for(file.as_slice(), Some(&other), &quiet).unwrap_err();
        assert_eq!(error.to_string(), "no matching manifest for linux/s390x in the manifest list entries");
        assert_eq!(error.hint(), Some("The image is only for linux/amd64, linux/arm64."));
    }
}

/// Docker's own list has one image for one platform.
#[test]
fn dockers_archive_is_for_one_machine() {
    let tar = layer(&[("x", "")]);
    let json = serde_json::to_vec(&config("x", std::slice::from_ref(&tar))).unwrap();
    let list = br#"[{"Config":"c","RepoTags":["one:1"],"Layers":["l"]}]"#;
    let file = archive(&[("l", &tar), ("c", &json), ("manifest.json", list)]);
    let place = Place::new();
    let other: Platform = "linux/s390x".parse().unwrap();
    let error = place.store().load_for(file.as_slice(), Some(&other), &quiet).unwrap_err();
    let own = Platform::host();
    let words = format!(
        "image with reference one:1 was found but its platform ({own}) does not match the specified platform (linux/s390x)"
    );
    assert_eq!((error.kind(), error.to_string()), (Kind::NotFound, words));
    place.assert_empty();
    place.store().load_for(file.as_slice(), Some(&own), &quiet).unwrap();
}

const CHART: &str = "application/vnd.cncf.helm.config.v1+json";

/// A chart as helm pushes it, and how a registry serves it.
fn chart() -> (Manifest, HashMap<String, (Vec<u8>, &'static str)>) {
    let (config, content) = (br#"{"name":"x"}"#.as_slice(), b"this is no tar archive".as_slice());
    let descriptor = |kind: &str, bytes: &[u8]| Descriptor::new(kind, Digest::of(bytes), bytes.len() as u64);
    let blob = descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", content);
    let manifest = Manifest::new(descriptor(CHART, config), vec![blob]);
    let path = |digest: &Digest| format!("/v2/chart/blobs/{digest}");
    let mut files = HashMap::new();
    files.insert("/v2/chart/manifests/1".to_owned(), (serde_json::to_vec(&manifest).unwrap(), MANIFEST));
    files.insert(path(&manifest.config.digest), (config.to_vec(), "application/octet-stream"));
    files.insert(path(&manifest.layers[0].digest), (content.to_vec(), "application/octet-stream"));
    (manifest, files)
}

fn is_kept(image: &Image, place: &Place) {
    assert_eq!(image.artifact.as_deref(), Some(CHART));
    assert_eq!((image.id, image.layers.len()), (image.manifest.digest, 0), "nothing of it is unpacked");
    let error = image.check_runnable().unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().ends_with(&format!("it is no image but an artifact of the type {CHART}")), "{error}");
    let (blobs, layers, unfinished) = place.residue();
    assert_eq!((blobs.len(), layers.len(), unfinished.len()), (3, 0, 0));
}

#[test]
fn what_is_no_image_is_kept_and_not_run() {
    let (_, files) = chart();
    let fake = Fake::start(move |request| match files.get(&request.path) {
        Some((bytes, kind)) => Answer::ok(bytes).with("content-type", *kind),
        None => Answer::status(404),
    });
    let place = Place::new();
    let name: Reference = format!("{}/chart:1", fake.address).parse().unwrap();
    let pulled = pull(&place.store(), &name, None, &RegistryOptions::default(), &quiet).unwrap();
    is_kept(&pulled, &place);
    // It is still there the next time, is saved and loaded, goes to another registry and comes back, and is removed whole.
    let store = place.store();
    is_kept(&store.resolve(&name.to_string()).unwrap(), &place);
    assert!(store.check().unwrap().problems.is_empty());
    let mut saved = Vec::new();
    store.save(&[name.to_string()], &mut saved).unwrap();
    let other = Place::new();
    is_kept(&other.store().load(saved.as_slice(), &quiet).unwrap()[0], &other);
    let registry = Registry::start(place.path());
    let away: Reference = format!("{}/chart:2", registry.address).parse().unwrap();
    store.tag(&pulled.id, &away).unwrap();
    let sent = push(&store, &away, None, &RegistryOptions::default(), &quiet).unwrap();
    assert_eq!(sent.digest, pulled.manifest.digest);
    let third = Place::new();
    is_kept(&pull(&third.store(), &away, None, &RegistryOptions::default(), &quiet).unwrap(), &third);
    store.remove(&pulled.id.to_string(), true, &[]).unwrap();
    place.assert_empty();
}

#[test]
fn schema_one_is_refused_with_a_way_out() {
    let old = br#"{"schemaVersion":1,"name":"app","fsLayers":[],"history":[],"signatures":[]}"#;
    let fake = Fake::start(|_| {
        Answer::ok(old).with("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
    });
    let name: Reference = format!("{}/app", fake.address).parse().unwrap();
    let place = Place::new();
    let error = pull(&place.store(), &name, None, &RegistryOptions::default(), &quiet).unwrap_err();
    assert_eq!(error.to_string(), "cannot use the manifest: it is of schema 1, which has not been used since 2017");
    assert!(error.hint().unwrap().contains("skopeo copy"), "{error:?}");
    let requests = fake.requests();
    let accept =
        requests.iter().find_map(|request| request.header("accept").filter(|kinds| kinds.contains("json"))).unwrap();
    assert!(
        accept.contains(DOCKER_MANIFEST) && !accept.contains("distribution.manifest.v1"),
        "it is not even asked for: {accept}"
    );
    place.assert_empty();
}
