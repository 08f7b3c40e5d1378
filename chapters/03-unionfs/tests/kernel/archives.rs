//! Archives made byte by byte, so that they can say what no honest program writes.

/// One member. `kind` is tar's type flag.
pub(crate) fn member(kind: u8, name: &[u8], link: &[u8], mode: u32, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    {
        let old = header.as_old_mut();
        old.name[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        old.linkname[..link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
    }
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(data.len() as u64);
    header.set_cksum();
    padded(&[header.as_bytes(), data].concat())
}

pub(crate) fn file(name: &str, data: &str) -> Vec<u8> {
    member(b'0', name.as_bytes(), b"", 0o644, data.as_bytes())
}

pub(crate) fn directory(name: &str) -> Vec<u8> {
    member(b'5', name.as_bytes(), b"", 0o755, b"")
}

pub(crate) fn symlink(name: &str, target: &str) -> Vec<u8> {
    member(b'2', name.as_bytes(), target.as_bytes(), 0o777, b"")
}

pub(crate) fn hard_link(name: &str, of: &str) -> Vec<u8> {
    member(b'1', name.as_bytes(), of.as_bytes(), 0o644, b"")
}

/// A record of an extended header.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let length = (1..9).find(|digits| (body.len() + digits).to_string().len() == *digits).unwrap() + body.len();
    [length.to_string().as_bytes(), &body].concat()
}

/// An extended header with these records.
pub(crate) fn extended(records: &[Vec<u8>]) -> Vec<u8> {
    member(b'x', b"PaxHeaders/0", b"", 0o644, &records.concat())
}

/// The archive of these members.
pub(crate) fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

pub(crate) fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}
