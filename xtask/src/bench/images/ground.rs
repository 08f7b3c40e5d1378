//! A new file system for every turn.
//!
//! It is an ext4 with a journal, as most machines have it, made by mkfs in a file and mounted over a loop device, in the
//! room's mount namespace. The file is in memory unless a disk was asked for: then a sync costs what the journal costs, and
//! not what the disk happens to cost while somebody else writes to it.
//!
//! Why not one file system for all turns? A turn leaves ten thousand files to be removed, and ext4 does not give their
//! inodes to somebody else for some seconds; without a journal every new file then looks for one for so long that all
//! engines become equally slow. A reader of the figures would learn about that and not about engines.

use anyhow::Result;

use super::super::room::Room;

/// Large enough for every image here in the form of any engine.
const SIZE: &str = "6G";

/// The file system, mounted; gone when it is dropped.
pub(crate) struct Ground<'a> {
    room: &'a Room,
}

/// Where it is mounted, in the room.
pub(crate) fn place(room: &Room) -> String {
    room.path("ground")
}

/// Where its file is.
pub(crate) fn store(room: &Room) -> String {
    room.path("store")
}

impl<'a> Ground<'a> {
    /// Makes and mounts it. Nothing of it is left to be initialised later, which a kernel thread would do during the race.
    pub(crate) fn new(room: &'a Room) -> Result<Self> {
        let script = "truncate -s \"$1\" \"$2/ground\"
            mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 \"$2/ground\"
            mkdir -p \"$3\"
            mount -o loop \"$2/ground\" \"$3\"";
        room.script(script, &[SIZE, &store(room), &place(room)])?;
        Ok(Self { room })
    }
}

impl Drop for Ground<'_> {
    fn drop(&mut self) {
        // Engines may leave mounts of their own in it.
        let script = "umount -R \"$1\" || umount -Rl \"$1\"; rm -f \"$2/ground\"";
        if let Err(error) = self.room.script(script, &[&place(self.room), &store(self.room)]) {
            eprintln!("{error:#}");
        }
    }
}
