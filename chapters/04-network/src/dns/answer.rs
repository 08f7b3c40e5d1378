//! From a packet to the packet that answers it. Pure: bytes in, bytes out.
//!
//! | asked for | answer |
//! |---|---|
//! | A or AAAA of a name in the container's networks | its addresses of that family; none is an answer too |
//! | any other record of such a name | none |
//! | PTR of an address in its networks | `NAME.NETWORK`; no such name, when nobody has the address |
//! | anything else | what others say, or "no such name" when all of its networks are internal |
//! | what is no question | nothing, or that it cannot be read |
//!
//! "None is an answer too" matters: a client that asks for A and AAAA at once waits for both, and if the second went to the
//! host's servers, a container without IPv6 would wait for them each time it speaks to its neighbour. And an internal network
//! asks nobody: names are a way to carry data out (CVE-2024-29018).

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::names::Names;

/// For how many seconds an answer may be kept: a container that is started again has another address.
const TTL: u32 = 5;
/// What every client takes by UDP (RFC 1035, 4.2.1); more, when it says so (RFC 6891).
const UDP_SIZE: usize = 512;
/// More than this is cut into pieces on the way.
const UDP_SIZE_MAX: usize = 1232;
/// What the length before a message on TCP can say.
const TCP_SIZE: usize = 65535;

/// What to do about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send these bytes back.
    Reply(Vec<u8>),
    /// Ask others, and send back what they say.
    Forward,
    /// Nothing: it is no question.
    Silence,
}

/// Answers `packet`, which came by TCP or by UDP. `turn` says which of several addresses comes first, so that clients who
/// take the first take each in turn.
pub fn answer(packet: &[u8], names: &Names<'_>, tcp: bool, turn: usize) -> Answer {
    let Ok(question) = Message::from_vec(packet) else { return unreadable(packet) };
    if question.metadata.message_type != MessageType::Query {
        return Answer::Silence;
    }
    let mut reply = reply_to(&question);
    let [query] = question.queries.as_slice() else {
        reply.metadata.response_code = ResponseCode::FormErr;
        return send(&reply, tcp, &question);
    };
    if question.metadata.op_code != OpCode::Query {
        reply.metadata.response_code = ResponseCode::NotImp;
        return send(&reply, tcp, &question);
    }
    match look_up(query, names, turn) {
        Some(Ok(records)) => {
            reply.add_answers(records);
        }
        Some(Err(code)) => reply.metadata.response_code = code,
        None if names.forward => return Answer::Forward,
        None => reply.metadata.response_code = ResponseCode::NXDomain,
    }
    send(&reply, tcp, &question)
}

/// The answer when nobody else has answered.
pub fn failed(packet: &[u8]) -> Option<Vec<u8>> {
    let mut reply = reply_to(&Message::from_vec(packet).ok()?);
    reply.metadata.response_code = ResponseCode::ServFail;
    reply.to_vec().ok()
}

/// Whether `packet` answers `question`: the same number and the same query. Anything else is somebody's forgery or an answer
/// to another question.
pub fn is_answer_to(packet: &[u8], question: &[u8]) -> bool {
    let (Ok(answer), Ok(question)) = (Message::from_vec(packet), Message::from_vec(question)) else { return false };
    answer.metadata.message_type == MessageType::Response
        && answer.metadata.id == question.metadata.id
        && (answer.queries == question.queries || answer.queries.is_empty())
}

/// What our networks know: records, or that there is no such name. `None` when it is not theirs to know.
fn look_up(query: &Query, names: &Names<'_>, turn: usize) -> Option<Result<Vec<Record>, ResponseCode>> {
    if query.query_class != DNSClass::IN {
        return None;
    }
    let record = |data| Record::from_rdata(query.name.clone(), TTL, data);
    if query.query_type == RecordType::PTR {
        let address = query.name.parse_arpa_name().ok()?;
        if address.prefix_len() != address.max_prefix_len() {
            return None;
        }
        let address: IpAddr = address.addr();
        let Some(name) = names.name_of(address) else {
            return names.covers(address).then_some(Err(ResponseCode::NXDomain));
        };
        let name = Name::from_ascii(format!("{name}.")).ok()?;
        return Some(Ok(vec![record(RData::PTR(PTR(name)))]));
    }
    let text = query.name.to_ascii();
    let mut addresses = names.addresses(text.trim_end_matches('.'))?;
    addresses.retain(|address| match query.query_type {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        _ => false,
    });
    let first = turn.checked_rem(addresses.len()).unwrap_or_default();
    addresses.rotate_left(first);
    let data = addresses.into_iter().map(|address| match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    });
    Some(Ok(data.map(record).collect()))
}

/// An empty reply with the question's number, query and wishes.
fn reply_to(question: &Message) -> Message {
    let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_queries(question.queries.iter().cloned());
    reply
}

/// The reply's bytes. What does not fit into a datagram of the client's is cut short, and the client asks again by TCP.
fn send(reply: &Message, tcp: bool, question: &Message) -> Answer {
    let said = question.edns.as_ref().map_or(0, |edns| usize::from(edns.max_payload()));
    let room = if tcp { TCP_SIZE } else { said.clamp(UDP_SIZE, UDP_SIZE_MAX) };
    match reply.to_vec() {
        Ok(bytes) if bytes.len() <= room => Answer::Reply(bytes),
        _ => match reply.truncate().to_vec() {
            Ok(bytes) => Answer::Reply(bytes),
            Err(_) => Answer::Silence,
        },
    }
}

/// A packet that cannot be read is told so when it has at least a question's header; what calls itself an answer is not
/// answered, or two servers could keep each other busy for ever.
fn unreadable(packet: &[u8]) -> Answer {
    let [high, low, flags, _, ..] = packet else { return Answer::Silence };
    if packet.len() < 12 || flags & 0x80 != 0 {
        return Answer::Silence;
    }
    let id = u16::from_be_bytes([*high, *low]);
    match Message::error_msg(id, OpCode::Query, ResponseCode::FormErr).to_vec() {
        Ok(bytes) => Answer::Reply(bytes),
        Err(_) => Answer::Silence,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Endpoint, Network, PoolRequest, Request, Wish};

    fn endpoints() -> Vec<Endpoint> {
        let ipv6 = Some(PoolRequest::default());
        let request = Request { name: "back".to_owned(), ipv6, ..Request::default() };
        let network = Network::plan(request, &"ab".repeat(32), "", &[]).unwrap();
        let endpoint = |number: u8, names: &[&str]| {
            let address6 = network.ipv6.as_ref().and_then(|pool| pool.subnet.hosts().nth(number.into()));
            let names = names.iter().map(|&name| name.to_owned()).collect();
            let wish = Wish { address6, names, ..Wish::at([172, 17, 0, number]) };
            Endpoint::new(&network, &"c1".repeat(32), wish).unwrap()
        };
        vec![
            endpoint(2, &["app_web_1", "web", "c1c1c1c1c1c1"]),
            endpoint(3, &["app_web_2", "web"]),
            endpoint(4, &["db"]),
        ]
    }

    fn ask(packet: &[u8], forward: bool, tcp: bool, turn: usize) -> Answer {
        let endpoints = endpoints();
        let names = Names { networks: vec![("back", endpoints.iter().collect())], forward, ..Names::default() };
        answer(packet, &names, tcp, turn)
    }

    fn question(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.id = 77;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    fn said(name: &str, kind: RecordType, forward: bool, turn: usize) -> String {
        match ask(&question(name, kind), forward, false, turn) {
            Answer::Reply(bytes) => {
                let reply = Message::from_vec(&bytes).unwrap();
                assert_eq!((reply.metadata.id, reply.queries.len()), (77, 1));
                let data: Vec<_> = reply.answers.iter().map(|record| record.data.to_string()).collect();
                format!("{name} {kind}: {} {}", reply.metadata.response_code, data.join(" "))
            }
            other => format!("{name} {kind}: {other:?}"),
        }
    }

    #[test]
    fn what_is_answered() {
        use RecordType::{A, AAAA, MX, PTR};
        let all = [
            said("db.", A, true, 0),
            said("DB.", AAAA, true, 0),
            said("db.back.", A, true, 0),
            said("web.", A, true, 0),
            said("web.", A, true, 1),
            said("c1c1c1c1c1c1.", A, true, 0),
            said("db.", MX, true, 0),
            said("4.0.17.172.in-addr.arpa.", PTR, true, 0),
            said("9.0.17.172.in-addr.arpa.", PTR, true, 0),
            said("8.8.8.8.in-addr.arpa.", PTR, true, 0),
            said("example.org.", A, true, 0),
            said("example.org.", A, false, 0),
            said("db.front.", A, true, 0),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        db. A: No Error 172.17.0.4
        DB. AAAA: No Error fdab:abab:abab::4
        db.back. A: No Error 172.17.0.4
        web. A: No Error 172.17.0.2 172.17.0.3
        web. A: No Error 172.17.0.3 172.17.0.2
        c1c1c1c1c1c1. A: No Error 172.17.0.2
        db. MX: No Error 
        4.0.17.172.in-addr.arpa. PTR: No Error db.back.
        9.0.17.172.in-addr.arpa. PTR: Non-Existent Domain 
        8.8.8.8.in-addr.arpa. PTR: Forward
        example.org. A: Forward
        example.org. A: Non-Existent Domain 
        db.front. A: Forward
        "#);
    }

    #[test]
    fn what_does_not_fit_is_asked_for_again_by_tcp() {
        let network = Network::plan(Request { name: "back".to_owned(), ..Request::default() }, "ab", "", &[]).unwrap();
        let endpoint = |number: u8| {
            let wish = Wish { names: vec!["all".to_owned()], ..Wish::at([172, 17, 1, number]) };
            Endpoint::new(&network, "c1", wish).unwrap()
        };
        let endpoints: Vec<_> = (0..100).map(endpoint).collect();
        let names = Names { networks: vec![("back", endpoints.iter().collect())], forward: true, ..Names::default() };
        let reply = |tcp| match answer(&question("all.", RecordType::A), &names, tcp, 0) {
            Answer::Reply(bytes) => (bytes.len() <= 512, Message::from_vec(&bytes).unwrap()),
            other => panic!("{other:?}"),
        };
        let (small, udp) = reply(false);
        assert!(small && udp.metadata.truncation);
        let (_, tcp) = reply(true);
        assert_eq!((tcp.answers.len(), tcp.metadata.truncation), (100, false));
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        assert_eq!(ask(b"", true, false, 0), Answer::Silence);
        assert_eq!(ask(&[0; 11], true, false, 0), Answer::Silence);
        let Answer::Reply(bytes) = ask(&question("db.", RecordType::A), true, false, 0) else { panic!() };
        assert_eq!(ask(&bytes, true, false, 0), Answer::Silence, "an answer is not answered");
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let ours = question("db.", RecordType::A);
        let Answer::Reply(reply) = ask(&ours, true, false, 0) else { panic!() };
        assert!(is_answer_to(&reply, &ours));
        assert!(!is_answer_to(&reply, &question("web.", RecordType::A)), "another name");
        let mut forged = reply.clone();
        forged[0] ^= 1;
        assert!(!is_answer_to(&forged, &ours), "another number");
        assert!(!is_answer_to(&ours, &ours), "a question");
        let failed = Message::from_vec(&failed(&ours).unwrap()).unwrap();
        assert_eq!((failed.metadata.id, failed.metadata.response_code), (77, ResponseCode::ServFail));
    }

    proptest! {
        /// Whatever comes, a reply is one that a client can read, and never to what calls itself a reply.
        #[test]
        fn no_packet_does_harm(mut packet in proptest::collection::vec(any::<u8>(), 0..600), real in any::<bool>(), at in 0usize..40, byte: u8) {
            if real {
                packet = question("web.back.", RecordType::A);
                let at = at % packet.len();
                packet[at] = byte;
            }
            match ask(&packet, true, at % 2 == 0, at) {
                Answer::Reply(bytes) => {
                    let reply = Message::from_vec(&bytes).unwrap();
                    prop_assert_eq!(reply.metadata.message_type, MessageType::Response);
                    prop_assert!(packet[2] & 0x80 == 0);
                }
                Answer::Forward | Answer::Silence => {}
            }
        }
    }
}
