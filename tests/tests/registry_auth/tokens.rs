//! A token service ("Token Authentication Specification" of the distribution project): whoever shows the password or a
//! refresh token gets what they ask for, nobody gets nothing. Tokens are JSON web tokens signed with RS256. It is spoken to over
//! HTTPS, and its certificate is the registry's: the same authority vouches for both.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sched::{CloneFlags, setns};
use rustls::{ServerConnection, StreamOwned};
use skiff_tests::Daemon;

use crate::parts::{ADDRESS, Certificates, PASSWORD, USER};

/// The refresh token that every login gets.
const REFRESH: &str = "a-token-for-later";
const SERVICE: &str = "the test registry";

/// The service. Its thread ends with the test process.
pub(crate) struct Service {
    address: String,
    authority: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts it in the daemon's network namespace, at the registry's address.
    pub(crate) fn start(daemon: &Daemon, certificates: &Certificates) -> Self {
        let namespace = fs::File::open(format!("/proc/{}/ns/net", daemon.pid())).unwrap();
        let listener = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            TcpListener::bind((ADDRESS, 0)).unwrap()
        });
        let listener = listener.join().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let authority = certificates.path("authority/ca.crt");
        let (key, certificate) = (certificates.path("ca.key"), der(&authority));
        let tls = certificates.server();
        let service =
            Self { address: listener.local_addr().unwrap().to_string(), authority, asked: Arc::clone(&asked) };
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let session = ServerConnection::new(Arc::clone(&tls)).unwrap();
                // A client that goes away has its reasons; the next one is served all the same.
                let _ = answer(StreamOwned::new(session, connection), &asked, &key, &certificate);
            }
        });
        service
    }

    /// The registry's side: lines of its configuration.
    pub(crate) fn registry(&self) -> String {
        let (address, bundle) = (&self.address, self.authority.display());
        format!(
            "auth:\n  token: {{realm: \"https://{address}/token\", service: {SERVICE}, issuer: the test, \
             rootcertbundle: {bundle}}}\n"
        )
    }

    /// The scopes of each token that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One request, one answer.
fn answer(
    connection: StreamOwned<ServerConnection, TcpStream>,
    asked: &Mutex<Vec<String>>,
    key: &PathBuf,
    certificate: &str,
) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let named = lines.iter().filter_map(|line| line.split_once(": "));
        named.filter(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let target = lines.first()?.split(' ').nth(1)?.to_owned();
    let mut query = target.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    query += &String::from_utf8(body).ok()?;
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), plain(value)))
        .collect();
    let value = |name: &str| pairs.iter().find(|(each, _)| each == name).map(|(_, value)| value.clone());
    let scopes = pairs.iter().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.clone());
    let scopes = scopes.collect::<Vec<_>>().join(" ");
    let basic = format!("Basic {}", base64(format!("{USER}:{PASSWORD}").as_bytes(), *b"+/", true));
    let shown = header("authorization");
    let known = shown.as_deref() == Some(&basic) || value("refresh_token").as_deref() == Some(REFRESH);
    let nobody = shown.is_none() && value("refresh_token").is_none();
    asked.lock().unwrap().push(scopes.clone());
    let (status, text) = if known || nobody {
        let token = token(if known { &scopes } else { "" }, key, certificate);
        let later = value("offline_token").map(|_| format!(r#","refresh_token":"{REFRESH}""#)).unwrap_or_default();
        (200, format!(r#"{{"token":"{token}","access_token":"{token}","expires_in":60{later}}}"#))
    } else {
        (401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}"#.to_owned())
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    let mut connection = reader.into_inner();
    connection.write_all((head + &text).as_bytes()).ok()?;
    connection.conn.send_close_notify();
    connection.flush().ok()
}

/// A token that is good for `scopes`.
fn token(scopes: &str, key: &PathBuf, certificate: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let access = scopes.split_whitespace().filter_map(|scope| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<_> = actions.split(',').map(|action| format!("{action:?}")).collect();
        Some(format!(r#"{{"type":"{kind}","name":"{name}","actions":[{}]}}"#, actions.join(",")))
    });
    let access = access.collect::<Vec<_>>().join(",");
    let claims = format!(
        r#"{{"iss":"the test","sub":"{USER}","aud":"{SERVICE}","nbf":{},"iat":{now},"exp":{},"jti":"1","access":[{access}]}}"#,
        now - 60,
        now + 600
    );
    let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{certificate}"]}}"#);
    let part = |text: &str| base64(text.as_bytes(), *b"-_", false);
    let signed = format!("{}.{}", part(&header), part(&claims));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("signed");
    fs::write(&file, &signed).unwrap();
    let output = Command::new("openssl").args(["dgst", "-sha256", "-sign"]).arg(key).arg(file).output().unwrap();
    format!("{signed}.{}", base64(&output.stdout, *b"-_", false))
}

/// The certificate in a PEM file, as JSON web tokens carry it.
fn der(path: &PathBuf) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.starts_with("-----")).collect()
}

/// RFC 4648, with the two letters in which its alphabets differ.
fn base64(bytes: &[u8], last: [u8; 2], padded: bool) -> String {
    let letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain([&0, &0]).take(3).fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        let four = [18, 12, 6, 0].map(|shift| char::from(letters[bits >> shift & 63]));
        text.extend(&four[..=three.len()]);
        if padded {
            text.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
    }
    text
}

/// A value of a query or a form, decoded.
fn plain(value: &str) -> String {
    let bytes = value.as_bytes();
    let (mut text, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                text.push(u8::from_str_radix(&value[at + 1..at + 3], 16).unwrap());
                at += 2;
            }
            b'+' => text.push(b' '),
            byte => text.push(byte),
        }
        at += 1;
    }
    String::from_utf8(text).unwrap()
}
