//! `DynamoDb::doctor`: the report of the library, as Rust has it.

use crate::local::{flag, flags, table};
use flagstore_launchdarkly::{Code, Finding, Level, Report};
use launchdarkly_server_sdk::PersistentDataStore;

fn finding<'a>(report: &'a Report, check: &str) -> &'a Finding {
    report.findings.iter().find(|one| one.check == check).expect(check)
}

#[test]
fn a_table_that_is_in_order_has_no_problem() {
    let table = table();
    table.open().unwrap().init(flags([flag("f", 1)])).unwrap();
    let report = table.doctor().unwrap();
    assert!(report.findings.iter().all(|one| one.level == Level::Ok && one.remedy.is_none()), "{report:?}");
    assert!(finding(&report, "features").found.starts_with("1 row"));
}

#[test]
fn a_table_that_is_missing_is_named_with_a_remedy() {
    let report = table().option("table", "no-such-table").doctor().unwrap();
    assert_eq!(report.count(Level::Problem), 1);
    let missing = finding(&report, "table");
    assert_eq!(missing.level, Level::Problem);
    assert!(missing.found.contains("no-such-table") && missing.remedy.is_some());
}

#[test]
fn an_option_that_is_unknown_is_an_error() {
    let error = table().option("tabel", "flags").doctor().unwrap_err();
    assert_eq!(error.code, Code::UnknownOption);
    assert!(error.to_string().contains("tabel"));
}

#[test]
fn it_may_be_asked_inside_a_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(async { tokio::task::spawn_blocking(|| table().doctor()).await.unwrap() }).unwrap();
    assert_eq!(finding(&report, "table").level, Level::Ok);
}
