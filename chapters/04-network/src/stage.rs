//! The chapter's stage: the namespace made, the veth in place, and their end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use namespaces::Stage;

use crate::endpoint::Attachment;

/// The network of one container, as a [`Stage`].
///
/// The daemon makes it from the container's record, calls `prepare`, and sends [`NetworkStage::take_netns`] to the monitor,
/// which makes its own with [`NetworkStage::from_netns`] and has only the child's step to do.
#[derive(Debug)]
pub struct NetworkStage {
    attachment: Attachment,
    /// Name of the nftables table of this engine.
    table: String,
    netns: Option<OwnedFd>,
}

impl NetworkStage {
    /// The stage of a container with this record. `table` names the engine's nftables table (`skiff`).
    pub fn new(attachment: Attachment, table: &str) -> Self {
        Self { attachment, table: table.to_owned(), netns: None }
    }

    /// A stage that only joins a namespace that somebody else has prepared.
    pub fn from_netns(netns: OwnedFd) -> Self {
        Self { attachment: Attachment::Host, table: String::new(), netns: Some(netns) }
    }

    /// The record, as it is after `prepare`.
    pub fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// The namespace, between `prepare` and [`NetworkStage::take_netns`]. `None` for the host's.
    pub fn netns(&self) -> Option<BorrowedFd<'_>> {
        self.netns.as_ref().map(AsFd::as_fd)
    }

    /// Takes the namespace out, to send it to the process that makes the container. The namespace and its veth end with the
    /// last descriptor of it and the last process in it.
    pub fn take_netns(&mut self) -> Option<OwnedFd> {
        self.netns.take()
    }
}

impl Stage for NetworkStage {
    fn name(&self) -> &'static str {
        "network"
    }
}
