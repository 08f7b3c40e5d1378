//! For which machines an image is: `linux/amd64`, `linux/arm/v7`.
//!
//! The words are Go's. People write others too, so every value of this type is brought to one spelling:
//!
//! | written                        | means                                       |
//! |--------------------------------|---------------------------------------------|
//! | `linux/x86_64`, `amd64`        | `linux/amd64`                               |
//! | `linux`                        | `linux` on a processor like this machine's  |
//! | `linux/aarch64`, `linux/arm64/v8` | `linux/arm64`: it has only one variant   |
//!
//! ```
//! use images::Platform;
//! assert_eq!("linux/arm64/v8".parse::<Platform>()?.to_string(), "linux/arm64");
//! # Ok::<(), images::Error>(())
//! ```

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// A kind of machine, in Go's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`
    #[serde(default)]
    pub architecture: String,
    /// `linux`
    #[serde(default)]
    pub os: String,
    /// `v8`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The machine that this program was built for.
    pub fn host() -> Self {
        let architecture = architecture(std::env::consts::ARCH).to_owned();
        Self { architecture, os: "linux".to_owned(), variant: None }
    }

    /// In the one spelling that is compared (containerd: `platforms.Normalize`).
    #[must_use]
    pub fn normal(mut self) -> Self {
        self.architecture = architecture(&self.architecture).to_owned();
        self.variant = self.variant.filter(|variant| !variant.is_empty());
        if self.architecture == "arm64" {
            self.variant = self.variant.filter(|variant| variant != "v8");
        }
        self
    }

    /// Whether something for `self` is what who asks for `wanted` wants. Who names no variant takes any.
    pub fn fits(&self, wanted: &Self) -> bool {
        let (own, wanted) = (self.clone().normal(), wanted.clone().normal());
        (own.os, own.architecture) == (wanted.os, wanted.architecture)
            && (wanted.variant.is_none() || own.variant == wanted.variant)
    }

    /// Fails, in docker's words, unless what is here under `name` is for `wanted`. One that does not say is for everybody.
    ///
    /// # Errors
    /// [`Kind::NotFound`]: what is here is not what was meant, and a client may pull the right one.
    pub fn check(&self, name: &str, wanted: &Self) -> Result<(), Error> {
        if self.architecture.is_empty() || self.fits(wanted) {
            return Ok(());
        }
        let words = format!(
            "image with reference {name} was found but its platform ({self}) does not match the specified platform \
             ({wanted})"
        );
        Err(Error::worded(Kind::NotFound, words))
    }
}

/// `linux/arm/v7`
impl Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// Reads what people write. Docker's words for what is none.
impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let own = Self::host();
        let (os, machine, variant) = match parts.as_slice() {
            ["linux"] => ("linux", own.architecture.as_str(), None),
            // One word is a processor if it is known as one; with a system before it, any word may be.
            [word] if !text.is_empty() && !MACHINES.contains(&architecture(&word.to_lowercase())) => {
                let words = format!("{text:?}: unknown operating system or architecture: invalid argument");
                return Err(Error::worded(Kind::Invalid, words)
                    .with_hint("A platform is OS/ARCHITECTURE[/VARIANT], such as linux/arm64 or linux/arm/v7."));
            }
            [machine] => ("linux", *machine, None),
            [os, machine] => (*os, *machine, None),
            [os, machine, variant] => (*os, *machine, Some((*variant).to_owned())),
            _ => ("", "", None),
        };
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !word(os) || !word(machine) || !variant.as_deref().is_none_or(word) {
            let words = format!("{text:?}: cannot parse platform specifier: invalid argument");
            return Err(Error::worded(Kind::Invalid, words)
                .with_hint("A platform is OS/ARCHITECTURE[/VARIANT], such as linux/arm64 or linux/arm/v7."));
        }
        if os != "linux" {
            let words = format!("cannot use images for {os}: this engine is for linux");
            return Err(Error::worded(Kind::Invalid, words));
        }
        Ok(Self { architecture: machine.to_owned(), os: os.to_owned(), variant }.normal())
    }
}

/// The processors that are known by name alone (`GOARCH` of the Go distribution, for Linux).
const MACHINES: [&str; 13] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x",
];

/// Go's name of a processor.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn platforms_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Platform>().map(|it| it.to_string()).map_err(|error| error.to_string());
        for text in ["linux/amd64", "amd64", "linux/x86_64"] {
            assert_eq!(read(text), Ok("linux/amd64".to_owned()), "{text}");
        }
        assert_eq!(read("linux"), Ok(Platform::host().to_string()));
        assert_eq!(read("linux/arm64/v8"), Ok("linux/arm64".to_owned()));
        assert_eq!(read("linux/arm/v7"), Ok("linux/arm/v7".to_owned()));
        assert!(read("foo").unwrap_err().ends_with("unknown operating system or architecture: invalid argument"));
        assert_eq!(read("linux/foo"), Ok("linux/foo".to_owned()));
        assert_eq!(read("windows/amd64").unwrap_err(), "cannot use images for windows: this engine is for linux");
        for text in ["", "/", "linux/", "linux/a/b/c", "linux/../x"] {
            assert!(read(text).unwrap_err().ends_with("cannot parse platform specifier: invalid argument"), "{text}");
        }
    }

    #[test]
    fn who_names_no_variant_takes_any() {
        let fits =
            |own: &str, wanted: &str| own.parse::<Platform>().unwrap().fits(&wanted.parse::<Platform>().unwrap());
        assert!(fits("linux/arm/v7", "linux/arm") && fits("linux/arm/v7", "linux/arm/v7"));
        assert!(!fits("linux/arm/v6", "linux/arm/v7") && !fits("linux/arm", "linux/arm/v7"));
        assert!(fits("linux/arm64/v8", "linux/aarch64") && !fits("linux/amd64", "linux/arm64"));
    }
}
