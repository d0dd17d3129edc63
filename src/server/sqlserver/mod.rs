//! Microsoft SQL Server. The half that talks to no server stands in `statements` (everything that may be sent), `errors` (what comes
//! back when it fails), `decide` (which copy, which route) and `preflight` (what an instance lacks). The other half is one `Instance`:
//! its connections, and what is done through them, one file for each kind of work. Where things are kept: docs/sqlserver.md.

pub mod address;
mod apply;
mod away;
mod close;
pub mod connection;
mod copy;
pub mod decide;
pub mod errors;
mod header;
pub mod instance;
mod logins;
mod look;
mod notes;
pub mod plain;
mod pour;
pub mod preflight;
mod record;
mod room;
pub mod rows;
mod sessions;
pub mod spent;
#[cfg(test)]
#[cfg(feature = "sim")]
mod simulated;
pub mod statements;
mod store;
mod survey;
mod values;

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use self::instance::Instance;
use crate::error::Result;
use crate::model::{
    CopyKind, CopyToApply, DatabaseId, DatabaseState, ENGINES, EpochRecord, Fencing, FolioRule, Hash, Intent, LogState, Look,
    Next, Position, Scanned, Session, Side, Ticket, Versions,
};
use crate::progress::Watch;
use crate::server::port::{By, DatabaseServer, Login, LoginsTaken, Part, Post, Survey};
use crate::text::Text;
use crate::world::Lock;

impl DatabaseServer for Instance {
    fn side(&self) -> Side {
        self.side
    }

    fn instance(&self) -> String {
        self.access.instance.clone()
    }

    fn artefacts(&self) -> (&'static str, &'static str) {
        ENGINES[1]
    }

    fn look(&self) -> Result<Look> {
        Instance::look(self)
    }

    fn ask_anew(&self) {
        Instance::ask_anew(self);
    }

    fn versions(&self) -> Result<Versions> {
        Instance::versions(self)
    }

    fn survey(&self) -> Result<Option<Survey>> {
        Instance::survey(self).map(Some)
    }

    fn identify(&self, store: &str) -> Result<DatabaseId> {
        Instance::identify(self, store)
    }

    fn sessions(&self) -> Result<Vec<Session>> {
        Instance::sessions(self)
    }

    fn announce(&self, name: &str) -> Result<Lock> {
        Instance::announce(self, name)
    }

    fn prove_alone(&self) -> Result<()> {
        Instance::prove_alone(self)
    }

    fn take_post(&self) -> Result<Option<Post>> {
        Instance::take_post(self)
    }

    fn server_lock_held(&self) -> Result<bool> {
        self.is_served()
    }

    fn served_by(&self) -> Option<PathBuf> {
        None
    }

    fn take_apply_lock(&self) -> Result<Option<Lock>> {
        self.take_lock("apply")
    }

    fn scan(
        &self,
        kind: CopyKind,
        base: Option<&Position>,
        record: &EpochRecord,
        sequence: u64,
        sink: &mut dyn FnMut(Part<'_>) -> Result<bool>,
        watch: &Watch,
    ) -> Result<Option<Scanned>> {
        Instance::scan(self, &copy::Asked { kind, base, record, sequence }, sink, watch)
    }

    fn next(&self, base: &Position, kind: CopyKind) -> Result<Next> {
        Instance::next(self, base, kind)
    }

    fn moved_by(&self, base: &Position, kind: CopyKind) -> Result<Vec<Text>> {
        Instance::moved_by(self, base, kind)
    }

    fn logins(&self) -> Result<Vec<Login>> {
        Instance::logins(self)
    }

    fn forget_history(&self, older_than_days: u32) -> Result<bool> {
        Instance::forget_history(self, older_than_days).map(|()| true)
    }

    fn take_logins(&self, logins: &[Login]) -> Result<LoginsTaken> {
        Instance::take_logins(self, logins)
    }

    fn apply(&self, copy: &CopyToApply, content: &mut dyn Read, watch: &Watch) -> Result<()> {
        Instance::apply(self, copy, content, watch)
    }

    fn try_restore(
        &self,
        chain: &mut dyn Iterator<Item = Result<(CopyToApply, Box<dyn Read>)>>,
        watch: &Watch,
    ) -> Result<Position> {
        Instance::try_restore(self, chain, watch)
    }

    fn verify_standby(&self, _watch: &Watch) -> Result<Position> {
        Instance::verify_standby(self)
    }

    fn detached(&self, _watch: &Watch) -> Result<Option<Position>> {
        Instance::detached(self)
    }

    fn follow_again(&self, position: &Position) -> Result<()> {
        Instance::follow_again(self, position)
    }

    fn recover(&self) -> Result<()> {
        Instance::recover(self, &Watch::silent())
    }

    fn fence(&self, how: Fencing) -> Result<()> {
        Instance::fence(self, how, &Watch::silent())
    }

    fn log_state(&self) -> Result<Option<LogState>> {
        Instance::log_state(self)
    }

    fn unfence(&self) -> Result<()> {
        Instance::unfence(self, &Watch::silent())
    }

    fn record(&self, record: &EpochRecord, folio: Option<FolioRule>) -> Result<()> {
        Instance::record(self, record, folio)
    }

    fn publish(&self, record: &EpochRecord) -> Result<()> {
        Instance::publish(self, record)
    }

    fn set_intent(&self, intent: Option<&Intent>) -> Result<()> {
        Instance::set_intent(self, intent)
    }

    fn receive(&self, from: &dyn DatabaseServer, watch: &Watch) -> Result<Hash> {
        Instance::receive(self, &from.closed_files()?, watch)
    }

    fn place(&self, keep: &str) -> Result<()> {
        Instance::place(self, keep, &Watch::silent())
    }

    fn unplace(&self, keep: &str, _placed_from: &dyn DatabaseServer) -> Result<()> {
        Instance::unplace(self, keep, &Watch::silent())
    }

    fn discard_received(&self) -> Result<()> {
        Instance::discard_received(self)
    }

    fn closed_files(&self) -> Result<Vec<PathBuf>> {
        Instance::closed_files(self)
    }

    fn gave_all_to(&self, holder: &dyn DatabaseServer) -> Result<bool> {
        let closed = self.notes()?.closed.filter(|closed| closed.how == Fencing::Handover);
        let (own, theirs) = (Instance::log_state(self)?, holder.log_state()?);
        let went_on =
            own.and_then(|own| own.redo).is_some_and(|redo| theirs.is_some_and(|theirs| theirs.fork_point == Some(redo)));
        Ok(closed.is_some() && went_on)
    }

    fn tickets(&self, each: &mut dyn FnMut(Ticket) -> Result<()>) -> Result<()> {
        match self.state()? {
            DatabaseState::Open => self.each_ticket(&self.database, each),
            DatabaseState::Fenced => self.tickets_of_closed(&self.set_aside_whole()?, each),
            state => Err(self.no_database(state)),
        }
    }

    fn last_folio(&self) -> Result<Option<i64>> {
        match self.state()? {
            DatabaseState::Open => Instance::last_folio(self),
            _ => Ok(self.notes()?.closed.and_then(|closed| closed.last_folio)),
        }
    }

    fn integrity(&self) -> Result<Vec<String>> {
        match self.state()? {
            DatabaseState::Open => Instance::integrity(self, &Watch::silent()),
            // A closed one cannot be asked; what it was closed with was verified.
            _ => Ok(Vec::new()),
        }
    }

    fn release_seats(&self, statement: &str, keep: &mut dyn FnMut(&[Value]) -> Result<()>) -> Result<u64> {
        Instance::release_seats(self, statement, keep)
    }

    fn query(&self, by: By, sql: &str, params: &[Value], limit: usize) -> Result<Vec<Value>> {
        Instance::query(self, by, sql, params, limit)
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        Instance::execute(self, sql, params)
    }
}
