//! Everything that goes over the line, told as lines: `images pull --explain`.
//!
//! ```text
//! > GET https://registry-1.docker.io/v2/library/busybox/manifests/latest
//! < 401 Unauthorized
//! <   www-authenticate: Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="…"
//! > GET https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fbusybox%3Apull
//! < 200 OK
//! > GET https://registry-1.docker.io/v2/library/busybox/manifests/latest
//! >   authorization: Bearer eyJhbGciOiJFUzI1NiIs… (2437 letters)
//! < 200 OK
//! <   content-type: application/vnd.oci.image.index.v1+json
//! <   docker-content-digest: sha256:2f590fc6…
//! ```
//!
//! A token is good for minutes and its beginning for nothing, so that much is shown. A password is not: what is shown on a
//! terminal is soon in a log.

use ureq::http::Response;

use super::endpoint::Endpoint;

/// The headers of an answer that decide what happens next.
const TELLING: [&str; 8] = [
    "www-authenticate",
    "location",
    "content-type",
    "content-length",
    "content-range",
    "docker-content-digest",
    "retry-after",
    "link",
];

impl Endpoint {
    /// A request goes out.
    pub(super) fn explain_request(&self, method: &str, url: &str, authorization: Option<&str>) {
        let Some(tell) = self.explain else { return };
        tell(&format!("> {method} {url}"));
        if let Some(shown) = authorization {
            tell(&format!(">   authorization: {}", shortened(shown)));
        }
    }

    /// An answer has come in.
    pub(super) fn explain_answer(&self, response: &Response<ureq::Body>) {
        let Some(tell) = self.explain else { return };
        tell(&format!("< {}", response.status()));
        for name in TELLING {
            for value in response.headers().get_all(name) {
                // A stranger's words, on our user's terminal.
                let value: String =
                    value.to_str().unwrap_or("?").chars().filter(|letter| !letter.is_control()).collect();
                tell(&format!("<   {name}: {value}"));
            }
        }
    }
}

/// An `Authorization` header as it may be shown.
fn shortened(header: &str) -> String {
    match header.split_once(' ') {
        Some(("Bearer", token)) if token.len() > 20 => {
            format!("Bearer {}… ({} letters)", token.chars().take(20).collect::<String>(), token.len())
        }
        Some((scheme, _)) => format!("{scheme} …"),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(
            shortened("Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9"),
            "Bearer eyJhbGciOiJFUzI1NiIs… (36 letters)"
        );
        assert_eq!(shortened("Bearer short"), "Bearer …");
        assert_eq!(shortened("Basic bWU6c2VjcmV0"), "Basic …");
        assert_eq!(shortened("odd"), "…");
    }
}
