//! Everywhere that output is recorded: the file from which it is read back, and the collector to which it is sent.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use namespaces::{Failure, Result};

use super::forward::Forwarder;
use super::json_log::JsonLog;
use super::stream::Stream;
use crate::plan;

/// The open log of one container. The default is of one that keeps none.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<JsonLog>,
    forwarder: Option<Forwarder>,
}

impl Log {
    /// Opens what the plan asks for. A collector that cannot be reached is said now, not found out from missing lines.
    pub(crate) fn open(log: &plan::Log) -> Result<Self> {
        let forwarder = log.forward.as_ref().map(Forwarder::open).transpose()?;
        Ok(Self { file: log.file.as_ref().map(JsonLog::open).transpose()?, forwarder })
    }

    /// Records what was read from `stream`.
    pub(crate) fn record(&mut self, stream: Stream, data: &[u8]) {
        if let Some(file) = &mut self.file {
            file.record(stream, data);
        }
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.record(stream, data);
        }
    }

    /// Both streams have ended.
    pub(crate) fn finish(&mut self) {
        if let Some(file) = &mut self.file {
            file.finish();
        }
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.finish();
        }
    }

    /// Whether the container has to wait for the collector.
    pub(crate) fn holds_up(&self) -> bool {
        self.forwarder.as_ref().is_some_and(Forwarder::holds_up)
    }

    /// The collector's socket, while something waits for it to have room.
    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        self.forwarder.as_ref().and_then(Forwarder::waits_for)
    }

    /// The collector has room.
    pub(crate) fn flush(&mut self) {
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.flush();
        }
    }

    /// Sends what still waits, until the `deadline`.
    pub(crate) fn drain(&mut self, deadline: Instant) {
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.drain(deadline);
        }
    }

    /// The first thing that went wrong, of either.
    pub(crate) fn failure(&mut self) -> Option<Failure> {
        let of_file = self.file.as_mut().and_then(|file| file.failure.take());
        of_file.or_else(|| self.forwarder.as_mut().and_then(|forwarder| forwarder.failure.take()))
    }
}
