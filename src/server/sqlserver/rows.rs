//! Rows as the connection hands them on: values by the name of their column, in three plain forms.

use std::collections::HashMap;

use uuid::Uuid;

use crate::error::{Failure, Result};
use crate::model::Lsn;
use crate::text;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// NULL
    Null,
    /// bit, tinyint, smallint, int, bigint
    Int(i64),
    /// Characters; also what other types look like as text (numeric(n,0) its digits, uniqueidentifier, datetime in style 126).
    Words(String),
    /// varbinary
    Bytes(Vec<u8>),
}

/// One row. Columns that a newer server adds do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(HashMap<String, Cell>);

impl FromIterator<(String, Cell)> for Row {
    fn from_iter<I: IntoIterator<Item = (String, Cell)>>(cells: I) -> Self {
        Row(cells.into_iter().collect())
    }
}

impl Row {
    fn cell(&self, column: &str) -> Result<&Cell> {
        self.0.get(column).ok_or_else(|| unreadable(column, "missing"))
    }

    /// A whole number, also where it arrives as text.
    pub fn int(&self, column: &str) -> Result<Option<i64>> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(*number)),
            Cell::Words(words) => words.trim().parse().map(Some).map_err(|_| unreadable(column, "no number")),
            Cell::Bytes(_) => Err(unreadable(column, "bytes")),
        }
    }

    /// Text.
    pub fn words(&self, column: &str) -> Result<Option<String>> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Int(number) => Ok(Some(number.to_string())),
            Cell::Words(words) => Ok(Some(words.clone())),
            Cell::Bytes(_) => Err(unreadable(column, "bytes")),
        }
    }

    /// Yes or no; NULL is no.
    pub fn yes(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)?.unwrap_or(0) != 0)
    }

    /// A log sequence number.
    pub fn lsn(&self, column: &str) -> Result<Option<Lsn>> {
        self.words(column)?.map(|words| words.trim().parse().map_err(|_| unreadable(column, "no LSN"))).transpose()
    }

    /// A uniqueidentifier. The zero one is none.
    pub fn guid(&self, column: &str) -> Result<Option<Uuid>> {
        let Some(words) = self.words(column)? else { return Ok(None) };
        let id = words.trim().parse::<Uuid>().map_err(|_| unreadable(column, "no uniqueidentifier"))?;
        Ok((!id.is_nil()).then_some(id))
    }

    /// Bytes.
    pub fn bytes(&self, column: &str) -> Result<Option<&[u8]>> {
        match self.cell(column)? {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes)),
            Cell::Int(_) | Cell::Words(_) => Err(unreadable(column, "no bytes")),
        }
    }

    /// A whole number that must be there.
    pub fn must_int(&self, column: &str) -> Result<i64> {
        self.int(column)?.ok_or_else(|| unreadable(column, "NULL"))
    }

    /// Text that must be there.
    pub fn must_words(&self, column: &str) -> Result<String> {
        self.words(column)?.ok_or_else(|| unreadable(column, "NULL"))
    }

    /// A log sequence number that must be there.
    pub fn must_lsn(&self, column: &str) -> Result<Lsn> {
        self.lsn(column)?.ok_or_else(|| unreadable(column, "NULL"))
    }

    /// A uniqueidentifier that must be there.
    pub fn must_guid(&self, column: &str) -> Result<Uuid> {
        self.guid(column)?.ok_or_else(|| unreadable(column, "NULL"))
    }
}

fn unreadable(column: &str, why: &str) -> Failure {
    Failure::failed(
        "sql_answer",
        text!("el servidor contestó algo inesperado en {column}", "the server answered something unexpected in {column}"),
    )
    .cause(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_name_and_never_guessed() {
        let row: Row = [
            ("a".to_owned(), Cell::Int(7)),
            ("b".to_owned(), Cell::Words("45000000003200001".to_owned())),
            ("c".to_owned(), Cell::Words("6F9619FF-8B86-D011-B42D-00C04FC964FF".to_owned())),
            ("d".to_owned(), Cell::Null),
            ("e".to_owned(), Cell::Bytes(vec![1])),
            ("z".to_owned(), Cell::Words("00000000-0000-0000-0000-000000000000".to_owned())),
        ]
        .into_iter()
        .collect();
        assert_eq!((row.int("a").unwrap(), row.int("d").unwrap()), (Some(7), None));
        assert_eq!(row.lsn("b").unwrap(), Some(Lsn(45_000_000_003_200_001)));
        assert_eq!(row.must_guid("c").unwrap().to_string(), "6f9619ff-8b86-d011-b42d-00c04fc964ff");
        assert_eq!(row.guid("z").unwrap(), None);
        assert!(!row.yes("d").unwrap() && row.yes("a").unwrap());
        assert_eq!(row.bytes("e").unwrap(), Some(&[1][..]));
        for wrong in [row.int("e"), row.int("nothing"), row.int("c")] {
            assert_eq!(wrong.unwrap_err().kind, "sql_answer");
        }
        assert_eq!(row.must_words("d").unwrap_err().kind, "sql_answer");
    }
}
