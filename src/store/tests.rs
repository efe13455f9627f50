//! The store's promises, on a table in memory. The same promises on real endpoints are in `tests/store.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::dynamo::memory::MemoryTable;
use crate::dynamo::{BigSegmentRow, Counters};
use crate::model::data_set::{self, Collection};
use crate::model::options::Options;
use crate::model::row::{Attribute, Item};
use crate::model::{Code, Error};
use crate::store::report::{Kept, LeftOut, Replaced};
use crate::store::{Store, Upserted};

fn store_with(table: &Arc<MemoryTable>, change: impl FnOnce(&mut Options)) -> Arc<Store> {
    let mut options = Options::for_table("flags");
    options.prefix = "p".into();
    // No deadline is under test here, and under Miri the usual one passes.
    options.timeout = Duration::from_secs(600);
    change(&mut options);
    Store::on(options, Arc::clone(table) as _, Arc::<Counters>::default())
}

fn store(table: &Arc<MemoryTable>) -> Arc<Store> {
    store_with(table, |_| {})
}

fn cached(table: &Arc<MemoryTable>, ttl: u64) -> Arc<Store> {
    store_with(table, |options| options.cache.ttl = Some(Duration::from_millis(ttl)))
}

fn item(key: &str, version: i64, text: &str) -> Item {
    Item { key: key.into(), version, deleted: false, item: Some(text.into()) }
}

fn tombstone(key: &str, version: i64) -> Item {
    Item { key: key.into(), version, deleted: true, item: None }
}

fn data(json: &str) -> Vec<Collection> {
    data_set::from_json(json).expect("valid data")
}

fn statistic(store: &Store, name: &str) -> u64 {
    let statistics: HashMap<String, f64> = serde_json::from_str(&store.statistics()).expect("statistics are JSON");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let value = statistics[name] as u64;
    value
}

fn events(store: &Store) -> Vec<String> {
    std::iter::from_fn(|| store.next_event()).map(|event| event.message).collect()
}

const TWO_KINDS: &str = r#"{"features":{
    "top":{"version":1,"prerequisites":[{"key":"base"}]},
    "base":{"version":1,"prerequisites":[]}},
    "segments":{"seg":{"version":1}}}"#;

#[test]
fn init_writes_segments_then_flags_after_their_prerequisites_then_the_marker() {
    let table = Arc::new(MemoryTable::default());
    let report = store(&table).init(data(TWO_KINDS)).expect("init works");
    assert_eq!(report.written, 3);
    assert_eq!(table.writes(), ["put p:segments/seg", "put p:features/base", "put p:features/top", "mark p:$inited"]);
    assert_eq!(table.requests().last().map(String::as_str), Some("mark p:$inited"));
}

#[test]
fn an_unchanged_init_writes_nothing_and_a_changed_one_only_what_changed() {
    let table = Arc::new(MemoryTable::default());
    store(&table).init(data(TWO_KINDS)).expect("init works");
    table.forget_requests();
    let same_but_serialised_otherwise = TWO_KINDS.replace(r#","prerequisites":[]"#, r#", "deleted": false"#);
    let report = store(&table).init(data(&same_but_serialised_otherwise)).expect("init works");
    assert_eq!((report.written, report.unchanged, table.writes().len()), (0, 3, 0));
    let changed = TWO_KINDS.replace(r#""seg":{"version":1}"#, r#""seg":{"version":2}"#);
    let report = store(&table).init(data(&changed)).expect("init works");
    assert_eq!((report.written, report.unchanged), (1, 2));
    assert_eq!(table.writes(), ["put p:segments/seg"]);
}

#[test]
fn init_removes_leftovers_of_the_given_kinds_last_and_nothing_else() {
    let table = Arc::new(MemoryTable::with_pages_of(2));
    for number in 0..7 {
        table.insert("p:features", &format!("old{number}"), Some("9"), Some("{}"));
    }
    table.insert("p:features", "versionless", None, Some("{}"));
    table.insert("p:things", "kept", Some("1"), Some("{}"));
    table.insert("features", "other prefix", Some("1"), Some("{}"));
    let report = store(&table).init(data(r#"{"features":{"new":{"version":1}}}"#)).expect("init works");
    assert_eq!((report.written, report.deleted), (1, 8));
    assert_eq!(table.writes()[0], "put p:features/new");
    let names: Vec<String> = table.contents().into_keys().collect();
    assert_eq!(names, ["features/other prefix", "p:$inited/p:$inited", "p:features/new", "p:things/kept"]);
}

/// A table whose store is initialised, as far as the marker says.
fn marked() -> Arc<MemoryTable> {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:$inited", "p:$inited", None, None);
    table
}

#[test]
fn an_upsert_at_any_request_of_an_init_is_never_rolled_back() {
    for initialised in [true, false] {
        let fresh = || {
            let table = if initialised { marked() } else { Arc::new(MemoryTable::default()) };
            table.insert("p:features", "leftover", Some("1"), Some("{}"));
            table
        };
        let requests = {
            let table = fresh();
            store(&table).init(data(TWO_KINDS)).expect("init works");
            table.requests().len()
        };
        for moment in 0..requests {
            for key in ["base", "top", "leftover", "unheard of"] {
                let table = fresh();
                let (count, writer) = (AtomicUsize::new(0), Arc::downgrade(&table));
                table.before_each(move |_| {
                    if count.fetch_add(1, Ordering::Relaxed) == moment {
                        let table = writer.upgrade().expect("the table lives");
                        table.insert("p:features", key, Some("5"), Some("{\"version\":5}"));
                    }
                    Ok(())
                });
                store(&table).init(data(TWO_KINDS)).expect("init works");
                let version = table.row("p:features", key).and_then(|row| row.version);
                // What was there before init read the kind is a leftover: one that is not in the data set goes, and in a
                // store that was not initialised the data set wins over the others.
                let wanted = match (moment, key) {
                    (0, "leftover" | "unheard of") => None,
                    (0, _) if !initialised => Some("1".into()),
                    _ => Some("5".into()),
                };
                assert_eq!(version, wanted, "{key} at request {moment}, initialised: {initialised}");
                assert!(table.row("p:$inited", "p:$inited").is_some());
            }
        }
    }
}

#[test]
fn init_keeps_newer_rows_and_says_so_unless_told_otherwise() {
    let table = marked();
    table.insert("p:segments", "seg", Some("9"), Some("{}"));
    let careful = store(&table);
    assert_eq!(careful.init(data(TWO_KINDS)).expect("init works").kept_newer(), 1);
    assert_eq!(table.row("p:segments", "seg").and_then(|row| row.version), Some("9".into()));
    assert!(events(&careful).iter().any(|event| event.contains("\"seg\"") && event.contains("init_overwrites_newer")));
    let forceful = store_with(&table, |options| options.init_overwrites_newer = true);
    assert_eq!(forceful.init(data(TWO_KINDS)).expect("init works").written, 1);
    assert_eq!(table.row("p:segments", "seg").and_then(|row| row.version), Some("1".into()));
}

#[test]
fn init_replaces_rows_of_any_version_where_the_store_was_not_initialised() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:segments", "seg", Some("9"), Some("{}"));
    table.insert("p:features", "gone", Some("9"), Some("null"));
    let report = store(&table).init(data(TWO_KINDS)).expect("init works");
    assert_eq!((report.written, report.deleted, report.kept_newer()), (3, 1, 0));
    assert_eq!(report.replaced[&Replaced::NotInitialised].first, [("segments".to_owned(), "seg".to_owned())]);
    assert_eq!(table.row("p:segments", "seg").and_then(|row| row.version), Some("1".into()));
}

#[test]
fn an_older_payload_deletes_nothing_and_the_report_says_why() {
    let table = Arc::new(MemoryTable::default());
    let flag = r#""rules":[{"clauses":[{"op":"segmentMatch","values":["beta"]}]}]"#;
    let newer = format!(
        r#"{{"segments":{{"beta":{{"version":1}}}},"features":{{"gate":{{"version":1}},"checkout":{{"version":9,{flag}}}}}}}"#
    );
    store(&table).init(data(&newer)).expect("init works");
    let before = table.contents();
    let late = store(&table);
    let report = late.init(data(r#"{"segments":{},"features":{"checkout":{"version":8}}}"#)).expect("init works");
    assert_eq!((report.written, report.deleted, report.kept_newer()), (0, 0, 1));
    assert_eq!(report.kept[&Kept::OlderDataSet].count, 2);
    assert_eq!(table.contents(), before);
    assert!(events(&late).iter().any(|event| event.contains("\"checkout\"") && event.contains("deleted nothing")));
}

#[test]
fn another_environment_s_data_are_replaced_and_that_is_said() {
    let table = Arc::new(MemoryTable::default());
    let of = |environment: &str, version: u32| {
        let flag = |key: &str| format!(r#""{key}":{{"version":{version},"salt":"{environment}{key}"}}"#);
        format!(r#"{{"features":{{{},{},"only{environment}":{{"version":1}}}}}}"#, flag("x"), flag("y"))
    };
    store(&table).init(data(&of("A", 90))).expect("init works");
    let b = store(&table);
    let report = b.init(data(&of("B", 3))).expect("init works");
    assert_eq!((report.written, report.deleted, report.kept_newer()), (3, 1, 0));
    assert_eq!(report.replaced[&Replaced::OtherEnvironment].count, 2);
    assert!(events(&b).iter().any(|event| event.contains("another environment") && event.contains("prefix")));
    assert_eq!(b.init(data(&of("B", 3))).expect("init works").unchanged, 3);
}

#[test]
fn fleets_of_different_serialisers_stop_writing_after_the_first_round() {
    let table = Arc::new(MemoryTable::default());
    let rich = r#"{"features":{"f":{"version":1,"on":true,"clientSideAvailability":{"usingMobileKey":true},"variations":[{"a":null},9007199254740993],"fallthrough":{"rollout":{"kind":"rollout","bucketBy":"key"}}}}}"#;
    let poor = r#"{"features":{"f":{"on":true,"variations":[{},9007199254740992],"fallthrough":{"rollout":{"bucketBy":"key"}},"version":1,"deleted":false}}}"#;
    let written =
        [poor, rich, poor, rich, poor].map(|json| store(&table).init(data(json)).expect("init works").written);
    assert_eq!(written, [1, 1, 0, 0, 0], "the richer form wins, once");
}

/// Runs one init, and at one of its requests another one from begin to end.
fn one_inside_the_other(outer: &str, inner: &'static str, moment: usize) -> (Arc<MemoryTable>, usize) {
    let table = marked();
    let (count, there) = (Arc::new(AtomicUsize::new(0)), Arc::downgrade(&table));
    let counted = Arc::clone(&count);
    table.before_each(move |_| {
        if counted.fetch_add(1, Ordering::Relaxed) == moment {
            // On a thread of its own, as calls do not wait inside the library's threads. It counts on, past the moment.
            let table = there.upgrade().expect("the table lives");
            std::thread::spawn(move || store(&table).init(data(inner)).expect("init works")).join().expect("no panic");
        }
        Ok(())
    });
    store(&table).init(data(outer)).expect("init works");
    table.undisturbed();
    (table, count.load(Ordering::Relaxed))
}

#[test]
fn two_inits_at_once_leave_no_flag_without_its_segment() {
    const NEW: &str = r#"{"segments":{"S":{"version":1}},"features":{"x":{"version":1},
        "F":{"version":1,"rules":[{"clauses":[{"op":"segmentMatch","values":["S"]}]}]}}}"#;
    const OLD: &str = r#"{"segments":{},"features":{"x":{"version":1}}}"#;
    for (outer, inner) in [(NEW, OLD), (OLD, NEW)] {
        let mut moment = 0;
        loop {
            let (table, requests) = one_inside_the_other(outer, inner, moment);
            let there = |kind: &str, key: &str| table.row(kind, key).is_some();
            assert!(there("p:segments", "S") || !there("p:features", "F"), "{:#?}", table.requests());
            moment += 1;
            if moment >= requests {
                break;
            }
        }
        assert!(moment > 3, "every request had its turn");
    }
}

#[test]
fn what_another_init_deletes_too_late_is_put_back_by_it() {
    let table = marked();
    table.insert("p:segments", "S", Some("1"), Some("{}"));
    let there = Arc::downgrade(&table);
    table.before_each(move |request| {
        if request == "delete p:segments/S" {
            let flag = r#"{"rules":[{"clauses":[{"op":"segmentMatch","values":["S"]}]}]}"#;
            there.upgrade().expect("the table lives").insert("p:features", "F", Some("1"), Some(flag));
        }
        Ok(())
    });
    let report = store(&table).init(data(r#"{"segments":{},"features":{}}"#)).expect("init works");
    assert_eq!((report.deleted, report.kept[&Kept::NeededAfterAll].count), (0, 1));
    assert_eq!(table.row("p:segments", "S").and_then(|row| row.version), Some("1".into()));
}

#[test]
fn what_another_init_deleted_meanwhile_is_written_again() {
    let table = marked();
    let there = Arc::downgrade(&table);
    table.before_each(move |request| {
        if request == "put p:features/top" {
            there.upgrade().expect("the table lives").remove("p:features", "base");
        }
        Ok(())
    });
    store(&table).init(data(TWO_KINDS)).expect("init works");
    assert!(table.row("p:features", "base").is_some());
}

#[test]
fn a_replacement_that_met_another_writer_gives_way_to_newer_rows_only() {
    for (came, wanted, kept) in [("3", "5", 0), ("5", "5", 0), ("7", "7", 1)] {
        let table = Arc::new(MemoryTable::default());
        table.insert("p:features", "f", Some("90"), Some("{}"));
        let there = Arc::downgrade(&table);
        table.before_each(move |request| {
            if request == "put p:features/f"
                && there.upgrade().expect("the table lives").requests().iter().all(|one| one != request)
            {
                there.upgrade().expect("the table lives").insert("p:features", "f", Some(came), Some("{}"));
            }
            Ok(())
        });
        let report = store(&table).init(data(r#"{"features":{"f":{"version":5}}}"#)).expect("init works");
        assert_eq!(table.row("p:features", "f").and_then(|row| row.version), Some(wanted.into()), "met {came}");
        assert_eq!(report.kept_newer(), kept, "met {came}");
    }
}

#[test]
fn rows_that_cannot_be_read_are_replaced_by_upsert_and_by_init() {
    let number = |text: &str| Some(Attribute::Number(text.into()));
    let text = |text: &str| Some(Attribute::Text(text.into()));
    for (version, row) in [
        (text("7"), text("{}")),
        (Some(Attribute::Truth(true)), text("{}")),
        (Some(Attribute::Other("{\"NULL\":true}".into())), text("{}")),
        (number("99999999999999999999999999999999999999"), text("{}")),
        (number("1.5"), text("{}")),
        (number("9"), text("")),
        (number("9"), Some(Attribute::Other("{\"B\":\"eA==\"}".into()))),
    ] {
        let table = marked();
        let put = || table.insert_raw("p:features", "f", version.clone(), row.clone());
        put();
        let store = store(&table);
        assert_eq!(store.upsert("features", &item("f", 5, "{}")), Ok(Upserted::Written), "{version:?} {row:?}");
        assert_eq!(table.row("p:features", "f").and_then(|row| row.version), Some("5".into()));
        put();
        let report = store.init(data(r#"{"features":{"f":{"version":5}}}"#)).expect("init works");
        assert_eq!(report.replaced[&Replaced::Unreadable].count, 1, "{version:?} {row:?}");
        assert_eq!(store.get("features", "f").expect("readable").expect("there").row.version, 5);
        put();
        let report = store.init(data(r#"{"features":{}}"#)).expect("init works");
        assert_eq!((report.deleted, table.row("p:features", "f")), (1, None));
    }
}

#[test]
fn an_upsert_over_an_unreadable_row_gives_way_to_a_newer_one_that_came() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "f", Some("9"), Some(""));
    let there = Arc::downgrade(&table);
    table.before_each(move |_| {
        let table = there.upgrade().expect("the table lives");
        if table.requests().len() == 1 {
            table.insert("p:features", "f", Some("8"), Some("{\"newer\":1}"));
        }
        Ok(())
    });
    let Ok(Upserted::NewerExists(row)) = store(&table).upsert("features", &item("f", 5, "{}")) else {
        panic!("written")
    };
    assert_eq!((row.version, row.item()), (8, Some("{\"newer\":1}")));
}

#[test]
fn an_item_with_an_empty_key_is_reported_and_fails_nothing_else() {
    let table = Arc::new(MemoryTable::default());
    let store = store(&table);
    let report = store.init(data(r#"{"features":{"":{"version":1},"f":{"version":1}}}"#)).expect("init works");
    assert_eq!((report.written, report.left_out[&LeftOut::EmptyKey].count), (1, 1));
    assert!(events(&store).iter().any(|event| event.contains("empty key") && event.contains("\"features\"")));
}

#[test]
fn big_segments_are_read_as_consistently_as_everything_else() {
    let table = Arc::new(MemoryTable::default());
    for consistent in [true, false] {
        table.forget_requests();
        let store = store_with(&table, |options| options.consistent_reads = consistent);
        assert_eq!((store.big_segments_metadata(), store.big_segments_membership("h")), (Ok(None), Ok(None)));
        assert!(table.requests().iter().all(|request| request.contains("eventually") != consistent));
    }
}

#[test]
fn an_init_that_fails_anywhere_leaves_no_marker_and_goes_on_when_repeated() {
    let requests = {
        let table = Arc::new(MemoryTable::default());
        store(&table).init(data(TWO_KINDS)).expect("init works");
        table.requests().len()
    };
    for moment in 0..requests {
        let table = Arc::new(MemoryTable::default());
        let count = AtomicUsize::new(0);
        table.before_each(move |_| match count.fetch_add(1, Ordering::Relaxed) {
            number if number == moment => Err(Error::new(Code::AccessDenied, "no")),
            _ => Ok(()),
        });
        let store = store(&table);
        assert_eq!(store.init(data(TWO_KINDS)).expect_err("one request fails").code, Code::AccessDenied);
        assert!(table.row("p:$inited", "p:$inited").is_none(), "failed at request {moment}");
        table.undisturbed();
        assert!(!store.initialized().expect("the table answers"));
        assert!(store.init(data(TWO_KINDS)).is_ok());
        assert!(store.initialized().expect("the table answers"));
        assert_eq!(table.contents().len(), 4);
    }
}

#[test]
#[cfg_attr(miri, ignore = "400 KB take minutes there")]
fn a_too_large_item_is_reported_keeps_its_older_row_and_fails_nothing_else() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "big", Some("1"), Some("{}"));
    let store = store(&table);
    let big = format!(r#"{{"version":2,"x":"{}"}}"#, "x".repeat(400_000));
    let report =
        store.init(data(&format!(r#"{{"features":{{"big":{big},"small":{{"version":1}}}}}}"#))).expect("init works");
    assert_eq!((report.written, report.deleted, report.too_large.len()), (1, 0, 1));
    assert_eq!(report.too_large[0].key, "big");
    assert!(report.too_large[0].bytes > 400_000);
    assert_eq!(table.row("p:features", "big").and_then(|row| row.version), Some("1".into()));
    assert_eq!(store.upsert("features", &item("big", 3, &big)), Ok(Upserted::TooLarge));
    let events = events(&store);
    assert_eq!(events.iter().filter(|event| event.contains("\"big\" in \"p:features\" was too large")).count(), 2);
    assert!(!events.iter().any(|event| event.contains("xxx")), "a payload in an event");
}

#[test]
fn upsert_writes_newer_versions_in_one_request_and_returns_the_stored_row_otherwise() {
    let table = Arc::new(MemoryTable::default());
    let store = store(&table);
    assert_eq!(store.upsert("things", &item("k", 2, "two")), Ok(Upserted::Written));
    for (version, text) in [(1, "one"), (2, "other two")] {
        table.forget_requests();
        let Ok(Upserted::NewerExists(row)) = store.upsert("things", &item("k", version, text)) else {
            panic!("written")
        };
        assert_eq!((row.version, row.item()), (2, Some("two")));
        assert_eq!(table.requests(), ["put p:things/k"]);
    }
    assert_eq!(store.upsert("things", &tombstone("k", 3)), Ok(Upserted::Written));
    assert!(store.get("things", "k").expect("readable").expect("there").row.deleted());
    assert!(matches!(store.upsert("things", &item("k", 2, "two")), Ok(Upserted::NewerExists(row)) if row.deleted()));
    table.insert("p:things", "versionless", None, Some("x"));
    assert_eq!(store.upsert("things", &item("versionless", 0, "y")), Ok(Upserted::Written));
}

#[test]
fn one_bad_row_never_hides_the_others() {
    let table = Arc::new(MemoryTable::with_pages_of(1));
    table.insert("p:features", "bad", Some("1"), Some(""));
    table.insert("p:features", "good", Some("1"), Some("{}"));
    table.insert("p:features", "gone", Some("4"), Some("null"));
    let store = store(&table);
    let rows = store.all("features").expect("readable").rows;
    let found: Vec<_> = rows.iter().map(|row| (&*row.key, row.version, row.deleted())).collect();
    assert_eq!(found, [("gone", 4, true), ("good", 1, false)]);
    assert_eq!(store.get("features", "bad"), Ok(None));
    assert!(events(&store).iter().all(|event| event.contains("\"bad\"")));
    assert_eq!(statistic(&store, "skipped_rows"), 2);
}

#[test]
fn big_segments_are_read_under_the_prefix() {
    let table = Arc::new(MemoryTable::default());
    let store = store(&table);
    assert_eq!(store.big_segments_metadata(), Ok(None));
    assert_eq!(store.big_segments_membership("hash"), Ok(None));
    let metadata = BigSegmentRow { synchronized_on: Some("17".into()), ..BigSegmentRow::default() };
    table.insert_big_segment("p:big_segments_metadata", "p:big_segments_metadata", metadata);
    let membership = BigSegmentRow { included: vec!["a.g1".into()], ..BigSegmentRow::default() };
    table.insert_big_segment("p:big_segments_user", "hash", membership);
    assert_eq!(store.big_segments_metadata(), Ok(Some(17)));
    assert_eq!(
        store.big_segments_membership("hash").expect("readable").expect("there").entries,
        [("a.g1".into(), true)]
    );
    assert_eq!(store.big_segments_membership("").expect_err("empty").code, Code::EmptyKey);
}

#[test]
fn a_hit_asks_nobody_and_misses_are_cached_too() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "flag", Some("1"), Some("{}"));
    let store = cached(&table, 60_000);
    for _ in 0..3 {
        assert!(store.get("features", "flag").expect("readable").is_some());
        assert!(store.get("features", "none").expect("readable").is_none());
        assert_eq!(store.all("features").expect("readable").rows.len(), 1);
    }
    assert_eq!(table.requests().len(), 3);
    assert_eq!((statistic(&store, "hits"), statistic(&store, "misses")), (6, 3));
    store.clear_cache();
    assert!(store.get("features", "flag").expect("readable").is_some());
    assert_eq!(table.requests().len(), 4);
}

#[test]
fn what_this_store_wrote_is_what_it_reads_next() {
    let table = Arc::new(MemoryTable::default());
    let store = cached(&table, 60_000);
    assert_eq!(store.get("features", "flag"), Ok(None));
    assert!(store.all("features").expect("readable").rows.is_empty());
    assert_eq!(store.upsert("features", &item("flag", 1, "{}")), Ok(Upserted::Written));
    assert_eq!(store.get("features", "flag").expect("readable").expect("there").row.version, 1);
    assert_eq!(store.all("features").expect("readable").rows.len(), 1);
    store.init(data(r#"{"features":{"flag":{"version":2}}}"#)).expect("init works");
    assert_eq!(store.get("features", "flag").expect("readable").expect("there").row.version, 2);
}

#[test]
fn concurrent_misses_make_one_request() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "flag", Some("1"), Some("{}"));
    let store = cached(&table, 60_000);
    // The first request waits until all other readers have joined it.
    let waited = Arc::clone(&store);
    table.before_each(move |_| {
        while statistic(&waited, "coalesced") < 7 {
            std::thread::yield_now();
        }
        Ok(())
    });
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(store.get("features", "flag").expect("readable").is_some()));
        }
    });
    assert_eq!(table.requests(), ["get p:features/flag"]);
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_failed_read_is_covered_by_the_last_value_for_a_bounded_time() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "flag", Some("1"), Some("{}"));
    let store = store_with(&table, |options| {
        options.cache.ttl = Some(Duration::from_millis(1));
        options.cache.stale = Duration::from_millis(400);
    });
    assert!(!store.get("features", "flag").expect("readable").expect("there").stale);
    assert_eq!(store.all("features").expect("readable").rows.len(), 1);
    table.before_each(|_| Err(Error::new(Code::Connection, "gone")));
    let mut stale = 0;
    let error = loop {
        match store.get("features", "flag") {
            Ok(found) => stale += u32::from(found.expect("there").stale),
            Err(error) => break error,
        }
    };
    assert!(stale > 0, "never served stale");
    assert_eq!(error.code, Code::Connection);
    assert!(table.requests().len() < 30, "asked a dead table too often");
    let denied = cached(&table, 1);
    table.before_each(|_| Err(Error::new(Code::AccessDenied, "no")));
    assert_eq!(denied.get("features", "flag").expect_err("not covered").code, Code::AccessDenied);
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_hot_value_is_refreshed_ahead() {
    let table = Arc::new(MemoryTable::default());
    table.insert("p:features", "flag", Some("1"), Some("{}"));
    let store = cached(&table, 300);
    let read = || store.get("features", "flag").expect("readable").expect("there").row.version;
    assert_eq!((read(), read(), read()), (1, 1, 1));
    table.insert("p:features", "flag", Some("2"), Some("{}"));
    while read() != 2 {
        std::thread::yield_now();
    }
    // The new value came without anybody missing the old one.
    assert_eq!((statistic(&store, "misses"), statistic(&store, "refreshes")), (1, 1));
}

#[test]
#[cfg_attr(miri, ignore = "so many rows take minutes there")]
fn the_cache_is_bounded() {
    let table = Arc::new(MemoryTable::default());
    let store = store_with(&table, |options| {
        options.cache.ttl = None;
        options.cache.max_bytes = 100_000;
    });
    for number in 0..1000 {
        let key = format!("flag{number}");
        table.insert("p:features", &key, Some("1"), Some(&"x".repeat(1000)));
        assert!(store.get("features", &key).expect("readable").is_some());
    }
    assert!(statistic(&store, "cached_bytes") <= 100_000);
    assert!(statistic(&store, "cached_items") > 20);
}

#[test]
fn without_a_cache_every_read_sees_what_was_written_before_it() {
    let table = Arc::new(MemoryTable::default());
    let store = store(&table);
    for version in 1..5 {
        table.insert("p:features", "flag", Some(&version.to_string()), Some("{}"));
        assert_eq!(store.get("features", "flag").expect("readable").expect("there").row.version, version);
    }
}

#[test]
fn a_blocking_call_inside_a_callback_is_refused() {
    let table = Arc::new(MemoryTable::default());
    let store = store(&table);
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let inner = Arc::clone(&store);
    store
        .calls()
        .get("features", "flag")
        .then(move |_| sender.send(inner.get("features", "flag")).expect("awaited"))
        .expect("accepted");
    assert_eq!(receiver.recv().expect("called").expect_err("refused").code, Code::CalledInCallback);
}
