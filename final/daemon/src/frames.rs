//! Frames around the output of a terminal, for a client that starts an exec with one as if it had none.
//!
//! Docker lets the start of an exec say which shape the stream has, and docker-py never says that there is a terminal. The
//! monitor frames what has no terminal by itself; so only this one case is left to do here.

use std::io;

use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::hijack::pieces;

/// The stream with each piece of its output in a frame of standard output; its input is passed on as it is.
pub(crate) fn framed(terminal: UnixStream) -> io::Result<UnixStream> {
    let (near, far) = UnixStream::pair()?;
    tokio::spawn(async move {
        let (output, mut input) = terminal.into_split();
        let (mut from, mut to) = far.into_split();
        let typed = tokio::spawn(async move {
            tokio::io::copy(&mut from, &mut input).await?;
            input.shutdown().await
        });
        let mut output = std::pin::pin!(pieces(output));
        while let Some(Ok(piece)) = output.next().await {
            let length = u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes();
            let frame = [&[1, 0, 0, 0], &length[..], &piece].concat();
            if to.write_all(&frame).await.is_err() {
                break;
            }
        }
        typed.abort();
    });
    Ok(near)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn output_is_framed_and_input_is_not() {
        let (mut terminal, inner) = UnixStream::pair().unwrap();
        let mut client = framed(inner).unwrap();
        client.write_all(b"ls\n").await.unwrap();
        let mut typed = [0; 3];
        terminal.read_exact(&mut typed).await.unwrap();
        assert_eq!(&typed, b"ls\n");
        terminal.write_all(b"file").await.unwrap();
        drop(terminal);
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"\x01\0\0\0\0\0\0\x04file");
    }
}
