//! `docker export`: the whole root of a container as one archive, without its volumes.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use unionfs::{Form, Packer};

use super::Containers;
use super::archive::Volumes;
use super::container::Container;
use crate::error::Result;

/// A container's root on its way out.
#[derive(Debug)]
pub struct Export {
    containers: Containers,
    container: Arc<Container>,
}

impl Containers {
    /// The container's root, ready to be written.
    ///
    /// # Errors
    /// 404.
    pub fn export(&self, name: &str) -> Result<Export> {
        Ok(Export { containers: self.clone(), container: self.find(name)? })
    }
}

impl Export {
    /// Writes the archive. What is mounted in the container (volumes, `/proc`, the files of `/etc`) is an empty directory or
    /// file in it. Blocks.
    pub fn write(self, to: &mut (dyn Write + Send)) -> Result<()> {
        let Self { containers, container } = self;
        containers.in_root(&container, Volumes::Without, |root| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let top = root.open_at(Path::new("/"), flags, Mode::empty())?;
            let mut packer = Packer::new(to, Form::OneMount);
            packer.add_contents(top.as_fd())?;
            packer.finish()?;
            Ok(())
        })?;
        containers.tell(&container, "export", &[]);
        Ok(())
    }
}
