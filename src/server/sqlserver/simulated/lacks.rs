//! What the checks find at a simulated instance.

use super::pair::Pair;
use crate::model::{Finding, Severity, Versions};
use crate::server::port::DatabaseServer;
use crate::server::sqlserver::preflight::findings;

fn errors(pair: &Pair) -> Vec<&'static str> {
    all(pair).iter().filter(|found| found.severity == Severity::Error).map(|found| found.code).collect()
}

fn all(pair: &Pair) -> Vec<Finding> {
    let [main, backup] = [&pair.main, &pair.backup].map(|served| DatabaseServer::survey(&served.instance).unwrap());
    findings(main.as_ref(), backup.as_ref(), 5)
}

#[test]
fn a_sound_pair_lacks_nothing_that_matters() {
    let pair = Pair::new();
    assert_eq!(errors(&pair), Vec::<&str>::new(), "{:?}", all(&pair));
    let survey = pair.main.instance.survey().unwrap();
    let database = survey.database.unwrap();
    assert!(database.data_bytes > 0 && database.log_bytes > 0 && database.used_bytes.is_some());
    assert!(survey.server.exchange.unwrap().seen == Some(true) && survey.server.rights.unwrap().view_server_state);
    assert!(!survey.server.volumes.is_empty() && survey.server.ahead.is_some_and(|ahead| ahead.abs() < 5));
}

#[test]
fn a_newer_backup_is_found_and_its_version_told() {
    let pair = Pair::of(15, 16);
    assert_eq!(errors(&pair), ["backup_newer"]);
    assert_eq!(DatabaseServer::versions(&pair.main.instance).unwrap().own, Some(15));
    assert_eq!(DatabaseServer::versions(&pair.backup.instance).unwrap(), Versions { own: Some(16), of_copies: None });
}

#[test]
fn what_is_missing_has_its_code() {
    let pair = Pair::new();
    std::fs::remove_dir_all(pair.dir.path().join("backup-paso")).unwrap();
    let orders = r#"{ "denied": ["VIEW SERVER STATE"] }"#;
    std::fs::write(pair.dir.path().join("main/sim-orders.json"), orders).unwrap();
    pair.main.sql("CREATE LOGIN [tienda] WITH PASSWORD=N'Otra-1', DEFAULT_DATABASE=[BDPdv]");
    let mut program = pair.main.program("otro", "BDPdv");
    program.batch("CREATE USER [tienda] FOR LOGIN [tienda]").unwrap();
    let found = all(&pair);
    let codes: Vec<&str> = found.iter().map(|found| found.code).collect();
    for code in ["exchange_missing", "login_to_copy", "login_default_database"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let shown = format!("{:?}", pair.main.instance.survey().unwrap());
    assert!(!shown.to_lowercase().contains("0x0") && shown.contains("0x…"), "no SID, no hash: {shown}");
}

#[test]
fn one_that_is_away_is_not_judged() {
    let pair = Pair::new();
    let Pair { main, backup, .. } = pair;
    drop(backup);
    assert!(findings(main.instance.survey().ok().as_ref(), None, 5).iter().all(|found| found.code != "backup_newer"));
}
