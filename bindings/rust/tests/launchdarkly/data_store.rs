//! What the SDK's interface promises, on a table.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::local::{Endpoint, flag, flags, table, tombstone};
use flagstore_launchdarkly::{Code, DynamoDb};
use launchdarkly_server_sdk::{DataKind, PersistentDataStore, PersistentDataStoreFactory, SerializedItem};

#[test]
fn init_replaces_the_data_set_and_marks_the_table() {
    let mut store = table().open().unwrap();
    assert!(!store.is_initialized());
    store.init(flags([flag("a", 1), flag("b", 1)])).unwrap();
    assert!(store.is_initialized());
    store.init(flags([flag("b", 2)])).unwrap();
    let all = store.all_flags().unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(all["b"].version, 2);
    assert_eq!(all["b"].serialized_item, flag("b", 2).1.serialized_item);
    assert!(store.flag("a").unwrap().is_none());
}

#[test]
fn segments_are_apart_from_flags() {
    let mut store = table().open().unwrap();
    let segment = r#"{"key":"s","version":4,"included":["u"],"excluded":[],"rules":[],"salt":"x"}"#;
    let given = SerializedItem { version: 4, deleted: false, serialized_item: segment.into() };
    assert!(store.upsert(DataKind::Segment, "s", given).unwrap());
    assert_eq!(store.segment("s").unwrap().unwrap().serialized_item, segment);
    assert!(store.flag("s").unwrap().is_none());
}

#[test]
fn only_a_newer_version_is_written() {
    let mut store = table().open().unwrap();
    let mut upsert = |version| store.upsert(DataKind::Flag, "f", flag("f", version).1).unwrap();
    assert_eq!([upsert(5), upsert(5), upsert(4), upsert(6)], [true, false, false, true]);
    assert_eq!(store.flag("f").unwrap().unwrap().version, 6);
}

#[test]
fn a_deletion_is_kept_as_a_placeholder() {
    let mut store = table().open().unwrap();
    store.init(flags([flag("f", 1)])).unwrap();
    assert!(store.upsert(DataKind::Flag, "f", tombstone(2)).unwrap());
    assert!(!store.upsert(DataKind::Flag, "f", flag("f", 1).1).unwrap());
    let placeholder = store.flag("f").unwrap().unwrap();
    assert!(placeholder.deleted);
    assert_eq!(placeholder.version, 2);
    assert!(store.all_flags().unwrap()["f"].deleted);
}

#[test]
fn a_row_that_the_sdk_cannot_read_hides_no_other() {
    let mut store = table().open().unwrap();
    store.init(flags([flag("good", 1)])).unwrap();
    for (key, item) in [("words", "no JSON"), ("wrong", r#"{"key":"wrong","version":"one"}"#), ("list", "[1]")] {
        let given = SerializedItem { version: 1, deleted: false, serialized_item: item.into() };
        store.upsert(DataKind::Flag, key, given).unwrap();
        assert!(store.flag(key).unwrap().is_none(), "{key}");
    }
    assert_eq!(store.all_flags().unwrap().keys().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn an_item_that_is_too_large_is_left_and_fails_nothing() {
    let mut store = table().open().unwrap();
    store.init(flags([flag("f", 1)])).unwrap();
    let (_, mut large) = flag("f", 2);
    large.serialized_item = large.serialized_item.replace("\"s\"", &format!("\"{}\"", "s".repeat(401 * 1024)));
    assert!(!store.upsert(DataKind::Flag, "f", large.clone()).unwrap());
    assert_eq!(store.flag("f").unwrap().unwrap().version, 1);
    let report = store.replace(flags([("f".to_owned(), large), flag("g", 1)])).unwrap();
    assert_eq!(report.too_large.len(), 1);
    assert_eq!(report.written, 1);
}

#[test]
fn other_prefixes_are_left_alone() {
    let endpoint = Endpoint::start();
    let (mut ours, theirs) = (endpoint.table("ours").open().unwrap(), endpoint.table("theirs").open().unwrap());
    theirs.clone().init(flags([flag("f", 1)])).unwrap();
    ours.init(flags([flag("g", 1)])).unwrap();
    assert_eq!(theirs.all_flags().unwrap().keys().collect::<Vec<_>>(), ["f"]);
}

#[test]
fn wrong_options_are_errors_that_name_them() {
    let error = table().option("prefixx", "x").open().err().unwrap();
    assert_eq!(error.code, Code::UnknownOption);
    assert!(error.message.contains("prefixx"), "{error}");
    let error = DynamoDb::table("").create_persistent_data_store().err().unwrap();
    assert!(error.to_string().contains("table"), "{error}");
    let mut store = table().open().unwrap();
    let error = store.upsert(DataKind::Flag, "f", tombstone(u64::MAX)).unwrap_err();
    assert!(error.to_string().contains("version"), "{error}");
}

#[test]
fn a_time_is_never_rounded_to_none() {
    let shown = format!("{:?}", DynamoDb::table("t").timeout(Duration::from_micros(10)).cache_ttl(Duration::ZERO));
    assert!(shown.contains(r#""timeout_ms": Number(1)"#), "{shown}");
    assert!(shown.contains(r#""cache_ttl_ms": Number(0)"#), "{shown}");
}

#[test]
fn no_secret_is_shown() {
    let table = table()
        .credentials("AKIDEXAMPLE", "planted-secret")
        .session_token("planted-token")
        .option("proxy", "http://user:planted-password@127.0.0.1:1");
    let shown = format!("{table:?}");
    assert!(!shown.contains("planted"), "{shown}");
    assert!(shown.contains("AKIDEXAMPLE"), "{shown}");
}

#[test]
fn every_thread_gets_its_own_value() {
    let mut store = table().open().unwrap();
    store.init(flags((0..16).map(|number| flag(&format!("f{number}"), number + 1)))).unwrap();
    thread::scope(|scope| {
        for number in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..50 {
                    let found = store.flag(&format!("f{number}")).unwrap().unwrap();
                    assert_eq!(found.version, number + 1);
                    assert!(found.serialized_item.contains(&format!("\"f{number}\"")));
                }
            });
        }
    });
}

#[test]
fn it_may_be_used_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut store = table().open().unwrap();
        store.init(flags([flag("f", 1)])).unwrap();
        assert_eq!(store.flag("f").unwrap().unwrap().version, 1);
        drop(store);
    });
}

/// Of the whole program, since `log` has one logger.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "flagstore" {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }
    fn flush(&self) {}
}

#[test]
fn what_was_told_stands_in_while_dynamodb_is_away() {
    log::set_logger(&Lines).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let endpoint = Endpoint::start();
    let mut store = endpoint.table("told").timeout(Duration::from_secs(2)).open().unwrap();
    store.init(flags([flag("f", 1)])).unwrap();
    endpoint.stop();
    assert!(store.available().is_err());
    assert_eq!(store.flag("f").unwrap().unwrap().version, 1);
    assert_eq!(store.all_flags().unwrap().len(), 1);
    // It cannot be written, and is what the SDK knows: the next read has it.
    assert!(store.upsert(DataKind::Flag, "f", flag("f", 2).1).is_err());
    assert_eq!(store.flag("f").unwrap().unwrap().version, 2);
    let statistics: serde_json::Value = serde_json::from_str(&store.statistics()).unwrap();
    assert!(statistics["served_while_away"].as_u64().unwrap() >= 2, "{statistics}");
    assert_eq!(statistics["unwritten"], 1);
    // Not held: the next store logs too.
    let lines = LINES.lock().unwrap().clone();
    assert!(lines.iter().any(|line| line.contains("using table \"flags\", prefix \"told\"")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("variations")), "{lines:?}");

    // Nothing stands in where nothing was told.
    let stranger = endpoint.table("told").timeout(Duration::from_secs(2)).keep_told(false).open().unwrap();
    assert!(stranger.flag("f").is_err());
    assert!(!stranger.is_initialized());
}
