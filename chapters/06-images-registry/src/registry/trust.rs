//! Whose certificates count, and which are our own.
//!
//! ```text
//! /etc/ssl/certs/ca-certificates.crt       the machine's list: good for every registry
//! /etc/docker/certs.d/HOST[:PORT]/
//!   ca.crt                                 vouches for this registry as well
//!   client.cert, client.key                what we show to this registry (mutual TLS)
//! ```
//!
//! The directory is docker's, so that a machine which pulls with docker pulls with us. The own list of a company or of a
//! home network belongs there, not behind `--insecure-registry`, which asks nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// The certificates that the machine trusts, as Debian, Fedora and Alpine have them. Without one of these files the
/// program's own list counts.
const TRUSTED: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What a directory has for one registry.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    /// Who vouches for it, besides the machine's list.
    pub(super) authorities: Vec<Certificate<'static>>,
    /// Who we are to it.
    client: Option<ClientCert>,
}

impl Certificates {
    /// Reads `DIRECTORY/HOST[:PORT]` of each directory. What is not there or not readable does not count: then the
    /// connection fails, and its error says more than ours could.
    pub(super) fn of(host: &str, directories: &[PathBuf]) -> Self {
        // A host comes from a reference, which has no slash and is never `..`; a mirror's address may be anything.
        if host.is_empty() || host.contains('/') || host.starts_with('.') {
            return Self::default();
        }
        let mut found = Self::default();
        for directory in directories.iter().map(|directory| directory.join(host)) {
            for file in files(&directory, "crt") {
                found.authorities.extend(certificates(&fs::read(&file).unwrap_or_default()));
            }
            found.client = found.client.or_else(|| files(&directory, "cert").iter().find_map(|file| client(file)));
        }
        found
    }

    /// How to speak TLS with this registry. `unverified` takes any certificate.
    pub(super) fn config(self, unverified: bool) -> TlsConfig {
        let roots = if unverified { RootCerts::WebPki } else { with_machines(self.authorities) };
        TlsConfig::builder().root_certs(roots).disable_verification(unverified).client_cert(self.client).build()
    }
}

/// The machine's certificates, as with every other program on it, and these. `SSL_CERT_FILE` names another file.
fn with_machines(own: Vec<Certificate<'static>>) -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(Into::into);
    let files = named.into_iter().chain(TRUSTED.iter().map(PathBuf::from));
    let mut all =
        files.into_iter().find_map(|file| fs::read(file).ok()).map(|pem| certificates(&pem)).unwrap_or_default();
    all.extend(own);
    if all.is_empty() { RootCerts::WebPki } else { RootCerts::Specific(Arc::new(all)) }
}

/// The certificates in a PEM file. Lines that are none are left out.
fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    parse_pem(pem).filter_map(certificate).collect()
}

/// `NAME.cert` with `NAME.key` beside it.
fn client(file: &Path) -> Option<ClientCert> {
    let key = PrivateKey::from_pem(&fs::read(file.with_extension("key")).ok()?).ok()?;
    let chain = certificates(&fs::read(file).ok()?);
    (!chain.is_empty()).then(|| ClientCert::new_with_certs(&chain, key))
}

/// The files with this extension, in a stable order.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    files.sort();
    files
}
