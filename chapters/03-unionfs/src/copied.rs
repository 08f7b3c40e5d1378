//! Where there can be no overlay: the layers are put together by copying.
//!
//! An overlay's upper directory cannot be on an overlay, nor on some network file systems. Skiff in a container of another
//! engine is the usual case. Whether it works is not looked up in a table but tried: the kernel knows best ([`crate::Overlay::mount`]).
//!
//! ```text
//! overlay:  lower, lower, lower + upper  ──mount──▶  root         nothing is copied
//! copied:   lower ─▶ lower ─▶ lower ─▶ upper ══bind══▶  root      every file is, once for each container
//! ```
//!
//! It costs what the overlay was made to save: time and space for every container. So it is the last resort, and only when
//! the kernel's answer was that it cannot be (`EINVAL`, `ENODEV`); a missing layer or a full disk is still an error.
//!
//! The layers are copied bottom first, each by packing it and unpacking it on top of what is there, so that the rules for
//! whiteouts are those of `pack/` and `unpack/` and no third ones. The upper directory is then a whole tree, and a file `upper.copied`
//! beside it says so: to the next start, and to whoever asks what has changed.

pub(crate) mod mark;

use std::fs::{self, File};
use std::io::{BufWriter, pipe};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;

use namespaces::{Context, Failure, Result, Root};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use self::mark::{COPIED, COPYING, mark};
use crate::pack::pack_layer;
use crate::unpack::flatten_layer;

/// The upper directory as a detached mount.
pub(crate) fn mount(upper: &Path) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, upper, flags).during("bind", upper.display())
}

/// Fills the upper directory with everything that the layers `lowers`, top one first, show. `refused` is why there is no
/// overlay; it is returned when the directory already has something in it that is not ours to replace.
pub(crate) fn copy(lowers: &[PathBuf], upper: &Path, refused: Failure) -> Result<()> {
    let [copying, copied] = [COPYING, COPIED].map(|ending| mark(upper, ending));
    if !copying.exists() && fs::read_dir(upper).during("list", upper.display())?.next().is_some() {
        return Err(refused);
    }
    File::create(&copying).during("make the mark", copying.display())?;
    fs::remove_dir_all(upper).and_then(|()| fs::create_dir(upper)).during("empty", upper.display())?;
    let root = Root::open(upper)?;
    lowers.iter().rev().try_for_each(|lower| lay(lower, &root))?;
    fs::rename(&copying, &copied).during("make the mark", copied.display())
}

/// One layer on top of what is there.
fn lay(lower: &Path, root: &Root) -> Result<()> {
    let (reader, writer) = pipe().step("make a pipe")?;
    let copied = thread::scope(|scope| {
        let packing = scope.spawn(|| pack_layer(lower, BufWriter::with_capacity(1 << 16, writer), &|_| false));
        let unpacked = flatten_layer(reader, root);
        let packed = packing.join().unwrap_or_else(|_| Err(Failure::new("pack", "it gave up in the middle")));
        packed.and(unpacked)
    });
    copied.map(drop).map_err(|failure| failure.hint(format!("This was to copy the layer {}.", lower.display())))
}
