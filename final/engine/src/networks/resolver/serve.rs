//! The loop of one container: questions in, answers out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::network::dns::{Answer, answer, failed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Resolver, forward};

/// Connections of one container at once, and its questions that others are asked. More are not served: a program that opens
/// connections and says nothing takes this room from nobody but its own container.
const CONNECTIONS: usize = 32;
const FORWARDED: usize = 64;
/// How long a connection may say nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// A pause after an error that would come again at once, such as the lack of descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// No question is longer; what is, is cut, and then cannot be read.
const DATAGRAM: usize = 1500;

/// Who asks.
#[derive(Debug)]
pub(super) struct Asker {
    resolver: Resolver,
    container: String,
    /// Counts the questions, so that several addresses are named in turn.
    turn: AtomicUsize,
}

impl Asker {
    pub(super) fn new(resolver: Resolver, container: &str) -> Arc<Self> {
        Arc::new(Self { resolver, container: container.to_owned(), turn: AtomicUsize::new(0) })
    }

    fn answer(&self, packet: &[u8], tcp: bool) -> Answer {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.resolver.with_names(&self.container, |names| answer(packet, names, tcp, turn))
    }

    /// What others say, or that nobody says anything. `None` for what is no question after all, or too much at once.
    async fn forward(&self, packet: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let _place = self.resolver.room.try_acquire().ok()?;
        let servers = self.resolver.servers(&self.container);
        forward::ask(packet, &servers, tcp).await.or_else(|| failed(packet))
    }
}

/// Serves until the task is aborted, which closes both sockets and ends everything that was begun here.
pub(super) async fn serve(asker: Arc<Asker>, udp: UdpSocket, tcp: TcpListener) {
    let udp = Arc::new(udp);
    let (mut forwarded, mut connections) = (JoinSet::new(), JoinSet::new());
    let mut packet = [0; DATAGRAM];
    loop {
        tokio::select! {
            received = udp.recv_from(&mut packet) => match received {
                Ok((length, from)) => {
                    let question = packet.get(..length).unwrap_or_default();
                    match asker.answer(question, false) {
                        // Where there is no room for the answer the client asks again.
                        Answer::Reply(reply) => drop(udp.try_send_to(&reply, from)),
                        Answer::Forward if forwarded.len() < FORWARDED => {
                            let (asker, udp, question) = (Arc::clone(&asker), Arc::clone(&udp), question.to_vec());
                            forwarded.spawn(async move {
                                if let Some(reply) = asker.forward(&question, false).await {
                                    let _ = udp.send_to(&reply, from).await;
                                }
                            });
                        }
                        Answer::Forward | Answer::Silence => {}
                    }
                }
                Err(_) => sleep(BREATH).await,
            },
            accepted = tcp.accept() => match accepted {
                Ok((stream, _)) if connections.len() < CONNECTIONS => {
                    connections.spawn(converse(Arc::clone(&asker), stream));
                }
                // Closed at once.
                Ok(_) => {}
                Err(_) => sleep(BREATH).await,
            },
            Some(_) = forwarded.join_next() => {}
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection: a length of two bytes and a message, again and again (RFC 1035, 4.2.2).
async fn converse(asker: Arc<Asker>, mut stream: TcpStream) {
    let Ok(_place) = asker.resolver.room.try_acquire() else { return };
    while let Ok(Ok(packet)) = timeout(SILENCE, receive(&mut stream)).await {
        let reply = match asker.answer(&packet, true) {
            Answer::Reply(reply) => Some(reply),
            Answer::Forward => asker.forward(&packet, true).await,
            Answer::Silence => None,
        };
        let Some(reply) = reply else { return };
        if !matches!(timeout(SILENCE, send(&mut stream, &reply)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads one message.
pub(super) async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut packet = vec![0; length.into()];
    stream.read_exact(&mut packet).await?;
    Ok(packet)
}

/// Writes one message.
pub(super) async fn send(stream: &mut TcpStream, packet: &[u8]) -> io::Result<()> {
    let length = u16::try_from(packet.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    stream.write_all(&[&length.to_be_bytes(), packet].concat()).await
}
