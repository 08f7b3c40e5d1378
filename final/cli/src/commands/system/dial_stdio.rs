//! `system dial-stdio`: our standard input and output become a connection to the daemon. What `ssh://` runs at the other end.

use std::io;

use clap::Args;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};

use crate::attach::input::Input;
use crate::attach::outlet;
use crate::client::{Client, Socket};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{During as _, Result};

/// How much is passed on at once.
const PIECE: usize = 64 * 1024;

/// No flags.
#[derive(Debug, Args)]
pub(crate) struct DialStdio {}

impl Execute for DialStdio {
    const USAGE: &'static str = "";
    const ABOUT: &'static str = "Pass standard input and output on to the daemon; ssh:// runs this";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let (answers, requests) = split(client.plain().await?);
        // The daemon's last word is the end. The other way round, the daemon may still have much to say.
        tokio::select! {
            done = down(answers) => done.map(|()| DONE),
            Err(error) = up(requests) => Err(error).during("pass on bytes to", client.endpoint()),
        }
    }
}

/// What the client asks.
async fn up(mut requests: WriteHalf<Socket>) -> io::Result<()> {
    let input = Input::new();
    let mut buffer = vec![0; PIECE];
    loop {
        match input.read(&mut buffer).await? {
            [] => return requests.shutdown().await,
            bytes => requests.write_all(bytes).await?,
        }
    }
}

/// What the daemon answers.
async fn down(mut answers: ReadHalf<Socket>) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        match answers.read(&mut buffer).await.during("read from", "the daemon")? {
            0 => return Ok(()),
            count => outlet::to_output(buffer.get(..count).unwrap_or_default()).await?,
        }
    }
}
