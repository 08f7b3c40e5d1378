//! The image `hello:latest`, which is always there: the first `run` on a fresh machine needs no registry.
//!
//! Its one program is the probe (`final/probe`), which reports from the inside what isolates it. `build.rs` compiles it, and
//! the engine carries it in its own file.

use std::io;

use ::images::{ImageConfig, Kind, Reference, Store};
use namespaces::Context;

use crate::error::Result;

/// The probe, a static program.
static PROBE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe"));

/// Its name.
pub const NAME: &str = "hello:latest";

/// The day of this version of the engine.
const CREATED: &str = "2026-11-24T00:00:00Z";

/// Makes the image when the store has none of this name, or that of an older engine.
pub(crate) fn ensure(store: &Store) -> Result<()> {
    let layer = layer().during("write the layer of the image", NAME)?;
    let diff = ::images::Digest::of(&layer);
    match store.resolve(NAME) {
        Ok(image) if image.config.rootfs.diff_ids == [diff] => return Ok(()),
        Err(error) if error.kind() != Kind::NotFound => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    let mut config = ImageConfig::new(vec![diff]);
    // The same image on every machine, and so the same id: it says the day of the version and not that of the build.
    config.created = Some(CREATED.into());
    config.config.entrypoint = Some(vec!["/probe".into()]);
    config.config.working_dir = "/".into();
    let name: Reference = NAME.parse()?;
    store.build_from_parts(config, &[&layer], &name)?;
    Ok(())
}

/// A tar archive (tar(5)) of one file, without anything that depends on when or where it is made.
fn layer() -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::with_capacity(PROBE.len() + 2048));
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(PROBE.len().try_into().map_err(io::Error::other)?);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, "probe", PROBE)?;
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_is_the_same_every_time_and_has_one_program() {
        assert_eq!(layer().unwrap(), layer().unwrap());
        let bytes = layer().unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.path().unwrap().to_str(), entry.header().mode().unwrap()), (Some("probe"), 0o755));
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
    }

    #[test]
    fn the_probe_is_a_static_program() {
        assert_eq!(&PROBE[..4], b"\x7fELF");
        let text = PROBE.windows(15).any(|window| window == b"/lib64/ld-linux");
        assert!(!text, "the probe wants an interpreter, and the image has none");
    }
}
