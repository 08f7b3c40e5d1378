//! `context export` and `context import`: a context as one file, with its certificates and keys.
//!
//! ```text
//! meta.json                name, description, address
//! tls/docker/ca.pem        and cert.pem, key.pem
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;

use clap::Args;
use tar::{Archive, Builder, EntryType, Header};

use super::{check_new, read};
use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::context::Context;
use crate::error::{Error, Result, reason};
use crate::output;

/// The largest file that is read from an archive, in bytes: docker's own bound for all of it.
const LARGEST: u64 = 10 << 20;
/// The files of certificates that a context has; an archive with others has something else in mind.
const TLS: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(hide = true, value_name = "CONTEXT")]
    name: String,
    #[arg(hide = true, value_name = "FILE|-")]
    file: Option<String>,
}

impl Execute for Export {
    const USAGE: &'static str = "CONTEXT [FILE|-]";
    const ABOUT: &'static str = "Write a context into a file, with its certificates and keys";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let context = read(client, &self.name)?;
        let tls = client.contexts.store.read_tls(&self.name)?;
        let bytes = pack(&context, &tls).map_err(|error| Error::new(format!("cannot pack the context: {error}")))?;
        if self.file.as_deref() == Some("-") {
            output::print(bytes)?;
            return Ok(DONE);
        }
        let path = self.file.unwrap_or_else(|| format!("{}.dockercontext", self.name));
        let failed = |error: io::Error| Error::new(format!("open {path}: {}", reason(&error).to_lowercase()));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        output::notice(format!("Written file \"{path}\""));
        Ok(DONE)
    }
}

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[arg(hide = true, value_name = "CONTEXT")]
    name: String,
    #[arg(hide = true, value_name = "FILE|-")]
    file: String,
}

impl Execute for Import {
    const USAGE: &'static str = "CONTEXT FILE|-";
    const ABOUT: &'static str = "Make a context from such a file";

    async fn execute(self, client: &Client) -> Result<Exit> {
        check_new(client, &self.name)?;
        let file = &self.file;
        let failed = |error: io::Error| Error::new(format!("open {file}: {}", reason(&error).to_lowercase()));
        let from: Box<dyn Read> =
            if file == "-" { Box::new(io::stdin()) } else { Box::new(File::open(file).map_err(failed)?) };
        let (context, tls) = unpack(from).map_err(|error| Error::new(format!("cannot import {file}: {error}")))?;
        let store = &client.contexts.store;
        for (name, bytes) in &tls {
            store.write_tls(&self.name, name, bytes)?;
        }
        store.write(&Context { name: self.name.clone(), ..context })?;
        output::line(&self.name)?;
        output::notice(format!("Successfully imported context \"{}\"", self.name));
        Ok(DONE)
    }
}

/// A certificate or key: its file's name and what is in it.
type Secret = (String, Vec<u8>);

fn pack(context: &Context, tls: &[Secret]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    let mut add = |name: &str, kind: EntryType, mode: u32, bytes: &[u8]| {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes)
    };
    add("meta.json", EntryType::Regular, 0o644, &serde_json::to_vec(context)?)?;
    add("tls", EntryType::Directory, 0o700, &[])?;
    if !tls.is_empty() {
        add("tls/docker", EntryType::Directory, 0o700, &[])?;
    }
    for (name, bytes) in tls {
        add(&format!("tls/docker/{name}"), EntryType::Regular, 0o600, bytes)?;
    }
    archive.into_inner()
}

/// Reads only what a context consists of. Nothing is written before all of it was read.
fn unpack(from: impl Read) -> io::Result<(Context, Vec<Secret>)> {
    let mut archive = Archive::new(from.take(LARGEST));
    let (mut context, mut tls) = (None, Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        match name.strip_prefix("tls/docker/") {
            None if name == "meta.json" => context = Some(serde_json::from_slice(&bytes)?),
            Some(file) if TLS.contains(&file) => tls.push((file.to_owned(), bytes)),
            _ => return Err(io::Error::other(format!("it has the file {name}, which no context has"))),
        }
    }
    Ok((context.ok_or_else(|| io::Error::other("it is no archive of a context: meta.json is missing"))?, tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut context = Context { name: "far".into(), ..Context::default() };
        context.set_host("tcp://far:2376");
        let tls = vec![("ca.pem".to_owned(), b"authority".to_vec()), ("key.pem".to_owned(), b"key".to_vec())];
        assert_eq!(unpack(pack(&context, &tls).unwrap().as_slice()).unwrap(), (context, tls));
    }

    #[test]
    fn what_is_no_context_is_refused() {
        let refusal = |bytes: &[u8]| unpack(bytes).unwrap_err().to_string();
        assert_eq!(refusal(b""), "it is no archive of a context: meta.json is missing");
        let mut other = Builder::new(Vec::new());
        let mut header = Header::new_ustar();
        header.set_size(0);
        other.append_data(&mut header, "tls/docker/other", &b""[..]).unwrap();
        assert_eq!(refusal(&other.into_inner().unwrap()), "it has the file tls/docker/other, which no context has");
    }
}
