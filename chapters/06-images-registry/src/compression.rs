//! Compressed layers. What a stream is, is read from its first bytes and not believed from a media type.
//!
//! Everything is decompressed in this process. Other engines have run `xz` or `unpigz` found on the path, and once that
//! path was the container's (CVE-2014-9357).
//!
//! ```
//! use images::{Compression, decompress};
//! use std::io::Read;
//! let compressed = zstd::encode_all(&b"content"[..], 1).unwrap();
//! let (compression, mut reader) = decompress(compressed.as_slice()).unwrap();
//! let mut content = String::new();
//! reader.read_to_string(&mut content).unwrap();
//! assert_eq!((compression, content.as_str()), (Compression::Zstd, "content"));
//! ```

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952. Often several members one after another (pigz and some registries write it so).
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    // ANCHOR: detect
    /// Looks at the first bytes; four are enough.
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // The second is a frame to be skipped, with which a stream may begin as well.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
    // ANCHOR_END: detect

    /// The media type of a layer that is compressed so (OCI image specification, layer.md).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// Reads `stream` decompressed, and says how it was compressed.
pub fn decompress<'a>(mut stream: impl Read + 'a) -> io::Result<(Compression, Box<dyn Read + 'a>)> {
    let mut start = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut start)?;
    let compression = Compression::detect(&start);
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(stream));
    Ok((
        compression,
        match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(whole)?),
        },
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use proptest::prelude::*;

    use super::{Compression, decompress};

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn read(stream: &[u8]) -> (Compression, Vec<u8>) {
        let (compression, mut reader) = decompress(stream).unwrap();
        let mut data = Vec::new();
        reader.read_to_end(&mut data).unwrap();
        (compression, data)
    }

    proptest! {
        #[test]
        fn every_kind_comes_back(first: Vec<u8>, second: Vec<u8>) {
            let both = [first.clone(), second.clone()].concat();
            let members = [gzip(&first), gzip(&second)].concat();
            prop_assert_eq!(read(&members), (Compression::Gzip, both.clone()));
            let frames = [zstd::encode_all(&*first, 1).unwrap(), zstd::encode_all(&*second, 1).unwrap()].concat();
            prop_assert_eq!(read(&frames), (Compression::Zstd, both.clone()));
            if Compression::detect(&both) == Compression::None {
                prop_assert_eq!(read(&both), (Compression::None, both));
            }
        }
    }
}
