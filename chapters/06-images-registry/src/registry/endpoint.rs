//! Where a registry is, and how it is spoken to.
//!
//! HTTPS, always, with two exceptions: a registry on loopback, and one that the daemon was told to trust
//! (`--insecure-registry`). Those are asked over HTTPS first, with any certificate, and over HTTP if they do not
//! understand.
//!
//! docker.io is a name and not a host: its registry is `registry-1.docker.io`. Every registry can have mirrors, which are
//! asked first and without our password.
//!
//! The environment's proxy (`HTTPS_PROXY`, `NO_PROXY`) is used, but never for loopback.

use std::net::IpAddr;
use std::time::Duration;

use namespaces::Failure;
use ureq::{Agent, Proxy};

use super::RegistryOptions;
use super::trust::Certificates;
use crate::error::{Error, Kind, Result};

/// A registry that can be spoken to.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// `https://registry-1.docker.io`
    pub(super) base: String,
    /// Keeps connections open for the next request.
    pub(super) agent: Agent,
    /// Whether plain HTTP is allowed, also for the token and for redirects.
    pub(super) insecure: bool,
    /// Whether it only keeps copies of what another registry has. A mirror is never shown who we are.
    pub(super) mirror: bool,
    /// See [`RegistryOptions::explain`].
    pub(super) explain: Option<fn(&str)>,
}

impl Endpoint {
    /// The endpoints to pull images of `domain` from, in the order in which they are to be tried.
    /// That a mirror exists is not checked here: asking it for the manifest will tell.
    pub(super) fn all(domain: &str, options: &RegistryOptions) -> Result<Vec<Self>> {
        let mirror = |base: &str| {
            let base = base.trim_end_matches('/');
            let host = base.split_once("://").map_or(base, |(_, host)| host);
            let insecure = base.starts_with("http://") || is_insecure(host, options);
            let agent = agent(host, insecure, options);
            Self { base: base.to_owned(), agent, insecure, mirror: true, explain: options.explain }
        };
        let mut endpoints: Vec<_> = mirrors(domain, &options.mirrors).map(mirror).collect();
        match Self::direct(domain, options) {
            Ok(direct) => endpoints.push(direct),
            // A mirror may be there for the very reason that the registry cannot be reached.
            Err(error) if endpoints.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(endpoints)
    }

    /// The registry itself: to push to, to log in to. HTTPS; for a registry that is allowed to be insecure, HTTP if it does
    /// not answer HTTPS.
    pub(super) fn direct(domain: &str, options: &RegistryOptions) -> Result<Self> {
        let host = if domain == "docker.io" { "registry-1.docker.io" } else { domain };
        let certified = !Certificates::of(host, &options.certificates).authorities.is_empty();
        // Whoever has put a certificate there wants it to be checked, on loopback too.
        let insecure = is_insecure(host, options) && !certified;
        let agent = agent(host, insecure, options);
        let base = format!("https://{host}");
        let secure = Self { base, agent, insecure, mirror: false, explain: options.explain };
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

/// The mirrors of a registry. One without a name in front is of docker.io, as in dockerd's `--registry-mirror`.
fn mirrors<'a>(domain: &'a str, mirrors: &'a [String]) -> impl Iterator<Item = &'a str> {
    let of = |mirror: &'a String| match mirror.split_once('=') {
        Some((of, base)) if !of.contains("://") => (of, base),
        _ => ("docker.io", mirror.as_str()),
    };
    mirrors.iter().map(of).filter(move |(of, _)| *of == domain).map(|(_, base)| base)
}

/// The failure of a registry that cannot be reached.
pub(super) fn unreachable(host: &str, error: &ureq::Error) -> Error {
    let why = match error {
        ureq::Error::Io(inner) => inner.to_string(),
        other => other.to_string(),
    };
    let hint = match error {
        _ if is_lookup(error) => "Is the name right, and does the machine's name service work?",
        // An alert of TLS: it has seen no certificate of ours, or one that it does not know.
        _ if why.contains("fatal alert") && why.contains("Certificate") => {
            "The registry wants to know who asks: put your certificate and its key into /etc/skiff/certs.d/HOST:PORT/client.cert and client.key."
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "If it is a registry of your own, put the certificate that vouches for it into /etc/skiff/certs.d/HOST:PORT/ca.crt."
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
    // SOLUTION insecure
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = name == "localhost" || address.is_ok_and(|address| address.is_loopback());
    loopback || options.insecure.iter().any(|allowed| allowed == host || allowed == name)
    // END SOLUTION
}

/// What sends the requests. Redirects and error statuses are ours to judge.
/// The times are for one step each, none for the whole: a large layer over a slow line may take an hour, as long as
/// something comes every minute.
fn agent(host: &str, insecure: bool, options: &RegistryOptions) -> Agent {
    let certificates = Certificates::of(host, &options.certificates);
    let loopback = is_insecure(host, &RegistryOptions::default());
    let proxy = if loopback { None } else { Proxy::try_from_env() };
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
        .tls_config(certificates.config(insecure))
        .proxy(proxy)
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests {
    use super::{RegistryOptions, is_insecure, mirrors};

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

    #[test]
    fn every_registry_has_its_own_mirrors() {
        let all = ["https://hub", "ghcr.io=https://ours", "docker.io=http://other?a=b"].map(str::to_owned);
        assert_eq!(mirrors("docker.io", &all).collect::<Vec<_>>(), ["https://hub", "http://other?a=b"]);
        assert_eq!(mirrors("ghcr.io", &all).collect::<Vec<_>>(), ["https://ours"]);
        assert_eq!(mirrors("quay.io", &all).count(), 0);
    }
}
