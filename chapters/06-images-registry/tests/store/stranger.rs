//! Pull from registries that break, redirect, lie or want to know who we are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::manifest::{CONFIG, Descriptor, INDEX, MANIFEST, Manifest};
use images::{Credentials, Digest, Kind, RegistryOptions, pull, push};

use super::fake::{Answer, Fake, Request};
use super::fixture::{Place, config, gzip, layer, make, odd_layer, quiet};

/// An image as a registry has it: documents and blobs by path, all below `/v2/app/`.
struct Served {
    files: HashMap<String, (Vec<u8>, String)>,
    layer: Digest,
}

const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Served {
    fn new() -> Self {
        Self::of(&layer(&[("etc/name", &"content ".repeat(10_000))]))
    }

    fn of(tar: &[u8]) -> Self {
        let blob = gzip(tar);
        let config = serde_json::to_vec(&config("x", &[tar.to_vec()])).unwrap();
        let descriptor = |kind: &str, bytes: &[u8]| Descriptor::new(kind, Digest::of(bytes), bytes.len() as u64);
        let manifest = Manifest::new(descriptor(CONFIG, &config), vec![descriptor(GZIP, &blob)]);
        let mut served = Self { files: HashMap::new(), layer: Digest::of(&blob) };
        served.put(&format!("blobs/{}", Digest::of(&config)), &config, "application/octet-stream");
        served.put(&format!("blobs/{}", Digest::of(&blob)), &blob, "application/octet-stream");
        served.put("manifests/latest", &serde_json::to_vec(&manifest).unwrap(), MANIFEST);
        served
    }

    fn put(&mut self, path: &str, bytes: &[u8], kind: &str) {
        self.files.insert(format!("/v2/app/{path}"), (bytes.to_vec(), kind.to_owned()));
    }

    fn answer(&self, request: &Request) -> Answer {
        match self.files.get(&request.path) {
            Some((bytes, kind)) => Answer::ok(bytes).with("content-type", kind),
            None => Answer::status(404),
        }
    }
}

fn pull_from(fake: &Fake, credentials: Option<&Credentials>) -> (Place, Result<images::Image, images::Error>) {
    let place = Place::new();
    let name = format!("{}/app", fake.address).parse().unwrap();
    let answer = pull(&place.store(), &name, credentials, &RegistryOptions::default(), &quiet);
    (place, answer)
}

fn refused(fake: &Fake) -> (Kind, String) {
    let (place, answer) = pull_from(fake, None);
    let error = answer.unwrap_err();
    place.assert_empty();
    (error.kind(), error.to_string().replace(&fake.address, "REGISTRY"))
}

#[test]
fn a_wrong_digest_is_told_and_nothing_is_kept() {
    let mut served = Served::new();
    let path = format!("/v2/app/blobs/{}", served.layer);
    let wanted = served.layer;
    served.files.get_mut(&path).unwrap().0[100] ^= 1;
    let fake = Fake::start(move |request| served.answer(request));
    let (kind, text) = refused(&fake);
    assert_eq!(kind, Kind::Invalid);
    assert!(
        text.starts_with(&format!("cannot accept the blob {wanted}: its content has the digest sha256:")),
        "{text}"
    );
}

#[test]
fn a_manifest_must_be_what_the_header_says() {
    let served = Served::new();
    let other = Digest::of(b"other").to_string();
    let fake = Fake::start(move |request| served.answer(request).with("docker-content-digest", other.clone()));
    let (kind, text) = refused(&fake);
    assert_eq!(kind, Kind::Invalid);
    assert!(text.starts_with("manifest verification failed for digest sha256:"), "{text}");
}

#[test]
fn a_broken_connection_is_resumed() {
    let served = Served::new();
    let path = format!("/v2/app/blobs/{}", served.layer);
    let fake = Fake::start(move |request| {
        let mut answer = served.answer(request);
        if request.path == path {
            let from = request.header("range").map_or(0, |range| range[6..range.len() - 1].parse().unwrap());
            answer.body.drain(..from);
            answer.status = if from == 0 { 200 } else { 206 };
            // 100 bytes at a time, twice; then all the rest.
            answer.cut = (from < 200).then_some(100);
        }
        answer
    });
    let (_place, answer) = pull_from(&fake, None);
    answer.unwrap();
    let ranges: Vec<_> =
        fake.requests().iter().filter_map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=100-", "bytes=200-"]);
}

#[test]
fn a_busy_registry_is_asked_again() {
    let served = Served::new();
    let count = AtomicUsize::new(0);
    let fake = Fake::start(move |request| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::ok(b"{}"),
        1 => Answer::status(429).with("retry-after", "0"),
        2 => Answer { cut: Some(3), ..served.answer(request) },
        3 => Answer::status(503).with("retry-after", "0"),
        _ => served.answer(request),
    });
    let (_place, answer) = pull_from(&fake, None);
    answer.unwrap();
}

#[test]
fn the_token_is_fetched_and_stays_at_home() {
    let served = Served::new();
    let elsewhere = Fake::start({
        let blobs = Served::new();
        move |request| match request.path.strip_prefix("/storage") {
            Some(path) => blobs.answer(&Request { path: path.to_owned(), ..request.clone() }),
            None => Answer::ok(br#"{"token": "the-token"}"#),
        }
    });
    let (realm, storage) =
        (format!("http://{}/token", elsewhere.address), format!("http://{}/storage", elsewhere.address));
    let blob = format!("/v2/app/blobs/{}", served.layer);
    let fake = Fake::start(move |request| match request.header("authorization") {
        _ if request.path == "/v2/" => Answer::status(401),
        Some("Bearer the-token") if request.path == blob => {
            Answer::status(307).with("location", format!("{storage}{blob}"))
        }
        Some("Bearer the-token") => served.answer(request),
        _ => Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}",service="s""#)),
    });
    let credentials = Credentials::new("me", "secret");
    let (_place, answer) = pull_from(&fake, Some(&credentials));
    // Two stores of the same content: the layer has the same digest in both.
    answer.unwrap();
    let away = elsewhere.requests();
    assert_eq!(away[0].path, "/token?service=s&scope=repository%3Aapp%3Apull");
    assert_eq!(away[0].header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert!(away[1].path.starts_with("/storage/"));
    assert_eq!(away[1].header("authorization"), None, "a token went to another host");
    assert!(fake.requests().iter().all(|request| !format!("{request:?}").contains("bWU6c2VjcmV0")));
}

/// CVE-2020-15157: a layer's descriptor can name addresses to fetch it from. They are the image's word, and nobody asks there.
#[test]
fn a_layer_is_never_fetched_from_elsewhere() {
    let elsewhere = Fake::start(|_| Answer::ok(b"x"));
    let mut served = Served::new();
    let manifest = &mut served.files.get_mut("/v2/app/manifests/latest").unwrap().0;
    let mut document: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    document["layers"][0]["urls"] = serde_json::json!([format!("http://{}/layer", elsewhere.address)]);
    *manifest = serde_json::to_vec(&document).unwrap();
    let fake = Fake::start(move |request| served.answer(request));
    pull_from(&fake, Some(&Credentials::new("me", "secret"))).1.unwrap();
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
}

#[test]
fn what_strangers_say() {
    let served = Served::new();
    let manifest = served.files["/v2/app/manifests/latest"].0.clone();
    let platform = r#""platform":{"os":"linux","architecture":"s390x"}"#;
    let arm = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{MANIFEST}","digest":"{}","size":1,{platform}}}]}}"#,
        served.layer
    );
    let both = String::from_utf8(manifest.clone()).unwrap().replacen('{', r#"{"manifests":[],"#, 1);
    let answers = [
        Answer::status(401),
        Answer::status(403),
        Answer { body: br#"{"errors":[{"code":"DENIED","message":"go away"}]}"#.to_vec(), ..Answer::status(403) },
        Answer::status(418),
        Answer::status(307),
        Answer::status(307).with("location", "/v2/"),
        Answer::ok(arm.as_bytes()).with("content-type", INDEX),
        Answer::ok(both.as_bytes()).with("content-type", MANIFEST),
        Answer::ok(br#"{"schemaVersion":1,"fsLayers":[]}"#)
            .with("content-type", "application/vnd.docker.distribution.manifest.v1+json"),
        Answer::ok(b"<html>").with("content-type", "text/html"),
        Answer::ok(&vec![b' '; 5 << 20]),
    ];
    let mut said = Vec::new();
    for answer in answers {
        let looping = answer.headers.iter().any(|(_, value)| value == "/v2/");
        let fake = Fake::start(move |request| match request.path.as_str() {
            "/v2/" if !looping => Answer::status(200),
            _ => answer.clone(),
        });
        let (kind, text) = refused(&fake);
        said.push(format!("{kind:?}: {text}"));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    Denied: pull access denied for REGISTRY/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied
    Denied: pull access denied for REGISTRY/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied
    Denied: pull access denied for REGISTRY/app, repository does not exist or may require 'docker login': denied: go away
    Unavailable: cannot fetch from the registry REGISTRY/app:latest: 418 I'm a teapot
    Unavailable: cannot fetch from the registry REGISTRY/app:latest: the registry redirects to nowhere
    Unavailable: cannot fetch from the registry REGISTRY/app:latest: the registry redirects too often
    NotFound: no matching manifest for linux/amd64 in the manifest list entries
    Invalid: cannot use the manifest: it is a manifest and an index at once
    Invalid: cannot use the manifest: it is of schema 1, which has not been used since 2017
    Invalid: cannot use the manifest: it is not JSON: expected value at line 1 column 1
    Invalid: cannot read the answer of the registry: it has more than 4194304 bytes
    ");
}

#[test]
fn a_hostile_layer_is_refused() {
    let served = Served::of(&odd_layer());
    let fake = Fake::start(move |request| served.answer(request));
    assert_eq!(refused(&fake), (Kind::Invalid, "cannot unpack x: it is of the unknown type 'V'".to_owned()));
}

#[test]
fn a_mirror_is_asked_first_and_gets_no_password() {
    let served = Served::new();
    let fake = Fake::start(move |request| {
        let path = request.path.replace("/library/", "/");
        served.answer(&Request { path, ..request.clone() })
    });
    let place = Place::new();
    let options = RegistryOptions { mirrors: vec![format!("http://{}/", fake.address)], ..RegistryOptions::default() };
    let credentials = Credentials::new("me", "secret");
    let image = pull(&place.store(), &"app".parse().unwrap(), Some(&credentials), &options, &quiet).unwrap();
    assert_eq!(image.repo_tags, ["app:latest".parse().unwrap()]);
    assert!(fake.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn a_push_asks_for_the_right_to_write() {
    let place = Place::new();
    let store = place.store();
    let image = make(&store, "one");
    let service = Fake::start(|_| Answer::ok(br#"{"token": "only-reading"}"#));
    let realm = format!("http://{}/token", service.address);
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/v2/" => Answer::status(200),
        _ => Answer {
            body: br#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#.to_vec(),
            ..Answer::status(401).with("www-authenticate", format!(r#"Bearer realm="{realm}""#))
        },
    });
    let name = format!("{}/app:latest", fake.address).parse().unwrap();
    store.tag(&image.id, &name).unwrap();
    let error = push(&store, &name, None, &RegistryOptions::default(), &quiet).unwrap_err();
    assert_eq!(service.requests()[0].path, "/token?service=&scope=repository%3Aapp%3Apull%2Cpush");
    // An answer to HEAD has no body, so the registry's words are not to be had.
    assert_eq!(
        (error.kind(), error.to_string()),
        (Kind::Denied, "denied: requested access to the resource is denied".into())
    );
}

#[test]
fn a_user_name_is_only_shown_to_who_asks() {
    let served = Served::new();
    let fake = Fake::start(move |request| match request.header("authorization") {
        Some("Basic bWU6c2VjcmV0") => served.answer(request),
        _ => Answer::status(401).with("www-authenticate", r#"Basic realm="here""#),
    });
    let credentials = Credentials::new("me", "secret");
    let (_place, answer) = pull_from(&fake, Some(&credentials));
    answer.unwrap();
    // Asked whether it is there, then for the manifest, and only then shown.
    let shown: Vec<_> = fake.requests().iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(shown.iter().filter(|shown| !**shown).count(), shown.len() - 3, "{shown:?}");
    let (place, answer) = pull_from(&fake, None);
    assert_eq!(answer.unwrap_err().kind(), Kind::Denied);
    place.assert_empty();
}
