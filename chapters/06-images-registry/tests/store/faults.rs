//! Pull through a line that breaks: a proxy between us and a real registry cuts, delays, corrupts and refuses, at places
//! that a seed decides. Every pull ends right or with a clear error, and the next one completes.
//!
//! 15 faults by default, 200 with `SKIFF_SOAK=1`. `SKIFF_SEED` repeats a run.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use images::{Digest, Event, Kind, RegistryOptions, Store, pull};

use super::fixture::{Place, config, gzip, layer, quiet};
use super::registry::Registry;

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The connection ends after so many bytes from the registry, counted over all connections.
    Cut(i64),
    /// The same byte is not the one that was sent.
    Corrupt(i64),
    /// It comes later.
    Delay(i64),
    /// The connection of this number is answered with this status and nothing else.
    Refuse(usize, u16),
}

/// A proxy that knows of one fault at a time.
struct Proxy {
    address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    fault: Mutex<Option<Fault>>,
    /// Bytes and connections since the fault was set.
    bytes: AtomicI64,
    connections: AtomicUsize,
}

impl Proxy {
    fn start(registry: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state: Arc<State> = Arc::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (state, registry) = (Arc::clone(&shared), registry.clone());
                // A connection that cannot be served is one more fault.
                thread::spawn(move || state.serve(client, &registry));
            }
        });
        Self { address, state }
    }

    /// From now on, this goes wrong. Returns how many bytes and connections there were since the last time.
    fn set(&self, fault: Option<Fault>) -> (i64, usize) {
        *self.state.fault.lock().unwrap() = fault;
        (self.state.bytes.swap(0, Ordering::SeqCst), self.state.connections.swap(0, Ordering::SeqCst))
    }
}

impl State {
    fn serve(&self, mut client: TcpStream, registry: &str) -> Option<()> {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let refused = match *self.fault.lock().unwrap() {
            Some(Fault::Refuse(which, status)) if which == number => Some(status),
            _ => None,
        };
        if let Some(status) = refused {
            let mut request = [0; 4096];
            let _ = client.read(&mut request).ok()?;
            let head =
                format!("HTTP/1.1 {status} X\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            client.write_all(head.as_bytes()).ok()?;
            return client.shutdown(Shutdown::Both).ok();
        }
        let mut server = TcpStream::connect(registry).ok()?;
        let (mut requests, mut to_server) = (client.try_clone().ok()?, server.try_clone().ok()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut requests, &mut to_server);
            to_server.shutdown(Shutdown::Write)
        });
        let mut buffer = [0; 16 << 10];
        loop {
            let length = server.read(&mut buffer).ok()?;
            if length == 0 {
                return client.shutdown(Shutdown::Both).ok();
            }
            let first = self.bytes.fetch_add(i64::try_from(length).unwrap(), Ordering::SeqCst);
            let fault = *self.fault.lock().unwrap();
            let here = |at: i64| usize::try_from(at - first).ok().filter(|place| *place < length);
            match fault {
                Some(Fault::Cut(at)) if here(at).is_some() => {
                    client.write_all(&buffer[..here(at)?]).ok()?;
                    let _ = server.shutdown(Shutdown::Both);
                    return client.shutdown(Shutdown::Both).ok();
                }
                Some(Fault::Corrupt(at)) if here(at).is_some() => buffer[here(at)?] ^= 0x20,
                Some(Fault::Delay(at)) if here(at).is_some() => thread::sleep(Duration::from_millis(300)),
                _ => {}
            }
            client.write_all(&buffer[..length]).ok()?;
        }
    }
}

/// Numbers that look random and are the same for the same seed (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn fault(&mut self, bytes: i64, connections: usize) -> Fault {
        let at = i64::try_from(self.below(bytes.unsigned_abs())).unwrap();
        match self.below(5) {
            0 | 1 => Fault::Cut(at),
            2 => Fault::Corrupt(at),
            3 => Fault::Delay(at),
            _ => {
                let which = usize::try_from(self.below(connections as u64)).unwrap();
                Fault::Refuse(which, [429, 500, 503][usize::try_from(self.below(3)).unwrap()])
            }
        }
    }
}

/// An image of three layers that do not compress.
fn publish(registry: &Registry, random: &mut Random) -> Digest {
    let place = Place::new();
    let mut text =
        || (0..150_000).map(|_| char::from(b'!' + u8::try_from(random.below(90)).unwrap())).collect::<String>();
    let layers: Vec<_> = ["a", "b", "c"].into_iter().map(|name| layer(&[(name, text().as_str())])).collect();
    let parts: Vec<_> = layers.iter().map(|layer| gzip(layer)).collect();
    let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
    let store = place.store();
    let image = store.build_from_parts(config("x", &layers), &parts, &"one".parse().unwrap()).unwrap();
    registry.push(&place, "one", "app:latest", &[]);
    image.id
}

fn assert_sound(store: &Store, told: &str) {
    let checked = store.check().unwrap();
    assert!(checked.problems.is_empty(), "{told}: {:?}", checked.problems);
}

#[test]
fn a_line_that_breaks() {
    let soak = std::env::var_os("SKIFF_SOAK").is_some();
    let seed = std::env::var("SKIFF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_0001);
    let mut random = Random(seed);
    let home = Place::new();
    let registry = Registry::start(home.path());
    let id = publish(&registry, &mut random);
    let proxy = Proxy::start(registry.address.clone());
    let name = format!("{}/app", proxy.address).parse().unwrap();
    let fetch = |store: &Store, progress: &(dyn Fn(Event) + Sync)| {
        pull(store, &name, None, &RegistryOptions::default(), progress)
    };

    // Without a fault, to learn how much there is to go wrong.
    fetch(&Place::new().store(), &quiet).unwrap();
    let (bytes, connections) = proxy.set(None);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..if soak { 200 } else { 15 } {
        let fault = random.fault(bytes, connections);
        let told = format!("seed {seed}, round {round}, {fault:?}");
        let place = Place::new();
        let store = place.store();
        proxy.set(Some(fault));
        match fetch(&store, &quiet) {
            Ok(image) => {
                assert_eq!(image.id, id, "{told}");
                right += 1;
            }
            Err(error) => {
                let clear = matches!(error.kind(), Kind::Unavailable | Kind::Invalid | Kind::NotFound | Kind::Denied);
                assert!(clear && error.to_string().len() > 20, "{told}: {error}");
                wrong += 1;
            }
        }
        proxy.set(None);
        let image = fetch(&store, &quiet).unwrap_or_else(|error| panic!("{told}: the next pull: {error}"));
        assert_eq!(image.id, id, "{told}");
        assert_sound(&store, &told);
    }
    eprintln!("{right} ended right in spite of the fault, {wrong} with an error");
    assert!(right > 0);
}

#[test]
fn the_next_pull_goes_on_where_the_first_one_stopped() {
    let home = Place::new();
    let registry = Registry::start(home.path());
    let id = publish(&registry, &mut Random(7));
    let proxy = Proxy::start(registry.address.clone());
    let name = format!("{}/app", proxy.address).parse().unwrap();
    let place = Place::new();
    let store = place.store();
    pull(&store, &name, None, &RegistryOptions::default(), &quiet).unwrap();
    let (bytes, _) = proxy.set(None);
    drop(store);
    let place = Place::new();
    // A crash in the middle of three downloads leaves their beginnings.
    let blobs = fs_names(&home, "registry/docker/registry/v2/blobs/sha256");
    let begun = place.root().join("images/unfinished");
    std::fs::create_dir_all(&begun).unwrap();
    let mut kept = 0;
    for (hex, data) in &blobs {
        if data.len() > 100_000 {
            std::fs::write(begun.join(hex), &data[..data.len() / 2]).unwrap();
            kept += data.len() / 2;
        }
    }
    let store = place.store();
    assert_eq!(pull(&store, &name, None, &RegistryOptions::default(), &quiet).unwrap().id, id);
    let (again, _) = proxy.set(None);
    assert!(again < bytes - i64::try_from(kept).unwrap() + 20_000, "{again} of {bytes}, although {kept} were there");
    assert_sound(&store, "resumed");
    assert_eq!(std::fs::read_dir(&begun).unwrap().count(), 0);
    // A beginning that is not of this blob is found out at the end, and does not come back.
    let place = Place::new();
    let begun = place.root().join("images/unfinished");
    std::fs::create_dir_all(&begun).unwrap();
    let (hex, _) = blobs.iter().find(|(_, data)| data.len() > 100_000).unwrap();
    std::fs::write(begun.join(hex), b"something else").unwrap();
    let store = place.store();
    let error = pull(&store, &name, None, &RegistryOptions::default(), &quiet).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    assert_eq!(pull(&store, &name, None, &RegistryOptions::default(), &quiet).unwrap().id, id);
}

/// The registry's blobs: digest and content.
fn fs_names(home: &Place, below: &str) -> Vec<(String, Vec<u8>)> {
    let list = |path: std::path::PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let blobs = list(home.path().join(below)).flat_map(list);
    blobs
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path.join("data")).unwrap()))
        .collect()
}
