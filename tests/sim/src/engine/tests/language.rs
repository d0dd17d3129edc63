//! T-SQL through the whole instance: parameters, variables, and a table that is filled, read and changed.

use super::Shop;
use crate::{
    engine::{answered, errors},
    wire::{Batch, Instance, Reply, Type, Value},
};

fn asked(shop: &Shop, sql: &str, parameters: &[(&str, Type, Value)]) -> Vec<Reply> {
    let parameters = parameters.iter().map(|(name, kind, value)| ((*name).to_owned(), *kind, value.clone())).collect();
    let mut replies = Vec::new();
    shop.server.batch(shop.session, &Batch { sql: sql.to_owned(), parameters: Some(parameters) }, &mut |reply| {
        replies.push(reply);
        true
    });
    replies
}

#[test]
fn parameters_are_declared_and_end_with_their_call() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(&dir, "main").with_tickets("SIMPLE");
    let insert = "INSERT INTO BDPdv.dbo.Tickets (Folio, Total, Caja) OUTPUT inserted.Caja VALUES (@P1, @P2, @P3)";
    let given = [
        ("@P1", Type::BigInt, Value::Int(7)),
        ("@P2", Type::Numeric(10, 2), Value::Numeric(1250)),
        ("@P3", Type::NVarChar(Some(4000)), Value::Text("caja ñ".to_owned())),
    ];
    assert_eq!(answered(&asked(&shop, insert, &given)), [[Value::Text("caja ñ".to_owned())]]);
    let read = asked(&shop, "SELECT Total FROM BDPdv.dbo.Tickets WHERE Folio = @p1 AND Caja = UPPER(@p3)", &given);
    assert_eq!(answered(&read), [[Value::Numeric(125_000)]]);
    shop.fails("SELECT @P1", &[137]);
    assert_eq!(errors(&asked(&shop, "SELECT @P4", &given)), [137]);
    assert_eq!(errors(&asked(&shop, "INSERT INTO BDPdv.dbo.Tickets VALUES (@P1, 1, NULL)", &given)), [2627]);
}

#[test]
fn variables_cut_and_columns_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(&dir, "main").with_tickets("SIMPLE");
    assert_eq!(
        shop.one("DECLARE @x nvarchar(3) = N'abcdef', @n int = 2; SET @n *= 3; SELECT @x + CAST(@n AS nvarchar(5))"),
        "abc6"
    );
    shop.fails("INSERT INTO BDPdv.dbo.Tickets VALUES (1, 1, REPLICATE(N'x', 21))", &[2628]);
    shop.ok("INSERT INTO BDPdv.dbo.Tickets VALUES (1, 1, REPLICATE(N'x', 20))");
    assert_eq!(
        shop.one("EXEC sp_executesql N'SELECT LEN(Caja) FROM BDPdv.dbo.Tickets WHERE Folio = @f', N'@f int', @f = 1"),
        "20"
    );
}
