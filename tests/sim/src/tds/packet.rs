//! Packets: eight bytes of header and a piece of a message. Requests are put together, replies are cut at the size that was agreed.

use super::bytes::Malformed;

/// Kinds of messages.
pub const BATCH: u8 = 0x01;
pub const RPC: u8 = 0x03;
pub const REPLY: u8 = 0x04;
pub const ATTENTION: u8 = 0x06;
pub const TRANSACTION: u8 = 0x0E;
pub const LOGIN7: u8 = 0x10;
pub const PRELOGIN: u8 = 0x12;

pub const HEADER: usize = 8;
/// Until the login agrees on another.
pub const DEFAULT_SIZE: usize = 4096;

const END_OF_MESSAGE: u8 = 0x01;
const RESET: u8 = 0x08;
/// No request of a shop comes near; a length gone wild does.
const LARGEST_MESSAGE: usize = 64 << 20;

/// A whole request.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: u8,
    /// The session begins anew before it (RESETCONNECTION).
    pub reset: bool,
    pub data: Vec<u8>,
}

/// Bytes as they come; requests as they become whole.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    open: Option<Request>,
}

impl Inbox {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole request, if there is one.
    pub fn next(&mut self) -> Result<Option<Request>, Malformed> {
        while self.bytes.len() >= HEADER {
            let (kind, status) = (self.bytes[0], self.bytes[1]);
            let length = usize::from(u16::from_be_bytes([self.bytes[2], self.bytes[3]]));
            if length < HEADER {
                return Err(Malformed("length of a packet"));
            }
            if ![BATCH, RPC, ATTENTION, TRANSACTION, LOGIN7, PRELOGIN].contains(&kind) {
                return Err(Malformed("kind of a packet"));
            }
            if status & !(END_OF_MESSAGE | RESET) != 0 {
                return Err(Malformed("status of a packet"));
            }
            if self.bytes.len() < length {
                return Ok(None);
            }
            let data: Vec<u8> = self.bytes.drain(..length).skip(HEADER).collect();
            let request = self.open.get_or_insert_with(|| Request { kind, reset: status & RESET != 0, data: Vec::new() });
            if request.kind != kind {
                return Err(Malformed("packet of another message"));
            }
            request.data.extend(data);
            if request.data.len() > LARGEST_MESSAGE {
                return Err(Malformed("length of a message"));
            }
            if status & END_OF_MESSAGE != 0 {
                return Ok(self.open.take());
            }
        }
        Ok(None)
    }
}

/// A reply on its way: tokens go in, packets come out.
pub struct Outbox {
    /// Of a packet, with its header.
    pub size: usize,
    pub session: u16,
    tokens: Vec<u8>,
    number: u8,
}

impl Outbox {
    pub fn new() -> Self {
        Outbox { size: DEFAULT_SIZE, session: 0, tokens: Vec::new(), number: 0 }
    }

    /// Where the next token goes.
    pub fn tokens(&mut self) -> &mut Vec<u8> {
        &mut self.tokens
    }

    fn packet(&mut self, kind: u8, status: u8, length: usize, out: &mut Vec<u8>) {
        self.number = self.number.wrapping_add(1);
        out.extend([kind, status]);
        out.extend(((length + HEADER) as u16).to_be_bytes());
        out.extend(self.session.to_be_bytes());
        out.extend([self.number, 0]);
        out.extend(self.tokens.drain(..length));
    }

    /// Packets that are full. One always stays behind, so that the last of a message is never empty.
    pub fn full(&mut self) -> Vec<u8> {
        let (room, mut out) = (self.size - HEADER, Vec::new());
        while self.tokens.len() > room {
            self.packet(REPLY, 0, room, &mut out);
        }
        out
    }

    /// All there is, without an end of the message: messages about progress do not wait for a full packet.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut out = self.full();
        if !self.tokens.is_empty() {
            self.packet(REPLY, 0, self.tokens.len(), &mut out);
        }
        out
    }

    /// All there is, and the end of the message.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = self.full();
        self.packet(REPLY, END_OF_MESSAGE, self.tokens.len(), &mut out);
        self.number = 0;
        out
    }

    /// One packet of another kind: the frame around a TLS handshake.
    pub fn frame(&mut self, kind: u8, bytes: &[u8]) -> Vec<u8> {
        let (room, mut out) = (self.size - HEADER, Vec::new());
        self.tokens = bytes.to_vec();
        while self.tokens.len() > room {
            self.packet(kind, 0, room, &mut out);
        }
        self.packet(kind, END_OF_MESSAGE, self.tokens.len(), &mut out);
        self.number = 0;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(kind: u8, status: u8, data: &[u8]) -> Vec<u8> {
        let length = ((data.len() + HEADER) as u16).to_be_bytes();
        [&[kind, status, length[0], length[1], 0, 0, 1, 0], data].concat()
    }

    #[test]
    fn a_request_is_put_together_from_single_bytes() {
        let sent = [packet(BATCH, 8, b"ab"), packet(BATCH, 1, b"c"), packet(ATTENTION, 1, b"")].concat();
        let (mut inbox, mut found) = (Inbox::default(), Vec::new());
        for byte in sent {
            inbox.push(&[byte]);
            found.extend(inbox.next().unwrap());
        }
        let attention = Request { kind: ATTENTION, reset: false, data: Vec::new() };
        assert_eq!(found, [Request { kind: BATCH, reset: true, data: b"abc".to_vec() }, attention]);
        assert_eq!(inbox.next(), Ok(None));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let bad = [
            packet(0x63, 1, b""),
            packet(BATCH, 0x10, b""),
            packet(BATCH, 3, b""),
            vec![BATCH, 1, 0, 7, 0, 0, 1, 0],
            [packet(BATCH, 0, b"a"), packet(RPC, 1, b"b")].concat(),
        ];
        for bytes in bad {
            let mut inbox = Inbox::default();
            inbox.push(&bytes);
            assert!(inbox.next().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_reply_is_cut_and_its_last_packet_is_never_empty() {
        let mut outbox = Outbox::new();
        outbox.size = 512;
        outbox.tokens().extend(vec![7; 2 * 504]);
        let sent = [outbox.full(), outbox.finish()].concat();
        assert_eq!(sent.len(), 2 * 512);
        assert_eq!((sent[1], sent[512 + 1]), (0, END_OF_MESSAGE));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut inbox = Inbox::default();
            inbox.push(&bytes);
            while let Ok(Some(_)) = inbox.next() {}
        }
    }
}
