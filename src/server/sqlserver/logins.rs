//! Logins that follow main to the backup: with the SID, so that no user of the database loses its login, and with the hash of the password,
//! which itself is never known here. Hashes and SIDs go from one instance into the other and nowhere else.

use super::errors::is_of_client;
use super::instance::Instance;
use super::preflight::Login;
use super::statements::{self, LoginName};
use crate::error::Result;
use crate::model::LoginsTaken;
use crate::text;
use crate::text::Text;

/// First version that knows hashes of the newer kind.
const NEWER_HASHES: u32 = 17;

/// What is to be done about one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Nothing,
    Create,
    SetHash,
    Say(Why),
}

/// Why a login cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Main does not show its hash: the permission is missing there.
    NoHash,
    /// Its hash is of a kind that this server does not know.
    Newer,
    /// One of that name is there, and is another.
    OtherSid,
    /// It is there under another name.
    OtherName,
}

impl Why {
    fn text(self, name: &str) -> Text {
        match self {
            Why::NoHash => text!(
                "el login {name} no se copió al respaldo: a relevo le falta CONTROL SERVER en el principal",
                "the login {name} was not copied to the backup: relevo lacks CONTROL SERVER on main"
            ),
            Why::Newer => text!(
                "el login {name} no se copió al respaldo: su contraseña está cifrada como en SQL Server 2025, que el respaldo no conoce",
                "the login {name} was not copied to the backup: its password is hashed as SQL Server 2025 does, which the backup does not know"
            ),
            Why::OtherSid => text!(
                "el login {name} del respaldo tiene otro SID que en el principal: no se toca",
                "the login {name} of the backup has another SID than on main: it is not touched"
            ),
            Why::OtherName => text!(
                "el login {name} está en el respaldo con otro nombre: no se toca",
                "the login {name} is on the backup under another name: it is not touched"
            ),
        }
    }
}

/// Decides about one login of main. `there`: all of the backup. `major`: the backup's version.
fn work(login: &Login, there: &[Login], major: Option<u32>) -> Work {
    let named = there.iter().find(|other| other.name.to_lowercase() == login.name.to_lowercase());
    let same = named.filter(|other| other.sid == login.sid);
    match (named, same) {
        (_, Some(same)) if login.hash.is_none() || same.hash == login.hash => return Work::Nothing,
        (Some(_), None) => return Work::Say(Why::OtherSid),
        (None, _) if there.iter().any(|other| other.sid == login.sid) => return Work::Say(Why::OtherName),
        _ => {}
    }
    if login.hash.is_none() {
        return Work::Say(Why::NoHash);
    }
    if login.newer_hash() && major < Some(NEWER_HASHES) {
        return Work::Say(Why::Newer);
    }
    if same.is_some() { Work::SetHash } else { Work::Create }
}

impl Instance {
    /// SQL logins with a user in the open database. relevo's own is not meant.
    pub fn logins(&self) -> Result<Vec<Login>> {
        let rows = self.ask(&statements::store_logins(&self.database))?;
        let logins = rows.iter().map(Login::of_row).collect::<Result<Vec<_>>>()?;
        Ok(logins.into_iter().filter(|login| !self.is_own_login(&login.name)).collect())
    }

    /// Creates or follows the logins of main.
    pub fn take_logins(&self, logins: &[Login]) -> Result<LoginsTaken> {
        let there = self.ask(&statements::logins())?.iter().map(Login::of_row).collect::<Result<Vec<_>>>()?;
        let major = self.versions()?.own;
        let mut taken = LoginsTaken::default();
        for login in logins.iter().filter(|login| !self.is_own_login(&login.name)) {
            let (what, done) = match work(login, &there, major) {
                Work::Nothing => continue,
                Work::Say(why) => {
                    taken.notes.push(why.text(&login.name));
                    continue;
                }
                Work::Create => (&mut taken.created, self.create(login)),
                Work::SetHash => (&mut taken.changed, self.set_hash(login)),
            };
            match done {
                Ok(()) => what.push(login.name.clone()),
                Err(failure) if is_of_client(&failure) => return Err(failure),
                Err(failure) => taken.notes.push(failure.message),
            }
        }
        Ok(taken)
    }

    fn create(&self, login: &Login) -> Result<()> {
        let Some(hash) = &login.hash else { return Ok(()) };
        let name = LoginName::new(&login.name)?;
        self.ask(&statements::create_login(&name, &login.sid, hash))?;
        if login.disabled {
            self.ask(&statements::set_login(&name, false))?;
        }
        Ok(())
    }

    fn set_hash(&self, login: &Login) -> Result<()> {
        let Some(hash) = &login.hash else { return Ok(()) };
        self.ask(&statements::set_login_hash(&LoginName::new(&login.name)?, hash)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::statements::HexBytes;
    use super::*;

    fn login(name: &str, sid: &str, hash: Option<&str>) -> Login {
        let hex = |words: &str| HexBytes::new(words, 256).unwrap();
        Login {
            name: name.to_owned(),
            sid: hex(sid),
            hash: hash.map(hex),
            default_database: "master".to_owned(),
            disabled: false,
        }
    }

    #[test]
    fn what_is_done_about_a_login() {
        let there = [login("PDV", "0x01", Some("0x0200AA")), login("vieja", "0x07", Some("0x0200AA"))];
        for (name, sid, hash, major, expected) in [
            ("pdv", "0x01", Some("0x0200AA"), 15, Work::Nothing),
            ("pdv", "0x01", None, 15, Work::Nothing), // what is there is not known to be wrong
            ("pdv", "0x01", Some("0x0200BB"), 15, Work::SetHash),
            ("pdv", "0x02", Some("0x0200AA"), 15, Work::Say(Why::OtherSid)),
            ("nueva", "0x07", Some("0x0200AA"), 15, Work::Say(Why::OtherName)),
            ("otra", "0x03", Some("0x0200AA"), 15, Work::Create),
            ("otra", "0x03", None, 15, Work::Say(Why::NoHash)),
            ("otra", "0x03", Some("0x0300AA"), 16, Work::Say(Why::Newer)),
            ("otra", "0x03", Some("0x0300AA"), 17, Work::Create),
            ("pdv", "0x01", Some("0x0300AA"), 16, Work::Say(Why::Newer)),
        ] {
            assert_eq!(work(&login(name, sid, hash), &there, Some(major)), expected, "{name} {sid} {hash:?} {major}");
        }
        for why in [Why::NoHash, Why::Newer, Why::OtherSid, Why::OtherName] {
            let words = why.text("pdv");
            assert!(words.es != words.en && words.es.contains("pdv"));
        }
    }
}
