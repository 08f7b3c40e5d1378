//! Where a registry is, and how it is spoken to.
//!
//! HTTPS, always, with two exceptions: a registry on loopback, and one that the daemon was told to trust
//! (`--insecure-registry`). Those are asked over HTTPS first, with any certificate, and over HTTP if they do not
//! understand.
//!
//! docker.io is a name and not a host: its registry is `registry-1.docker.io`. It is also the only one with mirrors,
//! which are asked first and without our password.
//!
//! The environment's proxy (`HTTPS_PROXY`, `NO_PROXY`) is used, but never for loopback.

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use namespaces::Failure;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::RegistryOptions;
use crate::error::{Error, Kind, Result};

/// The certificates that the machine trusts, as Debian, Fedora and Alpine have them. Without one of these files the
/// program's own list counts.
const TRUSTED: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A registry that can be spoken to.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// `https://registry-1.docker.io`
    pub(super) base: String,
    /// Keeps connections open for the next request.
    pub(super) agent: Agent,
    /// Whether plain HTTP is allowed, also for the token and for redirects.
    pub(super) insecure: bool,
}

impl Endpoint {
    /// The endpoints for images of `domain`, in the order in which they are to be tried.
    /// Only docker.io has several. That a mirror exists is not checked here: asking it for the manifest will tell.
    pub(super) fn of(domain: &str, options: &RegistryOptions) -> Result<Vec<Self>> {
        if domain != "docker.io" {
            return Ok(vec![Self::connect(domain, options)?]);
        }
        let mirror = |base: &String| {
            let base = base.trim_end_matches('/');
            let host = base.split_once("://").map_or(base, |(_, host)| host);
            let insecure = base.starts_with("http://") || is_insecure(host, options);
            Self { base: base.to_owned(), agent: agent(host, insecure), insecure }
        };
        let mut endpoints: Vec<_> = options.mirrors.iter().map(mirror).collect();
        endpoints.push(Self::connect("registry-1.docker.io", options)?);
        Ok(endpoints)
    }

    /// HTTPS; for a registry that is allowed to be insecure, HTTP if it does not answer HTTPS.
    fn connect(host: &str, options: &RegistryOptions) -> Result<Self> {
        let insecure = is_insecure(host, options);
        let agent = agent(host, insecure);
        let secure = Self { base: format!("https://{host}"), agent, insecure };
        if !insecure {
            return Ok(secure);
        }
        let plain = Self { base: format!("http://{host}"), ..secure.clone() };
        let answers = |endpoint: &Self| endpoint.agent.get(format!("{}/v2/", endpoint.base)).call();
        match answers(&secure) {
            Ok(_) => Ok(secure),
            Err(_) => match answers(&plain) {
                Ok(_) => Ok(plain),
                Err(error) => Err(unreachable(host, &error)),
            },
        }
    }

    /// Fails when `url` would send in the clear what must not be.
    pub(super) fn allow(&self, url: &str) -> Result<()> {
        if self.insecure || url.starts_with("https://") {
            return Ok(());
        }
        let failure = Failure::new("follow the registry to", "the connection would not be encrypted").on(url);
        Err(Error::new(Kind::Unavailable, failure))
    }
}

/// The failure of a registry that cannot be reached.
pub(super) fn unreachable(host: &str, error: &ureq::Error) -> Error {
    let why = match error {
        ureq::Error::Io(inner) => inner.to_string(),
        other => other.to_string(),
    };
    let hint = match error {
        _ if is_lookup(error) => "Is the name right, and does the machine's name service work?",
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "If it is a registry of your own without a valid certificate, allow it with --insecure-registry."
        }
        _ => "Is it running, and does a proxy or firewall let this machine through?",
    };
    Error::new(Kind::Unavailable, Failure::new("reach the registry", why).on(host)).with_hint(hint)
}

/// Whether the name has no address. The standard library has no kind for this error, only the words.
pub(super) fn is_lookup(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Io(inner) => inner.raw_os_error().is_none() && inner.to_string().contains("lookup"),
        _ => false,
    }
}

/// Whether HTTP is allowed: by address, never by what a name resolves to.
fn is_insecure(host: &str, options: &RegistryOptions) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
    loopback || options.insecure.iter().any(|allowed| allowed == host || allowed == name)
}

/// What sends the requests. Redirects and error statuses are ours to judge.
/// The times are for one step each, none for the whole: a large layer over a slow line may take an hour, as long as
/// something comes every minute.
fn agent(host: &str, insecure: bool) -> Agent {
    let tls = TlsConfig::builder().root_certs(trusted()).disable_verification(insecure).build();
    let proxy = if is_insecure(host, &RegistryOptions::default()) { None } else { Proxy::try_from_env() };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("skiff/", env!("CARGO_PKG_VERSION")))
        // A layer is stored as it travels, so nothing may be compressed on the way only.
        .accept_encoding("identity")
        .timeout_resolve(seconds(10))
        .timeout_connect(seconds(15))
        .timeout_recv_response(seconds(60))
        .timeout_per_read(seconds(60))
        .tls_config(tls)
        .proxy(proxy)
        .build()
        .new_agent()
}

/// The machine's certificates, as with every other program on it: a company's own authority is in there too.
/// `SSL_CERT_FILE` names another file.
fn trusted() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(Into::into);
    let files = named.into_iter().chain(TRUSTED.iter().map(std::path::PathBuf::from));
    let Some(pem) = files.into_iter().find_map(|file| fs::read(file).ok()) else { return RootCerts::WebPki };
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem).filter_map(certificate).collect();
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::Specific(Arc::new(certificates)) }
}

#[cfg(test)]
mod tests {
    use super::{RegistryOptions, is_insecure};

    #[test]
    fn who_may_be_insecure() {
        let options =
            RegistryOptions { insecure: vec!["lab:5000".into(), "10.0.0.7".into()], ..RegistryOptions::default() };
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]:5000",
            "[::1]",
            "lab:5000",
            "10.0.0.7:1",
        ] {
            assert!(is_insecure(host, &options), "{host}");
        }
        for host in ["lab", "lab:5001", "localhost.example", "128.0.0.1", "[2001:db8::1]:5000", "docker.io"] {
            assert!(!is_insecure(host, &options), "{host}");
        }
    }
}
