//! TLS for clients from the network: the daemon shows its certificate, and lets in who shows one of the same authority.
//!
//! Whoever may use the API is root on this machine, so a client without a certificate is not let in at all, unless the
//! flags say otherwise by name (`--tlsverify=false`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Where the certificates are, and what is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Authority that has signed the clients' certificates. `None` lets in everybody.
    pub(crate) authority: Option<PathBuf>,
    /// Our certificate, and those that vouch for it.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match &self.authority {
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).with_context(|| format!("cannot trust {}", path.display()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.with_context(|| format!("cannot use {}", path.display()))?)
            }
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .with_context(|| format!("cannot read the key in {}", self.key.display()))?;
        let config = builder
            .with_single_cert(certificates(&self.certificate)?, key)
            .with_context(|| format!("{} does not fit {}", self.key.display(), self.certificate.display()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.with_context(|| format!("cannot read the certificates in {}", path.display()))?;
    if found.is_empty() {
        bail!("there is no certificate in {}", path.display());
    }
    Ok(found)
}
