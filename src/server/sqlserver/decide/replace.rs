//! RESTORE … WITH REPLACE switches off what protects a database from being overwritten (another family, a tail not backed up, foreign
//! files). The statement takes a token; only this decision gives one.

use uuid::Uuid;

use crate::server::sqlserver::statements::DatabaseName;

/// Leave to write over one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplaceToken {
    database: DatabaseName,
}

impl ReplaceToken {
    /// Is it for this database?
    pub fn is_for(&self, database: &DatabaseName) -> bool {
        self.database == *database
    }
}

/// The database that stands where the backup shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// It follows: RESTORING, or readable standby.
    pub follows: bool,
    /// Its family; known where the server still says it, or the last restore's header was kept.
    pub family: Option<Uuid>,
    /// It carries our identity and epoch.
    pub marked: bool,
}

/// On whose database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The backup server's copy.
    Standby,
    /// The main server's own database, in a fail-back. It holds sales that exist nowhere else until they are kept.
    Main {
        /// The safety copy of it was taken, and read back whole.
        safety_copy_verified: bool,
    },
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct MayReplace<'a> {
    /// The database to write over.
    pub database: &'a DatabaseName,
    /// On whose side.
    pub over: Over,
    /// What stands there; `None` when nothing does.
    pub standing: Option<Standing>,
    /// Family of the backup.
    pub family: Uuid,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReplace {
    /// Nothing stands there: a plain RESTORE does, and files that lie there belong to somebody.
    NothingThere,
    /// It carries no mark of ours and is no follower of the same family: somebody else's.
    NotOurs,
    /// The old main was not kept yet, or the copy was not read back.
    NoSafetyCopy,
}

/// May it be written over?
pub fn may_replace(asked: MayReplace<'_>) -> Result<ReplaceToken, NoReplace> {
    let standing = asked.standing.ok_or(NoReplace::NothingThere)?;
    let follower = standing.follows && standing.family == Some(asked.family);
    match asked.over {
        Over::Standby | Over::Main { .. } if !standing.marked && !follower => Err(NoReplace::NotOurs),
        Over::Main { safety_copy_verified: false } => Err(NoReplace::NoSafetyCopy),
        Over::Standby | Over::Main { safety_copy_verified: true } => Ok(ReplaceToken { database: asked.database.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_and_kept() {
        let name = DatabaseName::new("BDPdv").unwrap();
        let [ours, other] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let standing = |follows, family, marked| Some(Standing { follows, family, marked });
        let (kept, lost) = (Over::Main { safety_copy_verified: true }, Over::Main { safety_copy_verified: false });
        use NoReplace::*;
        for (over, standing, refused) in [
            (Over::Standby, None, Some(NothingThere)),
            (Over::Standby, standing(false, None, false), Some(NotOurs)),
            (Over::Standby, standing(true, None, false), Some(NotOurs)),
            (Over::Standby, standing(true, Some(other), false), Some(NotOurs)),
            (Over::Standby, standing(false, Some(ours), false), Some(NotOurs)), // open: somebody recovered it
            (Over::Standby, standing(true, Some(ours), false), None),
            (Over::Standby, standing(false, Some(other), true), None),
            (lost, standing(true, Some(ours), true), Some(NoSafetyCopy)),
            (kept, standing(false, Some(other), false), Some(NotOurs)),
            (kept, standing(false, Some(ours), true), None),
            (kept, None, Some(NothingThere)),
        ] {
            let answer = may_replace(MayReplace { database: &name, over, standing, family: ours });
            assert_eq!(answer.as_ref().err(), refused.as_ref(), "{over:?} {standing:?}");
            assert!(answer.is_err() || answer.unwrap().is_for(&name));
        }
    }

    #[test]
    fn a_token_is_for_one_database() {
        let [mine, yours] = ["BDPdv", "Otra"].map(|name| DatabaseName::new(name).unwrap());
        let standing = Some(Standing { follows: false, family: None, marked: true });
        let asked = MayReplace { database: &mine, over: Over::Standby, standing, family: Uuid::nil() };
        assert!(!may_replace(asked).unwrap().is_for(&yours));
    }
}
