//! Asking the host's servers.
//!
//! Each question has a socket and a port of its own, chosen by the kernel, so that nobody can guess where a forged answer
//! would have to go. The servers are asked one after the other, as resolv.conf(5) says.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ::network::dns::is_answer_to;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::serve::{receive, send};

/// How long each server may take. Clients give up after five seconds (resolv.conf(5)).
const PATIENCE: Duration = Duration::from_secs(2);
/// resolv.conf(5) has no more.
const SERVERS: usize = 3;
/// Where servers listen.
const DOMAIN: u16 = 53;
/// What a server may send in one datagram.
const DATAGRAM: usize = 4096;

/// The first answer, by the way the question came: one that does not fit into a datagram says so, and the client asks again.
pub(super) async fn ask(question: &[u8], servers: &[IpAddr], tcp: bool) -> Option<Vec<u8>> {
    for server in servers.iter().take(SERVERS) {
        let server = SocketAddr::new(*server, DOMAIN);
        let answer = if tcp {
            timeout(PATIENCE, by_tcp(question, server)).await
        } else {
            timeout(PATIENCE, by_udp(question, server)).await
        };
        if let Ok(Ok(answer)) = answer {
            return Some(answer);
        }
    }
    None
}

async fn by_udp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let any = if server.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut answer).await?;
        let packet = answer.get(..length).unwrap_or_default();
        if is_answer_to(packet, question) {
            return Ok(packet.to_vec());
        }
    }
}

async fn by_tcp(question: &[u8], server: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    send(&mut stream, question).await?;
    let answer = receive(&mut stream).await?;
    if is_answer_to(&answer, question) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
}
