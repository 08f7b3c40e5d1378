//! A daemon at a port, by way of TLS. In front of the daemon stands a server that decrypts.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::daemon::{Answer, Daemon};

/// A daemon that lets in only who has a certificate, and the directory with all certificates.
struct Encrypted {
    daemon: Daemon,
    files: tempfile::TempDir,
    address: String,
}

impl Encrypted {
    fn new() -> Self {
        let daemon = Daemon::new(|_, path, _| match path.split('?').next().unwrap() {
            "/containers/json" => Answer::Plain(200, r#"[{"Id":"c1"}]"#),
            "/containers/create" => Answer::Plain(201, r#"{"Id":"c1","Warnings":[]}"#),
            "/containers/c1/attach" => Answer::Echo,
            "/containers/c1/wait" => Answer::Plain(200, "{\"StatusCode\":0}\n"),
            _ => Answer::Plain(204, ""),
        });
        let files = tempfile::tempdir().unwrap();
        certificates(files.path());
        let address = front(files.path(), daemon.address().trim_start_matches("unix://").to_owned());
        Self { daemon, files, address }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// The program with settings of its own and nothing in its environment that could lead elsewhere.
    fn skiff(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skiff"));
        for variable in ["DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "SKIFF_HOST"] {
            command.env_remove(variable);
        }
        command.env("DOCKER_HOST", format!("tcp://{}", self.address)).env("DOCKER_CONFIG", self.file("settings"));
        command.args(arguments).stdin(Stdio::null());
        command
    }
}

/// `ca.pem`, a `server` for 127.0.0.1 and our `cert` with `key.pem`, and `stranger.pem`, which is another authority.
fn certificates(directory: &Path) {
    let script = "set -e; cd $0; new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $new -subj /CN=ca -days 30 -keyout ca.key -out ca.pem
        openssl req -x509 $new -subj /CN=stranger -days 30 -keyout stranger.key -out stranger.pem
        echo subjectAltName=IP:127.0.0.1 > names
        for name in server cert; do
            openssl req $new -subj /CN=$name -keyout $name.key -out $name.csr
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out $name.pem
        done
        mv cert.key key.pem";
    let made = Command::new("sh").args(["-c", script]).arg(directory).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Listens at a port that the kernel chooses and passes everything on to the socket.
fn front(directory: &Path, socket: String) -> String {
    let load = |name: &str| CertificateDer::from_pem_file(directory.join(name)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(load("ca.pem")).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key")).unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(vec![load("server.pem")], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, socket) = (acceptor.clone(), socket.clone());
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(stream).await else { return };
                    let Ok(mut far) = UnixStream::connect(socket).await else { return };
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
    });
    address
}

#[track_caller]
fn prints(command: &mut Command, expected: &str) {
    let output = command.output().unwrap();
    assert_eq!((said(&output).0.as_str(), output.status.code()), (expected, Some(0)), "{}", said(&output).1);
}

#[track_caller]
fn fails(command: &mut Command, parts: &[&str]) {
    let output = command.output().unwrap();
    let (_, error) = said(&output);
    assert!(output.status.code() == Some(1) && parts.iter().all(|part| error.contains(part)), "{error}");
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn flags_or_variables_say_who_is_who() {
    let far = Encrypted::new();
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| far.file(name));
    let us = ["--tlscert", &cert, "--tlskey", &key];
    prints(&mut far.skiff(&[&["--tlsverify", "--tlscacert", &ca], &us[..], &["ps", "-q"]].concat()), "c1\n");
    prints(&mut far.skiff(&[&["--tls"], &us[..], &["ps", "-q"]].concat()), "c1\n");
    let files = far.file("");
    prints(far.skiff(&["ps", "-q"]).env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", &files), "c1\n");
    prints(far.skiff(&["--tlsverify=false", "ps", "-q"]).env("DOCKER_CERT_PATH", &files), "c1\n");
}

#[test]
fn the_end_of_our_input_travels_encrypted_too() {
    let far = Encrypted::new();
    let mut skiff = far.skiff(&["--tlsverify", "run", "-i", "image"]);
    skiff.env("DOCKER_CERT_PATH", far.file("")).stdin(std::fs::File::open(far.file("names")).unwrap());
    prints(&mut skiff, "subjectAltName=IP:127.0.0.1\n");
}

#[test]
fn a_context_has_its_own_certificates() {
    let far = Encrypted::new();
    let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| far.file(name));
    let settings = format!("host=tcp://{},cert={cert},key={key}", far.address);
    let checked = format!("{settings},ca={ca}");
    let unchecked = format!("{settings},skip-tls-verify=true");
    for (name, settings) in [("checked", checked), ("unchecked", unchecked)] {
        prints(&mut far.skiff(&["context", "create", name, "--docker", &settings]), &format!("{name}\n"));
        prints(&mut far.skiff(&["-c", name, "ps", "-q"]), "c1\n");
    }
}

#[test]
fn what_is_wrong_is_named_and_what_to_do() {
    let far = Encrypted::new();
    let [ca, stranger, cert, key] = ["ca.pem", "stranger.pem", "cert.pem", "key.pem"].map(|name| far.file(name));
    let verify = ["--tlsverify", "--tlscacert"];
    fails(&mut far.skiff(&[&verify[..], &["/no/ca.pem", "ps"]].concat()), &["certificate in /no/ca.pem: No such file"]);
    let of_stranger = &[&verify[..], &[&stranger, "--tlscert", &cert, "--tlskey", &key, "ps"]].concat();
    fails(&mut far.skiff(of_stranger), &["cannot agree with the daemon at tcp://", "hint: --tlscacert"]);
    fails(&mut far.skiff(&[&verify[..], &[&ca, "--tlskey", &key, "ps"]].concat()), &["cert.pem: No such file"]);
    // Whether the refusal arrives before the end of the connection does is up to the kernel.
    fails(&mut far.skiff(&[&verify[..], &[&ca, "ps"]].concat()), &["the connection to the daemon broke"]);
    fails(&mut far.skiff(&["ps"]), &["give --tlsverify"]);
    assert!(far.daemon.asked().is_empty(), "nothing is said before both know each other");
}

#[test]
fn a_port_without_tls_is_told_from_one_with_the_wrong_certificate() {
    let far = Encrypted::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = answer.and_then(|()| std::io::copy(&mut stream, &mut std::io::sink()));
    });
    fails(&mut far.skiff(&["-H", &address, "--tls", "ps"]), &["hint: Nobody speaks TLS there."]);
}
