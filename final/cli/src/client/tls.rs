//! TLS to daemons at a TCP port: we check that the daemon is the right one, and show who we are.
//!
//! Whoever may use a daemon is root on its machine. So the daemon wants a certificate, and we want one from it, before a
//! word is said. The settings are docker's: `--tlsverify` and its relatives, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`, or
//! the files of a context. Sockets of this machine and ssh need none of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result, reason};

/// Where the certificates are, and whether the daemon's is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The authority that has signed the daemon's certificate. `None` takes any daemon for the right one.
    pub(crate) authority: Option<PathBuf>,
    /// Our certificate and its key, for daemons that ask for one.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What the command line says of it.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// `--tls`.
    pub(crate) tls: Option<bool>,
    /// `--tlsverify`.
    pub(crate) verify: Option<bool>,
    /// `--tlscacert`.
    pub(crate) authority: Option<PathBuf>,
    /// `--tlscert`.
    pub(crate) certificate: Option<PathBuf>,
    /// `--tlskey`.
    pub(crate) key: Option<PathBuf>,
}

impl Tls {
    /// Docker's rules. `--tlsverify`, even with `=false`, means TLS, as a `DOCKER_TLS_VERIFY` that is not empty does. Files
    /// that no flag names are in `DOCKER_CERT_PATH` or else in `directory`; the certificate and key there may be missing.
    pub(crate) fn choose(flags: Flags, directory: &Path, environment: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let verify = flags.verify.unwrap_or_else(|| set("DOCKER_TLS_VERIFY").is_some());
        let tls = flags.tls.unwrap_or_else(|| set("DOCKER_TLS").is_some());
        if !(tls || verify || flags.verify.is_some()) {
            return None;
        }
        let directory = set("DOCKER_CERT_PATH").map_or_else(|| directory.to_owned(), PathBuf::from);
        let present = |name: &str| Some(directory.join(name)).filter(|path| path.exists());
        let identity = (flags.certificate.or_else(|| present("cert.pem")), flags.key.or_else(|| present("key.pem")));
        Some(Self {
            authority: verify.then(|| flags.authority.unwrap_or_else(|| directory.join("ca.pem"))),
            identity: match identity {
                (None, None) => None,
                // One alone is a mistake that is told when the other cannot be read.
                (certificate, key) => Some((
                    certificate.unwrap_or_else(|| directory.join("cert.pem")),
                    key.unwrap_or_else(|| directory.join("key.pem")),
                )),
            },
        })
    }

    /// Those of a context, from the directory with its files. Without a file and without `skip` there is no TLS.
    pub(crate) fn of_context(directory: &Path, skip: bool) -> Option<Self> {
        let [authority, certificate, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| directory.join(name));
        let identity = certificate.exists() || key.exists();
        (skip || identity || authority.exists())
            .then(|| Self { authority: (!skip).then_some(authority), identity: identity.then_some((certificate, key)) })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// They name the file.
    pub(crate) fn connector(&self) -> Result<TlsConnector> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::new(format!("cannot use TLS: {error}")))?;
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> = match &self.authority {
            Some(path) => builder.with_root_certificates(trusted(path)?),
            None => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyDaemon(provider))),
        };
        let config = match &self.identity {
            Some((certificate, key)) => {
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("key", key, &error))?;
                builder.with_client_auth_cert(certificates(certificate)?, secret).map_err(|error| {
                    let (certificate, key) = (certificate.display(), key.display());
                    Error::new(format!("the key in {key} does not fit the certificate in {certificate}: {error}"))
                        .hint("Give the two that were made together, with --tlscert and --tlskey.")
                })?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// The authorities in a file.
fn trusted(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let added = roots.add(certificate);
        added.map_err(|error| Error::new(format!("cannot trust the authority in {}: {error}", path.display())))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found.map_err(|error| unreadable("certificate", path, &error))? {
        none if none.is_empty() => Err(unreadable("certificate", path, &pem::Error::NoItemsFound)),
        found => Ok(found),
    }
}

fn unreadable(what: &str, path: &Path, error: &pem::Error) -> Error {
    let (why, hint) = match error {
        pem::Error::Io(error) => (
            reason(error),
            "Name the files with --tlscacert, --tlscert and --tlskey, or their directory with DOCKER_CERT_PATH.",
        ),
        pem::Error::NoItemsFound => (format!("there is no {what} in it"), "It has to be in PEM form and unencrypted."),
        error => (error.to_string(), "It has to be in PEM form and unencrypted."),
    };
    Error::new(format!("cannot read the {what} in {}: {why}", path.display())).hint(hint)
}

/// The name that the daemon's certificate has to be for, from `HOST:PORT`.
pub(super) fn name(address: &str) -> std::io::Result<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(host).map_err(std::io::Error::other)
}

/// What to do about a conversation that failed because of TLS; none when it failed for another reason.
pub(super) fn hint(error: &std::io::Error) -> Option<&'static str> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(_) => Some(
            "--tlscacert has to name the authority that signed the daemon's certificate, which has to be for this host.",
        ),
        rustls::Error::InvalidMessage(_) => {
            Some("Nobody speaks TLS there. Leave out --tls, --tlsverify and DOCKER_TLS_VERIFY, or take another port.")
        }
        rustls::Error::AlertReceived(_) => {
            Some("The daemon does not let us in: --tlscert and --tlskey have to name a certificate of its authority.")
        }
        _ => None,
    }
}

/// Takes any certificate, but still wants to see that the daemon has the key to it: what `--tlsverify=false` asks for.
#[derive(Debug)]
struct AnyDaemon(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyDaemon {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(flags: Flags, directory: &Path, set: &[(&str, &str)]) -> Option<Tls> {
        let get = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Tls::choose(flags, directory, get)
    }

    #[test]
    fn nobody_asks_for_tls_by_accident() {
        let at = Path::new("/nowhere");
        assert_eq!(choose(Flags::default(), at, &[("DOCKER_TLS_VERIFY", ""), ("DOCKER_CERT_PATH", "/x")]), None);
        assert_eq!(choose(Flags { tls: Some(false), ..Flags::default() }, at, &[("DOCKER_TLS", "1")]), None);
    }

    #[test]
    fn what_is_checked_and_with_which_files() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let verified = |path: PathBuf| Some(Tls { authority: Some(path), identity: None });
        let variables = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/elsewhere")];
        assert_eq!(choose(Flags::default(), at, &variables), verified("/elsewhere/ca.pem".into()));
        assert_eq!(choose(Flags::default(), at, &variables[..1]), verified(at.join("ca.pem")));
        let insecure = Some(Tls { authority: None, identity: None });
        assert_eq!(choose(Flags { verify: Some(false), ..Flags::default() }, at, &variables), insecure);
        assert_eq!(choose(Flags { tls: Some(true), ..Flags::default() }, at, &[]), insecure);
        std::fs::write(at.join("cert.pem"), "").unwrap();
        let found = choose(Flags { verify: Some(true), key: Some("/k".into()), ..Flags::default() }, at, &[]).unwrap();
        assert_eq!(found.identity, Some((at.join("cert.pem"), "/k".into())));
    }

    #[test]
    fn a_context_has_tls_when_it_has_a_file_or_checks_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        assert_eq!(Tls::of_context(at, false), None);
        assert_eq!(Tls::of_context(at, true), Some(Tls { authority: None, identity: None }));
        std::fs::write(at.join("ca.pem"), "").unwrap();
        let checked = Tls { authority: Some(at.join("ca.pem")), identity: None };
        assert_eq!(Tls::of_context(at, false), Some(checked.clone()));
        let error = checked.connector().err().unwrap();
        assert!(error.message.ends_with("ca.pem: there is no certificate in it"), "{error:?}");
    }

    #[test]
    fn a_refusal_by_the_daemon_is_about_our_certificate() {
        let refused = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        assert!(hint(&std::io::Error::other(refused)).is_some_and(|hint| hint.contains("--tlscert and --tlskey")));
        assert_eq!(hint(&std::io::ErrorKind::ConnectionReset.into()), None);
    }

    #[test]
    fn the_name_in_the_certificate_is_the_host_alone() {
        for (address, expected) in [("far:2376", "far"), ("10.0.0.1:1", "10.0.0.1"), ("[::1]:99", "::1")] {
            assert_eq!(name(address).unwrap().to_str(), expected);
        }
    }
}
