//! `Digest`: a name made from the content, and how a chain of layers gets one.
//!
//! A layer is known by three digests. The *blob digest* is of the bytes that travel (usually gzip). The *diff id* is of
//! the tar archive inside, so that compressing again does not change a layer. The *chain id* is of a layer together
//! with all layers below it (OCI image specification, config.md, "Layer ChainID"). Directories of unpacked layers are
//! named by chain id, because what a container sees in a layer depends on what is below it.
//!
//! ```
//! use unionfs::{Digest, chain_ids};
//! let [base, app] = [Digest::of(b"one archive"), Digest::of(b"another")];
//! let chains = chain_ids(&[base, app]);
//! assert_eq!(chains[0], base);
//! assert_eq!(chains[1], Digest::of(format!("{base} {app}").as_bytes()));
//! // The same archive on top of something else is another layer.
//! assert_ne!(chain_ids(&[app, app])[1], chains[1]);
//! ```

use std::fmt::{self, Debug, Display, Write as _};
use std::io::{self, Read, Write};
use std::str::FromStr;

use namespaces::Failure;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits.
///
/// It holds the 32 bytes and not the text, so a value of this type cannot be malformed: it is safe to make a path of it
/// (CVE-2024-3727 was a digest string that had never been checked).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 hexadecimal digits without the algorithm, as used for names of files.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The first 12 hexadecimal digits, as tables show them.
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }

    /// The digest of these 64 lower-case hexadecimal digits.
    pub fn from_hex(hex: &str) -> Result<Self, Failure> {
        // SOLUTION digest-hex
        let bad = |why: &str| Failure::new("read the digest", why).on(hex);
        if hex.len() != 64 {
            return Err(bad("a sha256 digest has 64 hexadecimal digits"));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let [high, low] = pair else { continue };
            *byte = nibble(*high)
                .zip(nibble(*low))
                .map(|(high, low)| high << 4 | low)
                .ok_or_else(|| bad("a digest is written with the digits 0 to 9 and a to f"))?;
        }
        Ok(Self(bytes))
        // END SOLUTION
    }
}

/// The value of one digit. Capitals are refused: two spellings would be two names of one thing.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// `sha256:` and 64 digits.
impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

/// The same: the numbers of 32 bytes tell nobody anything.
impl Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Reads `sha256:` and 64 digits. Other algorithms that the specification has (sha512) are refused by name.
impl FromStr for Digest {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        match text.split_once(':') {
            Some(("sha256", hex)) => Self::from_hex(hex),
            Some(_) => Err(Failure::new("read the digest", "unsupported digest algorithm").on(text)),
            None => Err(Failure::new("read the digest", "invalid digest format").on(text)),
        }
    }
}

/// For serde: a document with a malformed digest is a malformed document.
impl TryFrom<String> for Digest {
    type Error = Failure;

    fn try_from(text: String) -> Result<Self, Failure> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The chain id of the layer `diff` on top of the chain `below`.
///
/// The lowest layer's chain id is its diff id; above it is the digest of both, as text, with a space between.
pub fn chain_id(below: Option<Digest>, diff: Digest) -> Digest {
    // SOLUTION layer-chain
    match below {
        None => diff,
        Some(below) => Digest::of(format!("{below} {diff}").as_bytes()),
    }
    // END SOLUTION
}

/// The chain ids of these layers, lowest first.
pub fn chain_ids(diffs: &[Digest]) -> Vec<Digest> {
    let chain = |below: &mut Option<Digest>, diff: &Digest| {
        *below = Some(chain_id(*below, *diff));
        *below
    };
    diffs.iter().scan(None, chain).collect()
}

/// A digest that is not finished.
#[derive(Clone, Default)]
pub struct Hasher {
    /// The hash function's own state.
    state: Sha256,
    /// Bytes so far, for [`Hasher::count`].
    count: u64,
}

impl Hasher {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.count += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The digest of all bytes, and how many they were.
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.count)
    }
}

impl Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A reader or writer that knows the digest of the bytes that went through it.
#[derive(Debug)]
pub struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R> Hashing<R> {
    /// Counts from here.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// The digest of what went through, and its length in bytes.
    pub fn finish(self) -> (Digest, u64) {
        self.hasher.finish()
    }
}

/// What comes out is what goes in; the digest is taken in passing.
impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..length).unwrap_or_default());
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::{Digest, Hashing, chain_id, chain_ids};

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_digest_is_refused_unless_it_is_exactly_right() {
        assert_eq!(EMPTY.parse::<Digest>().unwrap(), Digest::of(b""));
        let upper = EMPTY.to_uppercase().replace("SHA", "sha");
        let long = format!("{EMPTY}0");
        let path = format!("sha256:{}", "../".repeat(21) + "x");
        for bad in ["", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e", &upper, &long, &path] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_chain_of_one_layer_is_the_layer() {
        let [a, b] = [Digest::of(b"a"), Digest::of(b"b")];
        assert_eq!(chain_ids(&[a, b]), [a, chain_id(Some(a), b)]);
        assert_eq!(chain_id(Some(a), b), Digest::of(format!("{a} {b}").as_bytes()));
    }

    proptest! {
        #[test]
        fn text_and_value_are_the_same(bytes: Vec<u8>) {
            let digest = Digest::of(&bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            let mut hashing = Hashing::new(bytes.as_slice());
            std::io::copy(&mut hashing.by_ref(), &mut std::io::sink()).unwrap();
            prop_assert_eq!(hashing.finish(), (digest, bytes.len() as u64));
        }
    }
}
