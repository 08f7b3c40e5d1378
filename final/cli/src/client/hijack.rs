//! A hijacked connection: after `101 UPGRADED` it is no longer HTTP but a plain stream of bytes both ways.
//!
//! Downwards come the container's output, either raw (with a terminal) or in frames (`frames.rs`); upwards go its input.
//! Closing our direction tells the container that its input has ended and leaves the other direction open.

use hyper::Response;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};

use super::broken;
use crate::error::{Error, Result};

/// Both directions of a connection that was taken over.
pub(crate) struct Hijacked {
    /// What the container writes.
    pub(crate) reader: ReadHalf<TokioIo<Upgraded>>,
    /// What the container reads.
    pub(crate) writer: WriteHalf<TokioIo<Upgraded>>,
}

impl Hijacked {
    /// Takes the connection over once the daemon has agreed.
    pub(crate) async fn take(response: Response<Incoming>) -> Result<Self> {
        if response.status() != 101 {
            let answer = response.status();
            return Err(Error::new(format!("the daemon did not hand over the connection: it answered {answer}")));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| broken(&error))?;
        let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        Ok(Self { reader, writer })
    }
}
