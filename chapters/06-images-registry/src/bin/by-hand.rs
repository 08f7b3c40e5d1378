//! An image by hand: what a registry is asked and what it answers, then one directory for each layer.
//!
//! ```text
//! cargo run -p images --bin by-hand -- manifest localhost:5000/busybox
//! cargo run -p images --bin by-hand -- unpack localhost:5000/busybox /tmp/layers
//! ```
//!
//! The lines that begin with `>` go to the registry, those with `<` come from it; they are on standard error. Nothing needs
//! root but the owners of the files that are unpacked.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use images::{Reference, RegistryOptions, Store, decompress, look_up, pull};
use namespaces::{Context as _, Result, Root};
use unionfs::apply_layer;

/// Shows what goes over the line when an image is fetched.
#[derive(Debug, Parser)]
enum Command {
    /// Print the manifest or index that a registry has under a name.
    Manifest { name: Reference },
    /// Fetch an image and unpack each of its layers into a directory of its own, lowest first.
    Unpack { name: Reference, target: PathBuf },
}

fn main() -> ExitCode {
    let options = RegistryOptions { explain: Some(|line| eprintln!("{line}")), ..RegistryOptions::default() };
    let done = match Command::parse() {
        Command::Manifest { name } => look_up(&name, None, &options)
            .map_err(Into::into)
            .map(|remote| println!("{}", String::from_utf8_lossy(&remote.bytes))),
        Command::Unpack { name, target } => unpack(&name, &target, &options),
    };
    done.map_or_else(|failure| failure.report("by-hand"), |()| ExitCode::SUCCESS)
}

/// The store that the layers are fetched into is thrown away again: only the directories stay.
fn unpack(name: &Reference, target: &Path, options: &RegistryOptions) -> Result<()> {
    let place = target.join("store");
    let store = Store::open(&place)?;
    pull(&store, name, None, options, &|_| {})?;
    for (number, blob) in store.layer_blobs(&name.clone().or_latest().familiar())?.iter().enumerate() {
        let directory = target.join(number.to_string());
        fs::create_dir_all(&directory).during("make the directory", directory.display())?;
        let (compression, archive) = File::open(blob).and_then(decompress).during("read", blob)?;
        let stats = apply_layer(archive, &Root::open(&directory)?)?;
        println!("{}: {} files, {} bytes, came as {compression:?}", directory.display(), stats.members, stats.size);
    }
    drop(store);
    fs::remove_dir_all(&place).during("remove", place.display())
}
