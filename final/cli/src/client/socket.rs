//! The way to the daemon: a socket on this machine, a port, or a command on another machine.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{ChildStdin, Command};
use tokio_rustls::TlsConnector;

use super::Endpoint;

/// Both directions of a connection, whatever it is made of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection.
pub(crate) type Socket = Box<dyn Stream>;

/// What runs on the other machine: our own program where it is installed, docker's where that is.
const REMOTE: &str =
    "if command -v skiff >/dev/null 2>&1; then exec skiff system dial-stdio; fi; exec docker system dial-stdio";

/// Opens a connection.
pub(super) async fn open(endpoint: &Endpoint, tls: Option<&TlsConnector>) -> io::Result<Socket> {
    match endpoint {
        Endpoint::Unix { path, .. } => Ok(Box::new(UnixStream::connect(path).await?)),
        Endpoint::Tcp { address } => {
            let stream = TcpStream::connect(address).await?;
            match tls {
                Some(tls) => Ok(Box::new(tls.connect(super::tls::name(address)?, stream).await?)),
                None => Ok(Box::new(stream)),
            }
        }
        Endpoint::Ssh { host } => ssh(host),
    }
}

/// Runs `ssh HOST … system dial-stdio` and takes its input and output for a connection. What ssh has to say or to ask (a
/// password, an unknown host) goes to the terminal.
fn ssh(host: &str) -> io::Result<Socket> {
    let mut child = Command::new("ssh")
        .args(["-o", "ConnectTimeout=30", "-T", "--"])
        .arg(format!("ssh://{host}"))
        .arg(REMOTE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("ssh has no input and output"));
    };
    Ok(Box::new(tokio::io::join(output, Input(Some(input)))))
}

/// What ssh reads. A pipe has no shutdown, so tokio's does nothing; what tells the other side that the input has ended is
/// that the pipe is closed.
struct Input(Option<ChildStdin>);

impl AsyncWrite for Input {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(pipe) => Pin::new(pipe).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().map_or(Poll::Ready(Ok(())), |pipe| Pin::new(pipe).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}
