//! `pull`: step 1 of the six, fetch an image from a registry.

use clap::Args;

use crate::client::{Client, Lines, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output;
use crate::output::progress::{self, To};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// All tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Platform of the image, such as linux/arm64
    #[arg(long, value_name = "PLATFORM", env = "DOCKER_DEFAULT_PLATFORM", hide_env = true)]
    platform: Option<String>,
    /// Say nothing on the way
    #[arg(short, long)]
    quiet: bool,
    /// Accepted for docker's sake: there are no signatures of that kind any more
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    #[arg(hide = true, value_name = "NAME")]
    image: String,
}

impl Execute for Pull {
    const USAGE: &'static str = "[OPTIONS] NAME[:TAG|@DIGEST]";
    const ABOUT: &'static str = "Fetch an image from a registry";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut reference = Reference::parse(&self.image)?;
        if self.all_tags {
            if reference.tag.is_some() {
                return Err(Error::new("tag can't be used with --all-tags/-a"));
            }
        } else if reference.is_untagged() {
            if !self.quiet {
                output::line("Using default tag: latest")?;
            }
            reference = reference.or_latest();
        }
        pull(client, &reference, self.platform.as_deref(), if self.quiet { To::Nowhere } else { To::Output }).await?;
        output::line(reference.canonical())?;
        Ok(DONE)
    }
}

/// Pulls an image and shows how it goes on. Without a tag and a digest, all tags.
pub(crate) async fn pull(client: &Client, reference: &Reference, platform: Option<&str>, to: To) -> Result<()> {
    let request = Request::post("/images/create").query("fromImage", reference.repository());
    let request =
        request.maybe("tag", reference.digest.as_ref().or(reference.tag.as_ref())).maybe("platform", platform);
    let request = request.header("X-Registry-Auth", client.logins.header(reference.domain())?);
    progress::show(Lines::new(client.stream(request).await?), to).await
}

/// The name of an image: `[HOST/]PATH[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Host and path, as they were written.
    pub(crate) name: String,
    /// The tag.
    pub(crate) tag: Option<String>,
    /// `sha256:…`
    pub(crate) digest: Option<String>,
}

impl Reference {
    /// Takes a name apart. Whether it can exist is for the daemon to say; here it must only have the shape of one.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new("invalid reference format")
                .hint(format!("{text} is not of the form [HOST/]NAME[:TAG][@DIGEST]."))
        };
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // A colon before the last slash belongs to the host's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        // Docker says this first, also of names with blanks in them.
        let path = name.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost");
        if path.map_or(name, |(_, path)| path).chars().any(|c| c.is_ascii_uppercase()) {
            let library = if name.contains('/') { "" } else { "library/" };
            return Err(Error::new(format!(
                "invalid reference format: repository name ({library}{name}) must be lowercase"
            )));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:[]".contains(c);
        let part = |part: &str| !part.is_empty() && !part.contains("::");
        let valid = name.split('/').all(part)
            && name.chars().all(plain)
            && tag.is_none_or(|tag| {
                !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            })
            && digest.is_none_or(|digest| {
                digest.split_once(':').is_some_and(|(kind, hex)| !kind.is_empty() && hex.len() >= 32)
            })
            && !name.ends_with(':');
        if !valid {
            return Err(invalid());
        }
        Ok(Self { name: name.to_owned(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }

    /// Whether it says neither tag nor digest.
    pub(crate) fn is_untagged(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// With the tag that is meant when none is written.
    pub(crate) fn or_latest(mut self) -> Self {
        if self.is_untagged() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// As people write it, with the tag that is meant.
    pub(crate) fn familiar(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.name),
            (None, Some(tag)) => format!("{}:{tag}", self.name),
            (None, None) => format!("{}:latest", self.name),
        }
    }

    /// Host and path, with those that are meant when none are written.
    pub(crate) fn repository(&self) -> String {
        let name = &self.name;
        match name.split_once('/') {
            None => format!("docker.io/library/{name}"),
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.clone(),
            Some(_) => format!("docker.io/{name}"),
        }
    }

    /// The registry.
    pub(crate) fn domain(&self) -> &str {
        match self.name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
            _ => "docker.io",
        }
    }

    /// As registries know it: repository, and tag or digest where there is one.
    pub(super) fn canonical(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.repository()),
            (None, Some(tag)) => format!("{}:{tag}", self.repository()),
            (None, None) => self.repository(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let parts = |text| {
            let reference = Reference::parse(text).unwrap();
            (reference.name.clone(), reference.tag.clone(), reference.familiar(), reference.canonical())
        };
        let own = |a: &str, b: Option<&str>, c: &str, d: &str| {
            (a.to_owned(), b.map(str::to_owned), c.to_owned(), d.to_owned())
        };
        assert_eq!(parts("busybox:1"), own("busybox", Some("1"), "busybox:1", "docker.io/library/busybox:1"));
        assert_eq!(parts("a/b:1"), own("a/b", Some("1"), "a/b:1", "docker.io/a/b:1"));
        assert_eq!(
            parts("localhost:5000/a/b:1"),
            own("localhost:5000/a/b", Some("1"), "localhost:5000/a/b:1", "localhost:5000/a/b:1")
        );
        assert_eq!(parts("busybox").2, "busybox:latest");
        let digest = format!("a@sha256:{}", "0".repeat(64));
        assert_eq!(Reference::parse(&digest).unwrap().familiar(), digest);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "nope:::", "a:", "a//b", "Busybox", "a b", "a@sha256", "/a", "a/"] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
