//! Bytes by hand: encoded and decoded by the crate `tds-protocol`, a second opinion beside tiberius, and bytes that are no TDS at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::prelude::*;
use tds_protocol::token::{DoneStatus, Token, TokenParser};
use tds_protocol::{Login7, PreLogin, SqlBatch, prelogin};

use super::super::packet;
use super::fake::{PASSWORD, Served, every_type};

fn send(tcp: &mut TcpStream, kind: u8, status: u8, data: &[u8]) {
    let length = ((data.len() + 8) as u16).to_be_bytes();
    tcp.write_all(&[&[kind, status, length[0], length[1], 0, 0, 1, 0], data].concat()).unwrap();
}

/// The data of one reply; `None` when the server closed.
fn receive(tcp: &mut TcpStream) -> Option<Vec<u8>> {
    let mut reply = Vec::new();
    loop {
        let mut header = [0; 8];
        tcp.read_exact(&mut header).ok()?;
        assert_eq!(header[0], packet::REPLY);
        let mut data = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 8];
        assert!(!data.is_empty());
        tcp.read_exact(&mut data).ok()?;
        reply.extend(data);
        if header[1] == 1 {
            return Some(reply);
        }
    }
}

fn open(served: &Served) -> TcpStream {
    let tcp = TcpStream::connect(served.address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    tcp
}

fn log_in(served: &Served, login: Login7) -> (TcpStream, Vec<Token>) {
    let mut tcp = open(served);
    send(&mut tcp, packet::PRELOGIN, 1, &PreLogin::new().with_encryption(prelogin::EncryptionLevel::NotSupported).encode());
    let answer = PreLogin::decode(&receive(&mut tcp).unwrap()[..]).unwrap();
    assert_eq!(answer.encryption, prelogin::EncryptionLevel::NotSupported);
    send(&mut tcp, packet::LOGIN7, 1, &login.encode());
    let reply = receive(&mut tcp).unwrap();
    (tcp, tokens(reply))
}

fn known() -> Login7 {
    Login7::new().with_sql_auth("relevo", PASSWORD).with_database("BDPdv").with_packet_size(4096)
}

fn tokens(reply: Vec<u8>) -> Vec<Token> {
    let mut parser = TokenParser::new(reply.into());
    let (mut found, mut columns) = (Vec::new(), None);
    while let Some(token) = parser.next_token_with_metadata(columns.as_ref()).unwrap() {
        if let Token::ColMetaData(data) = &token {
            columns = Some(data.clone());
        }
        found.push(token);
    }
    assert!(!parser.has_remaining());
    found
}

fn ask(tcp: &mut TcpStream, sql: &str) -> Vec<Token> {
    send(tcp, packet::BATCH, 1, &SqlBatch::new(sql).encode());
    tokens(receive(tcp).unwrap())
}

/// A word for each token, with what a client acts on.
fn words(tokens: &[Token]) -> Vec<String> {
    let bits = |status: &DoneStatus| format!("{:#x}", status.to_bits());
    tokens
        .iter()
        .map(|token| match token {
            Token::ColMetaData(data) => format!("columns {}", data.column_count()),
            Token::Row(_) => "row".to_owned(),
            Token::Done(done) => format!("done {} {}", bits(&done.status), done.row_count),
            Token::DoneInProc(done) => format!("in {} {}", bits(&done.status), done.row_count),
            Token::DoneProc(done) => format!("end {} {}", bits(&done.status), done.row_count),
            Token::ReturnStatus(status) => format!("status {status}"),
            Token::Error(error) => format!("error {}", error.number),
            Token::Info(info) if info.class == 0 => format!("info {}", info.number),
            // This decoder reads the version backwards; tiberius and FreeTDS read it as Microsoft writes it, high byte first.
            Token::LoginAck(ack) => format!("ack {:#x}", ack.tds_version.swap_bytes()),
            Token::EnvChange(change) => format!("change {:?}", change.env_type),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_second_decoder_reads_the_login() {
    let served = Served::new();
    let (_tcp, found) = log_in(&served, known());
    let expected = [
        "change Database",
        "info 5701",
        "change SqlCollation",
        "change Language",
        "info 5703",
        "ack 0x74000004",
        "change PacketSize",
        "done 0x0 0",
    ];
    assert_eq!(words(&found), expected);
    let (mut tcp, found) = log_in(&served, known().with_database("Restaurando"));
    assert_eq!(words(&found), ["error 4060", "error 18456", "done 0x2 0"]);
    assert_eq!(receive(&mut tcp), None);
    let (mut tcp, found) = log_in(&served, known().with_integrated_auth(vec![1, 2, 3]));
    assert_eq!(words(&found), ["error 18452", "done 0x2 0"]);
    assert_eq!(receive(&mut tcp), None);
}

#[test]
fn a_second_decoder_reads_every_token() {
    let served = Served::new();
    let (mut tcp, _) = log_in(&served, known());
    let count = every_type().len();
    assert_eq!(words(&ask(&mut tcp, "types")), [&*format!("columns {count}"), "row", "row", "done 0x10 2"]);
    assert_eq!(words(&ask(&mut tcp, "errors")), ["error 3156", "error 3013", "done 0x2 0"]);
    assert_eq!(words(&ask(&mut tcp, "use X")), ["change Database", "info 5701", "done 0x0 0"]);
    assert_eq!(words(&ask(&mut tcp, "nothing")), ["done 0x0 0"]);
    let progress = words(&ask(&mut tcp, "progress 5"));
    assert_eq!((progress.len(), &*progress[0], &*progress[5]), (6, "info 3211", "done 0x0 0"));
    assert_eq!(words(&ask(&mut tcp, "fatal")), ["error 824", "done 0x102 0"]);
    assert_eq!(receive(&mut tcp), None);
}

#[test]
fn a_done_says_whether_more_follows() {
    let served = Served::new();
    let (mut tcp, _) = log_in(&served, known());
    let batch = ["columns 1", "row", "done 0x11 1", "error 208", "done 0x3 0", "info 3211", "done 0x0 0"];
    assert_eq!(words(&ask(&mut tcp, "three")), batch);
    let call = tds_protocol::rpc::RpcRequest::execute_sql("three", vec![]).encode();
    send(&mut tcp, packet::RPC, 1, &call);
    let call = ["columns 1", "row", "in 0x11 1", "error 208", "in 0x3 0", "info 3211", "in 0x1 0", "status 208", "end 0x0 0"];
    assert_eq!(words(&tokens(receive(&mut tcp).unwrap())), call);
}

#[test]
fn packets_have_the_size_that_was_agreed() {
    let served = Served::new();
    for (asked, agreed) in [(100, 512), (512, 512), (8000, 8000), (0, 4096), (60_000, 32_767)] {
        let (mut tcp, _) = log_in(&served, known().with_packet_size(asked));
        send(&mut tcp, packet::BATCH, 1, &SqlBatch::new("rows 2000").encode());
        let mut header = [0; 8];
        tcp.read_exact(&mut header).unwrap();
        assert_eq!(header[..4], [packet::REPLY, 0, (agreed >> 8) as u8, agreed as u8], "{asked}");
    }
}

#[test]
fn a_reset_connection_is_a_new_session() {
    let served = Served::new();
    let (mut tcp, _) = log_in(&served, known());
    send(&mut tcp, packet::BATCH, 9, &SqlBatch::new("spid").encode());
    let found = words(&tokens(receive(&mut tcp).unwrap()));
    assert_eq!(found, ["change ResetConnectionCompletionAck", "columns 1", "row", "done 0x10 1"]);
    assert_eq!(*served.fake.left.lock().unwrap(), [51]);
    assert_eq!(served.fake.logins.lock().unwrap().len(), 2);
}

#[test]
fn attention_in_the_middle_is_confirmed_in_the_same_reply() {
    let served = Served::new();
    let (mut tcp, _) = log_in(&served, known());
    send(&mut tcp, packet::BATCH, 1, &SqlBatch::new("wait").encode());
    std::thread::sleep(Duration::from_millis(100));
    send(&mut tcp, packet::ATTENTION, 1, &[]);
    assert_eq!(words(&tokens(receive(&mut tcp).unwrap())), ["done 0x20 0"]);
}

#[test]
fn a_stored_procedure_that_is_none_of_ours_is_refused() {
    let served = Served::new();
    let (mut tcp, _) = log_in(&served, known());
    let call = tds_protocol::rpc::RpcRequest::prepexec("SELECT 1", vec![]).encode();
    send(&mut tcp, packet::RPC, 1, &call);
    let found = words(&tokens(receive(&mut tcp).unwrap()));
    assert_eq!(found[0], "error 2812");
    assert_eq!(words(&ask(&mut tcp, "nothing")), ["done 0x0 0"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever comes, before and after the login, the server lives: the drop of `served` fails the test when a thread panicked.
    #[test]
    fn bytes_that_are_no_tds_end_one_connection_only(
        kind in prop::sample::select(vec![0x01_u8, 0x03, 0x06, 0x0E, 0x10, 0x12, 0x07]),
        raw in prop::collection::vec(any::<u8>(), 0..300),
        head in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 4, 0x26, 0x6A, 0x6F, 0x28, 0x2A, 0xA5, 0xE7, 0xFF, 10]), 0..80),
    ) {
        let served = Served::new();
        let mut early = open(&served);
        early.write_all(&raw).unwrap();
        let mut framed = open(&served);
        send(&mut framed, kind, 1, &raw);
        let (mut late, _) = log_in(&served, known());
        send(&mut late, kind, 1, &[&[4, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 0][..], &head].concat());
        let _ = late.shutdown(std::net::Shutdown::Write);
        while receive(&mut late).is_some() {}
        let (mut other, _) = log_in(&served, known());
        prop_assert_eq!(words(&ask(&mut other, "nothing")), ["done 0x0 0"]);
    }
}
