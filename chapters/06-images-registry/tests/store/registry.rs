//! Pull from docker-registry, the reference registry, with skopeo as the one who pushes and as the judge.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use images::{Event, Image, Kind, Reference, RegistryOptions, Store, pull, push};

use super::fixture::{Place, make, skopeo};

/// A registry of its own, on a free port of loopback.
pub(crate) struct Registry {
    process: Child,
    pub(crate) address: String,
}

impl Registry {
    pub(crate) fn start(place: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (config, storage) = (place.join("registry.yml"), place.join("registry"));
        let storage = format!("storage: {{filesystem: {{rootdirectory: {}}}}}", storage.display());
        let text = format!("version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: {address}}}\n");
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn();
        let process = process.unwrap_or_else(|error| {
            panic!("docker-registry: {error}. It is in the Debian package docker-registry.");
        });
        let registry = Self { process, address };
        for _ in 0..500 {
            if TcpStream::connect(&registry.address).is_ok() {
                return registry;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("docker-registry does not listen on {}", registry.address);
    }

    /// Pushes an image of the store; returns the digest that skopeo sees.
    pub(crate) fn push(&self, place: &Place, from: &str, to: &str, more: &[&str]) -> String {
        let source = format!("oci:{}:docker.io/library/{from}:latest", place.root().join("images").display());
        let target = format!("docker://{}/{to}", self.address);
        let copy = ["copy", "--quiet", "--dest-tls-verify=false"];
        skopeo(&[&copy[..], more, &[&source, &target]].concat());
        skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &target]).trim().to_owned()
    }

    fn name(&self, text: &str) -> Reference {
        format!("{}/{text}", self.address).parse().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does `work`; returns what was told, byte counts left out and the registry's address replaced.
fn told<T>(name: &Reference, work: impl FnOnce(images::Progress<'_>) -> T) -> (T, Vec<String>) {
    let told = Mutex::new(Vec::new());
    let listen = |event: Event| {
        let id = event.id.map(|id| format!("{id}: ")).unwrap_or_default();
        let line = format!("{id}{}", event.status).replace(name.domain(), "REGISTRY");
        let mut told = told.lock().unwrap();
        if !told.contains(&line) {
            told.push(line);
        }
    };
    let answer = work(&listen);
    (answer, told.into_inner().unwrap())
}

fn pull_told(store: &Store, name: &Reference) -> (Result<Image, images::Error>, Vec<String>) {
    told(name, |progress| pull(store, name, None, &RegistryOptions::default(), progress))
}

fn push_told(store: &Store, name: &Reference) -> (Result<images::Digest, images::Error>, Vec<String>) {
    let push = |progress: images::Progress<'_>| push(store, name, None, &RegistryOptions::default(), progress);
    told(name, |progress| push(progress).map(|sent| sent.digest))
}

#[test]
fn an_image_comes_from_a_registry() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    let original = make(&place.store(), "one");
    let digest = registry.push(&place, "one", "team/app:v1", &[]);
    let name = registry.name("team/app:v1");
    let here = Place::new();
    let store = here.store();
    let (image, told) = pull_told(&store, &name);
    let image = image.unwrap();
    assert_eq!((image.id, &image.layers), (original.id, &original.layers));
    assert_eq!(image.manifest.digest.to_string(), digest);
    assert_eq!(image.repo_digests, [name.with_digest(digest.parse().unwrap())]);
    assert_eq!(fs::read_to_string(store.lowers(&image)[0].join("etc/name")).unwrap(), "one");
    assert_eq!(told[0], "v1: Pulling from team/app");
    let layers: Vec<_> = told.iter().filter_map(|line| line.strip_suffix(": Pulling fs layer")).collect();
    for layer in &layers {
        let of: Vec<_> = told.iter().filter_map(|line| line.strip_prefix(&format!("{layer}: "))).collect();
        let expected = [
            "Pulling fs layer",
            "Downloading",
            "Verifying Checksum",
            "Download complete",
            "Extracting",
            "Pull complete",
        ];
        assert_eq!(of, expected);
    }
    let end = [format!("Digest: {digest}"), "Status: Downloaded newer image for REGISTRY/team/app:v1".to_owned()];
    assert_eq!((layers.len(), &told[told.len() - 2..]), (2, &end[..]));
    let (again, told) = pull_told(&store, &name);
    assert_eq!(again.unwrap(), image);
    assert_eq!(told.last().unwrap(), "Status: Image is up to date for REGISTRY/team/app:v1");
    // By digest it gets no tag, and nothing is fetched twice.
    let (by_digest, _) = pull_told(&store, &name.with_digest(digest.parse().unwrap()));
    assert_eq!(by_digest.unwrap(), image);
    assert_eq!(store.resolve(&format!("{}/team/app@{digest}", registry.address)).unwrap(), image);
}

#[test]
fn a_tag_moves_and_layers_are_shared() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    make(&place.store(), "one");
    make(&place.store(), "two");
    let name = registry.name("app");
    let here = Place::new();
    let store = here.store();
    registry.push(&place, "one", "app:latest", &[]);
    let (one, _) = pull_told(&store, &name);
    registry.push(&place, "two", "app:latest", &[]);
    let (two, told) = pull_told(&store, &name);
    assert!(told.iter().any(|line| line.ends_with(": Already exists")), "{told:?}");
    let (one, two) = (store.get(&one.unwrap().id).unwrap(), two.unwrap());
    assert_eq!((one.repo_tags.len(), one.repo_digests.len(), two.repo_tags.len()), (0, 1, 1));
    // The same image in another wrapping is the same image.
    registry.push(&place, "two", "app:zstd", &["--dest-compress-format", "zstd"]);
    let (zstd, told) = pull_told(&store, &registry.name("app:zstd"));
    assert_eq!(zstd.unwrap().id, two.id);
    assert!(!told.iter().any(|line| line.ends_with("Downloading")), "{told:?}");
    let elsewhere = Place::new();
    let (zstd, _) = pull_told(&elsewhere.store(), &registry.name("app:zstd"));
    assert_eq!(zstd.unwrap().id, two.id);
}

#[test]
fn what_is_not_there_is_told_in_dockers_words() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    make(&place.store(), "one");
    registry.push(&place, "one", "app:v1", &[]);
    let store = place.store();
    let refused = |name: &Reference| {
        let error = pull_told(&store, name).0.unwrap_err();
        (error.kind(), error.to_string().replace(&registry.address, "REGISTRY"), error.hint().is_some())
    };
    let words = |name| format!("manifest for REGISTRY/{name} not found: manifest unknown: manifest unknown");
    assert_eq!(refused(&registry.name("app:v2")), (Kind::NotFound, words("app:v2"), true));
    assert_eq!(refused(&registry.name("nope")), (Kind::NotFound, words("nope:latest"), true));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (kind, text, hint) = refused(&format!("{nobody}/app").parse().unwrap());
    assert_eq!((kind, hint), (Kind::Unavailable, true));
    assert!(text.starts_with(&format!("cannot reach the registry {nobody}: ")) && text.contains("refused"), "{text}");
}

#[test]
fn an_image_goes_to_a_registry() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    let store = place.store();
    let image = make(&store, "one");
    let name = registry.name("team/app:v1");
    assert_eq!(push_told(&store, &name).0.unwrap_err().kind(), Kind::NotFound);
    store.tag(&image.id, &name).unwrap();
    let (digest, told) = push_told(&store, &name);
    let digest = digest.unwrap();
    assert_eq!(digest, image.manifest.digest);
    let target = format!("docker://{name}");
    let seen = skopeo(&["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &target]);
    assert_eq!(seen.trim(), digest.to_string());
    assert_eq!(told[0], "The push refers to repository [REGISTRY/team/app]");
    assert_eq!(told.iter().filter(|line| line.ends_with(": Pushed")).count(), 2, "{told:?}");
    assert!(told.last().unwrap().starts_with(&format!("v1: digest: {digest} size: ")), "{told:?}");
    assert_eq!(store.get(&image.id).unwrap().repo_digests, [name.with_digest(digest)]);
    // Again, and under another name of the same registry: nothing is sent.
    let (_, told) = push_told(&store, &name);
    assert_eq!(told.iter().filter(|line| line.ends_with(": Layer already exists")).count(), 2, "{told:?}");
    let other = registry.name("other/app:v1");
    store.tag(&image.id, &other).unwrap();
    let (_, told) = push_told(&store, &other);
    assert_eq!(told.iter().filter(|line| line.ends_with(": Mounted from team/app")).count(), 2, "{told:?}");
    // What was pushed can be pulled by somebody else.
    let elsewhere = Place::new();
    assert_eq!(pull_told(&elsewhere.store(), &other).0.unwrap().id, image.id);
}

#[test]
fn what_goes_over_the_line_is_shown() {
    let place = Place::new();
    let registry = Registry::start(place.path());
    make(&place.store(), "one");
    let digest = registry.push(&place, "one", "app:v1", &[]);
    let (name, target) = (registry.name("app:v1").to_string(), place.path().join("by-hand"));
    let by_hand = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_by-hand")).args(words).output().unwrap();
        let [out, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{told}");
        (out, told)
    };
    let (document, told) = by_hand(&["manifest", &name]);
    assert!(document.contains("\"layers\""), "{document}");
    assert!(told.contains(&format!("> GET http://{}/v2/app/manifests/v1", registry.address)), "{told}");
    assert!(told.contains(&format!("<   docker-content-digest: {digest}")), "{told}");
    let (out, told) = by_hand(&["unpack", &name, &target.display().to_string()]);
    assert!(told.contains("/v2/app/blobs/sha256:") && out.lines().count() == 2, "{told}{out}");
    assert_eq!(fs::read_to_string(target.join("1/etc/name")).unwrap(), "one");
}
