//! The records of an extended header (pax(1), "pax Extended Header"): `LENGTH KEY=VALUE\n`, where the length counts the
//! whole record. It alone says where a record ends; the value may be any bytes.
//!
//! For example, `17 path=etc/motd\n`: 17 bytes with the number, the space and the newline. A reader that looks for the
//! newline instead of counting can be told that a value ends where it does not, and that what follows is another
//! record.
//!
//! Keys with meaning here: `path`, `linkpath`, `size`, `uid`, `gid`, `mtime` (POSIX); `GNU.sparse.*` (GNU tar); and
//! `SCHILY.xattr.NAME`, with which star, GNU tar and Docker write extended attributes.

use namespaces::Result;

use super::{Member, broken};

/// What an extended header says about the next member.
#[derive(Debug, Default)]
pub(super) struct Extended {
    /// Bytes of data in the archive, where the header's field is too small for it.
    pub(super) stored_size: Option<u64>,
    /// Bytes of a sparse file with its holes.
    pub(super) real_size: Option<u64>,
    /// Version of the sparse format, `1.0` when the map is in front of the data.
    pub(super) sparse_version: (u64, u64),
    /// The map of a sparse file in the older formats: offset, length, offset, length, …
    pub(super) sparse_map: Vec<u64>,
    /// Takes the place of the header's name, which has room for 100 bytes, or 256 in two parts.
    name: Option<Vec<u8>>,
    /// The true name of a sparse file; its `path` is a made-up one for old readers.
    sparse_name: Option<Vec<u8>>,
    /// Takes the place of the header's link name.
    link: Option<Vec<u8>>,
    /// Takes the place of the owner; the header has room for 2097151.
    uid: Option<u64>,
    gid: Option<u64>,
    /// Takes the place of the time, which has whole seconds in the header.
    mtime: Option<(i64, u32)>,
    /// Extended attributes, in the order in which they came. Headers have no place for them at all.
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extended {
    /// Reads all records. Unknown keys are left aside, as the standard wants it.
    pub(super) fn parse(mut records: &[u8]) -> Result<Self> {
        let mut extended = Self::default();
        while !records.is_empty() {
            let (key, value, rest) = record(records).ok_or_else(|| broken("an extended header is malformed"))?;
            extended.take(key, value).ok_or_else(|| broken("an extended header has a number that is none"))?;
            records = rest;
        }
        Ok(extended)
    }

    /// One record. `None` when its value should have been a number and is not.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        // An empty value takes the key back: the header's own field counts again.
        let text = (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.name = text,
            b"linkpath" => self.link = text,
            b"size" => self.stored_size = optional(value)?,
            b"uid" => self.uid = optional(value)?,
            b"gid" => self.gid = optional(value)?,
            b"mtime" => self.mtime = if value.is_empty() { None } else { Some(time(value)?) },
            b"GNU.sparse.name" => self.sparse_name = text,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.real_size = optional(value)?,
            b"GNU.sparse.major" => self.sparse_version.0 = decimal(value)?,
            b"GNU.sparse.minor" => self.sparse_version.1 = decimal(value)?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse_map.push(decimal(value)?),
            b"GNU.sparse.map" => {
                self.sparse_map = value.split(|byte| *byte == b',').map(decimal).collect::<Option<_>>()?;
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Some(())
    }

    /// Puts the header right.
    pub(super) fn apply(self, member: &mut Member) {
        let name = self.sparse_name.or(self.name);
        member.name = name.unwrap_or(std::mem::take(&mut member.name));
        member.link = self.link.unwrap_or(std::mem::take(&mut member.link));
        member.uid = self.uid.unwrap_or(member.uid);
        member.gid = self.gid.unwrap_or(member.gid);
        member.mtime = self.mtime.unwrap_or(member.mtime);
        member.xattrs = self.xattrs;
    }
}

/// The first record, and what follows it.
/// `None` when the length is missing, is not a number, points beyond the end, or does not point behind a newline; or
/// when there is no key.
fn record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // SOLUTION pax-record
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(records.get(..space)?)?).ok()?;
    let body = records.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    Some((body.get(..equals)?, body.get(equals + 1..)?, records.get(length..)?))
    // END SOLUTION
}

/// Decimal digits and nothing else: no sign, no space.
fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The outer `None` is a number that is none, the inner one an empty value.
#[expect(clippy::option_option, reason = "the two mean different things")]
fn optional(value: &[u8]) -> Option<Option<u64>> {
    if value.is_empty() { Some(None) } else { decimal(value).map(Some) }
}

/// `-12.5` and the like. Digits beyond nanoseconds are cut off.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Extended, record, time};

    /// A record with its length, which counts itself.
    fn write(key: &str, value: &[u8]) -> Vec<u8> {
        let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let length = (1..9).find(|digits| (body.len() + digits).to_string().len() == *digits).unwrap() + body.len();
        [length.to_string().as_bytes(), &body].concat()
    }

    #[test]
    fn a_newline_in_a_value_does_not_end_it() {
        let trick = write("SCHILY.xattr.user.note", b"a\n17 path=/etc/evil\n");
        let records = [write("path", b"good"), trick, write("uid", b"7")].concat();
        let extended = Extended::parse(&records).unwrap();
        assert_eq!(extended.name.as_deref(), Some(b"good".as_slice()));
        assert_eq!((extended.uid, extended.xattrs.len()), (Some(7), 1));
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in
            ["x", "0 a=b\n", "6 a=b", "7 a=b\n", "5 a=b\n", "6 =bc\n", "99999999999999999999 a=b\n", "9 uid=-1\n"]
        {
            assert!(Extended::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_have_a_fraction_and_a_sign() {
        assert_eq!(time(b"12"), Some((12, 0)));
        assert_eq!(time(b"12.25"), Some((12, 250_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"1.1234567899"), Some((1, 123_456_789)));
        assert_eq!(time(b"x"), None);
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value in proptest::collection::vec(any::<u8>(), 0..300), rest: Vec<u8>) {
            let records = [write("key", &value), rest.clone()].concat();
            prop_assert_eq!(record(&records), Some((b"key".as_slice(), value.as_slice(), rest.as_slice())));
        }

        #[test]
        fn no_bytes_make_it_panic(records: Vec<u8>) {
            let _ = Extended::parse(&records);
        }
    }
}
