//! What a client says before its first request: PRELOGIN and LOGIN7, and what it is answered.

use super::bytes::{Malformed, Reader, utf16};
use crate::wire::Login;

/// How much of a connection is encrypted (option 1 of PRELOGIN).
pub mod encryption {
    /// The login only.
    pub const OFF: u8 = 0;
    pub const ON: u8 = 1;
    pub const NOT_SUPPORTED: u8 = 2;
    pub const REQUIRED: u8 = 3;
}

const TERMINATOR: u8 = 0xFF;

/// The encryption that the client asks for in its PRELOGIN.
pub fn wanted_encryption(data: &[u8]) -> Result<u8, Malformed> {
    let (mut options, what) = (Reader::new(data), "PRELOGIN");
    let mut wanted = None;
    loop {
        let option = options.u8(what)?;
        if option == TERMINATOR {
            break;
        }
        let (offset, length) = (options.u16(what)?.swap_bytes(), options.u16(what)?.swap_bytes());
        let value = data.get(usize::from(offset)..usize::from(offset) + usize::from(length)).ok_or(Malformed(what))?;
        if option == 1 {
            wanted = Some(*value.first().ok_or(Malformed(what))?);
        }
    }
    // A client that says nothing about it cannot encrypt.
    match wanted.unwrap_or(encryption::NOT_SUPPORTED) {
        known @ encryption::OFF..=encryption::REQUIRED => Ok(known),
        _ => Err(Malformed("encryption in PRELOGIN")),
    }
}

/// The answer to PRELOGIN: version, encryption, "the instance is the one you named", no thread, no MARS.
pub fn prelogin_answer(version: [u16; 3], encryption: u8) -> Vec<u8> {
    let [build_high, build_low] = version[2].to_be_bytes();
    let options: [(u8, &[u8]); 5] = [
        (0, &[version[0] as u8, version[1] as u8, build_high, build_low, 0, 0]),
        (1, &[encryption]),
        (2, &[0]),
        (3, &[]),
        (4, &[0]),
    ];
    let (mut heads, mut values) = (Vec::new(), Vec::new());
    for (option, value) in options {
        heads.push(option);
        heads.extend(((options.len() * 5 + 1 + values.len()) as u16).to_be_bytes());
        heads.extend((value.len() as u16).to_be_bytes());
        values.extend_from_slice(value);
    }
    heads.push(TERMINATOR);
    [heads, values].concat()
}

/// What of LOGIN7 the protocol needs for itself, and what the instance is told.
#[derive(Debug)]
pub struct Asked {
    pub login: Login,
    pub tds_version: u32,
    pub packet_size: usize,
    /// It wants to come in with its Windows account.
    pub integrated: bool,
}

/// Oldest version that is spoken: 7.3, which brought date and datetime2.
pub const OLDEST_VERSION: u32 = 0x730A_0003;
pub const NEWEST_VERSION: u32 = 0x7400_0004;

impl Asked {
    /// Reads LOGIN7. Lengths in it count characters, offsets count bytes.
    pub fn read(data: &[u8]) -> Result<Asked, Malformed> {
        let (mut fixed, what) = (Reader::new(data), "LOGIN7");
        if fixed.u32(what)? as usize != data.len() {
            return Err(Malformed("length of LOGIN7"));
        }
        let tds_version = fixed.u32(what)?;
        let packet_size = fixed.u32(what)? as usize;
        fixed.take(4, what)?; // version of the client's library
        let process = fixed.u32(what)?;
        fixed.take(4 + 1, what)?; // connection, first flags
        let integrated = fixed.u8(what)? & 0x80 != 0;
        fixed.take(1 + 1 + 4 + 4, what)?; // type, third flags, time zone, LCID
        let mut piece = |what| {
            let (offset, count) = (usize::from(fixed.u16(what)?), usize::from(fixed.u16(what)?));
            data.get(offset..offset + count * 2).ok_or(Malformed(what))
        };
        let host = utf16(piece("host")?)?;
        let user = utf16(piece("user")?)?;
        // Hidden, not encrypted: the halves of each byte change places and some bits flip.
        let hidden = piece("password")?;
        let password = utf16(&hidden.iter().map(|b| (b ^ 0xA5).rotate_left(4)).collect::<Vec<u8>>())?;
        let application = utf16(piece("application")?)?;
        piece("server")?;
        // The extension: its length counts bytes, and none of its features is offered.
        fixed.take(4, what)?;
        let mut piece = |what| {
            let (offset, count) = (usize::from(fixed.u16(what)?), usize::from(fixed.u16(what)?));
            data.get(offset..offset + count * 2).ok_or(Malformed(what))
        };
        piece("library")?;
        piece("language")?;
        let database = utf16(piece("database")?)?;
        fixed.take(6 + 4 + 4 + 4 + 4, what)?; // client id, SSPI, file to attach, new password, long SSPI
        let login = Login { host, user, password, application, database, process, address: String::new() };
        Ok(Asked { login, tds_version, packet_size, integrated })
    }

    /// The size of packets that both sides use from the end of the login on.
    pub fn agreed_size(&self) -> usize {
        if self.packet_size == 0 { super::packet::DEFAULT_SIZE } else { self.packet_size.clamp(512, 32767) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tds::bytes::to_utf16;
    use proptest::prelude::*;

    fn login7(texts: [&str; 5]) -> Vec<u8> {
        let [host, user, password, application, database] = texts;
        let hidden: Vec<u8> = to_utf16(password).iter().map(|b| b.rotate_left(4) ^ 0xA5).collect();
        let pieces =
            [to_utf16(host), to_utf16(user), hidden, to_utf16(application), vec![], vec![], vec![], vec![], to_utf16(database)];
        let (mut heads, mut data) = (Vec::new(), Vec::<u8>::new());
        for piece in &pieces {
            heads.extend(((94 + data.len()) as u16).to_le_bytes());
            heads.extend((piece.len() as u16 / 2).to_le_bytes());
            data.extend(piece);
        }
        let mut message = Vec::new();
        message.extend(((94 + data.len()) as u32).to_le_bytes());
        message.extend(NEWEST_VERSION.to_le_bytes());
        message.extend(8000_u32.to_le_bytes());
        message.extend([0; 4]);
        message.extend(4711_u32.to_le_bytes());
        message.extend([0; 16]);
        message.extend(heads);
        message.extend([0; 22]);
        message.extend(data);
        message
    }

    #[test]
    fn every_field_of_a_login_is_read() {
        let asked = Asked::read(&login7(["CAJA1", "relevo", "niño-€-😀", "SvrPdv", "BDPdv"])).unwrap();
        let expected = Login {
            host: "CAJA1".into(),
            user: "relevo".into(),
            password: "niño-€-😀".into(),
            application: "SvrPdv".into(),
            database: "BDPdv".into(),
            process: 4711,
            address: String::new(),
        };
        assert_eq!(format!("{:?}", asked.login), format!("{expected:?}"));
        assert_eq!((asked.agreed_size(), asked.tds_version, asked.integrated), (8000, NEWEST_VERSION, false));
    }

    #[test]
    fn prelogin_is_read_and_answered() {
        let asked = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF, 9, 0, 0, 0, 0, 0, 3];
        assert_eq!(wanted_encryption(&asked), Ok(encryption::REQUIRED));
        assert_eq!(wanted_encryption(&[0xFF]), Ok(encryption::NOT_SUPPORTED));
        for bad in [&[][..], &[1, 0, 200, 0, 1, 0xFF], &[1, 0, 6, 0, 1, 0xFF, 9]] {
            assert!(wanted_encryption(bad).is_err(), "{bad:?}");
        }
        let answer = prelogin_answer([16, 0, 1000], encryption::NOT_SUPPORTED);
        assert_eq!(wanted_encryption(&answer), Ok(encryption::NOT_SUPPORTED));
        assert_eq!(answer[26..32], [16, 0, 3, 232, 0, 0]);
    }

    proptest! {
        #[test]
        fn a_damaged_login_is_read_or_refused(at in 0_usize..94, byte in any::<u8>(), cut in 0_usize..140) {
            let mut message = login7(["CAJA1", "relevo", "x", "SvrPdv", "BDPdv"]);
            message[at] = byte;
            let _ = Asked::read(&message);
            message.truncate(cut);
            let _ = Asked::read(&message);
            let _ = wanted_encryption(&message);
        }
    }
}
