//! The pseudo-terminal (pty(7)): one end is the container's standard input, output and error, the other the parent's.
//!
//! It is made in the container's own devpts, so that the container can name it. Every open goes by descriptor and is
//! checked: `/dev/pts` belongs to the container, and a `/dev/pts/0` that leads to another file would be bound to
//! `/dev/console` or written to with the host's rights (CVE-2025-52565).
//!
//! ```text
//!  keyboard, screen ─ docker client ─ parent ── outer end │ kernel: line discipline │ inner end ── sh in the container
//!                                                         echo, ^C → SIGINT, width
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::OpenTreeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::dialogue::Message;
use crate::failure::{Context, Failure, Result};
use crate::mount;
use crate::options::Stdio;
use crate::root::Root;
use crate::stage::Child;

/// Magic number of devpts (`include/uapi/linux/magic.h`).
const DEVPTS_SUPER_MAGIC: rustix::fs::FsWord = 0x1cd1;
/// `/dev/ptmx` is device 5:2 (`Documentation/admin-guide/devices.txt`).
const PTMX: (u32, u32) = (5, 2);

impl Child<'_> {
    /// Whether the program gets a terminal: the launcher's word, and where it has none, the container's.
    fn wants_terminal(&self) -> bool {
        match self.options.stdio {
            Some(Stdio::Terminal) => true,
            Some(Stdio::Files(_) | Stdio::Inherit) => false,
            None => self.container.process.terminal,
        }
    }
}

/// Opens the terminal and tells the parent.
///
/// `/dev/pts/ptmx` makes a pair; `TIOCSPTLCK` unlocks it; `TIOCGPTPEER` (Linux 4.13) opens the inner end from the outer
/// one, where the older way had to open `/dev/pts/N` by a name that the container could have replaced.
pub(super) fn open(child: &mut Child<'_>) -> Result<()> {
    if !child.wants_terminal() {
        return Ok(());
    }
    let step = "make a terminal";
    let outer = open_ptmx(child.root()?)?;
    rustix::pty::unlockpt(&outer).step(step)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let inner = rustix::pty::ioctl_tiocgptpeer(&outer, flags).step(step)?;
    if let Some((columns, rows)) = child.container.process.console_size {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&outer, size).step("set the size of the terminal")?;
    }
    child.dialogue.send(&Message::Console, Some(outer.as_fd()))?;
    child.terminal = Some(inner);
    Ok(())
}

/// The same, and binds the terminal to `/dev/console`, where init systems write.
///
/// The bind is made of the descriptor and not of `/dev/pts/0`, for the same reason.
pub(super) fn open_with_console(child: &mut Child<'_>) -> Result<()> {
    open(child)?;
    let Some(terminal) = &child.terminal else { return Ok(()) };
    let step = "bind the terminal to";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = rustix::mount::open_tree(terminal, "", flags).during(step, "/dev/console")?;
    let place = child.root()?.create_file(Path::new("/dev/console"), Mode::from_raw_mode(0o600))?;
    mount::attach(&tree, &place).during(step, "/dev/console")
}

/// The multiplexer, if it is one: a character device 5:2, on a devpts.
fn open_ptmx(root: &Root) -> Result<OwnedFd> {
    let path = Path::new("/dev/pts/ptmx");
    let hint = "A terminal needs a devpts on /dev/pts: keep that mount, or run without a terminal.";
    // Looked at before it is opened, because to open a device can already do something.
    let place = root.resolve(path).map_err(|failure| failure.hint(hint))?;
    let (stat, system) = (rustix::fs::fstat(&place), rustix::fs::fstatfs(&place));
    let stat = stat.during("look at", path.display())?;
    let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
    let is_device = FileType::from_raw_mode(stat.st_mode).is_char_device() && number == PTMX;
    if !is_device || system.during("look at", path.display())?.f_type != DEVPTS_SUPER_MAGIC {
        return Err(Failure::new("make a terminal", "it is not the multiplexer of a devpts")
            .on(path.display())
            .hint(hint));
    }
    root.open_at(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
}
