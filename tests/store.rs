//! The store's promises on real endpoints: each runs on every endpoint that `make test` starts, and
//! on a real table where `make test-aws` names one.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use endpoint::{Endpoint, endpoints, n, prefix, s};
use flagstore::model::Code;
use flagstore::model::data_set;
use flagstore::model::row::Item;
use flagstore::store::{Store, Upserted};

/// Runs a promise on every endpoint, each time with a prefix of its own.
fn everywhere(promise: impl Fn(&Endpoint, &str, &Arc<Store>)) {
    for endpoint in endpoints() {
        let prefix = prefix();
        eprintln!("on {} with prefix {prefix}", endpoint.name);
        let _removed = endpoint.removes_rows_of(&prefix);
        promise(endpoint, &prefix, &Store::open(endpoint.options(&prefix)));
    }
}

fn item(key: &str, version: i64, text: &str) -> Item {
    Item { key: key.into(), version, deleted: false, item: Some(text.into()) }
}

fn write_units(store: &Store) -> f64 {
    let statistics: serde_json::Value = serde_json::from_str(&store.statistics()).expect("JSON");
    statistics["write_units"].as_f64().expect("a number")
}

fn flags(count: usize, version: i64) -> String {
    let flags: Vec<String> = (0..count)
        .map(|number| format!(r#""flag{number:05}":{{"version":{version},"x":"{}"}}"#, "x".repeat(300)))
        .collect();
    format!(r#"{{"features":{{{}}},"segments":{{}}}}"#, flags.join(","))
}

#[test]
fn rows_have_the_schema_s_four_attributes_and_the_marker_none() {
    everywhere(|endpoint, prefix, store| {
        let text = r#"{ "version":7,"name":"é\u0000" }"#;
        store.init(data_set::from_json(&format!(r#"{{"flags":{{"k":{text}}}}}"#)).expect("data")).expect("init");
        let rows = endpoint.rows(&format!("{prefix}:features"));
        let names: HashSet<&str> = rows[0].keys().map(String::as_str).collect();
        assert_eq!(names, HashSet::from(["namespace", "key", "version", "item"]));
        assert_eq!((&rows[0]["version"], &rows[0]["item"], &rows[0]["key"]), (&n("7"), &s(text), &s("k")));
        let inited = format!("{prefix}:$inited");
        let marker = endpoint.rows(&inited);
        assert_eq!((marker.len(), marker[0].len(), &marker[0]["key"]), (1, 2, &s(&inited)));
        assert_eq!(store.get("features", "k").expect("read").expect("there").row.item(), Some(text));
    });
}

#[test]
fn init_costs_the_write_units_of_what_changed() {
    everywhere(|_, _, store| {
        let data = |count, version| data_set::from_json(&flags(count, version)).expect("data");
        let first = store.init(data(40, 1)).expect("init");
        assert_eq!((first.written, first.unchanged), (40, 0));
        assert!((write_units(store) - 41.0).abs() < 0.01, "40 rows and the marker: {}", write_units(store));
        let before = write_units(store);
        let second = store.init(data(40, 1)).expect("init");
        assert_eq!((second.written, second.unchanged), (0, 40));
        assert!((write_units(store) - before).abs() < 0.01, "an unchanged init costs nothing");
        let changed = flags(40, 1).replacen("\"version\":1", "\"version\":2", 3);
        assert_eq!(store.init(data_set::from_json(&changed).expect("data")).expect("init").written, 3);
        assert!((write_units(store) - before - 3.0).abs() < 0.01, "three changed rows cost three");
    });
}

#[test]
fn every_page_is_read() {
    everywhere(|_, _, store| {
        let text = format!("\"{}\"", "x".repeat(100_000));
        let items = (0..30).map(|number| item(&format!("k{number:02}"), 1, &text)).collect();
        store.init(data_set::from_items(vec![("things".into(), items)]).expect("data")).expect("init");
        let rows = store.all("things").expect("read").rows;
        assert_eq!(rows.iter().filter(|row| row.item() == Some(&text)).count(), 30);
        let report = store.init(data_set::from_items(vec![("things".into(), vec![])]).expect("data")).expect("init");
        assert_eq!((report.deleted, store.all("things").expect("read").rows.len()), (30, 0));
    });
}

#[test]
fn what_other_programs_write_is_read() {
    everywhere(|endpoint, prefix, store| {
        let namespace = format!("{prefix}:features");
        let put = |key: &str, attributes: &[(&str, AttributeValue)]| {
            let own = [("namespace", s(&namespace)), ("key", s(key))];
            endpoint.put(&[&own[..], attributes].concat());
        };
        put("java", &[("version", n("3")), ("item", s("null"))]);
        put("python", &[("version", n("3")), ("item", s(r#"{"key": "python", "version": 3, "deleted": true}"#))]);
        put("redis", &[("version", n("3")), ("item", s(r#"{"version":3,"deleted":true}"#))]);
        put("missing", &[("version", n("3"))]);
        put("marked", &[("version", n("3")), ("item", s("{}")), ("deleted", AttributeValue::Bool(true))]);
        put("binary", &[("item", AttributeValue::B(vec![1, 2].into()))]);
        put("live", &[("version", n("4")), ("item", s(r#"{"key":"other","deleted":false}"#)), ("extra", n("1"))]);
        let rows = store.all("features").expect("read").rows;
        let found: Vec<_> = rows.iter().map(|row| (&*row.key, row.version, row.deleted())).collect();
        let deleted = |key| (key, 3, true);
        assert_eq!(
            found,
            [
                deleted("java"),
                ("live", 4, false),
                deleted("marked"),
                deleted("missing"),
                deleted("python"),
                deleted("redis")
            ]
        );
        assert!(store.next_event().expect("an event").message.contains("\"binary\""));
    });
}

#[test]
fn an_upsert_wins_with_a_newer_version_only() {
    everywhere(|endpoint, prefix, store| {
        let upsert = |version, text| store.upsert("things", &item("clé", version, text)).expect("answered");
        assert_eq!(upsert(2, "two"), Upserted::Written);
        assert!(matches!(upsert(2, "other"), Upserted::NewerExists(row) if row.item() == Some("two")));
        assert!(matches!(upsert(1, "one"), Upserted::NewerExists(row) if row.version == 2));
        assert_eq!(upsert(10, "ten"), Upserted::Written);
        let namespace = format!("{prefix}:things");
        endpoint.put(&[("namespace", s(&namespace)), ("key", s("bare")), ("item", s("x"))]);
        assert_eq!(store.upsert("things", &item("bare", 0, "y")).expect("answered"), Upserted::Written);
        let gone = Item { key: "clé".into(), version: 11, deleted: true, item: None };
        assert_eq!(store.upsert("things", &gone).expect("answered"), Upserted::Written);
        assert!(store.get("things", "clé").expect("read").expect("there").row.deleted());
        assert!(matches!(upsert(11, "eleven"), Upserted::NewerExists(row) if row.deleted()));
    });
}

#[test]
fn a_row_that_cannot_be_read_is_replaced_as_it_was_read() {
    everywhere(|endpoint, prefix, store| {
        let namespace = format!("{prefix}:features");
        let payload = r#"{"key":"k","version":1}"#;
        for (name, version, row) in [
            ("text", Some(s("7")), Some(s(payload))),
            ("boolean", Some(AttributeValue::Bool(true)), Some(s(payload))),
            ("null", Some(AttributeValue::Null(true)), Some(s(payload))),
            ("set", Some(AttributeValue::Ns(vec!["7".into()])), Some(s(payload))),
            ("38 digits", Some(n(&"9".repeat(38))), Some(s(payload))),
            ("binary content", Some(n("9")), Some(AttributeValue::B(vec![1, 2].into()))),
            ("content in a map", Some(n("9")), Some(AttributeValue::M([("a".to_owned(), s("b"))].into()))),
            ("binary content without version", None, Some(AttributeValue::B(vec![1, 2].into()))),
            ("text, and no content", Some(s("7")), None),
        ] {
            let no_number = version.as_ref().is_some_and(|version| version.as_n().is_err());
            let map = row.as_ref().is_some_and(|row| row.as_m().is_ok());
            if (map && !endpoint.compares_maps) || (no_number && !endpoint.compares_types) {
                continue;
            }
            let put = |key: &str| {
                let mut attributes = vec![("namespace", s(&namespace)), ("key", s(key))];
                attributes.extend(version.clone().map(|version| ("version", version)));
                attributes.extend(row.clone().map(|row| ("item", row)));
                endpoint.put(&attributes);
            };
            put(name);
            assert_eq!(store.upsert("features", &item(name, 5, "{}")).expect("answered"), Upserted::Written, "{name}");
            put(name);
            put("leftover");
            let data = format!(r#"{{"features":{{"{name}":{{"version":5}}}}}}"#);
            let report = store.init(data_set::from_json(&data).expect("data")).expect("init");
            assert_eq!(report.written, 1, "{name}: {report:?}");
            let rows = endpoint.rows(&namespace);
            let keys: Vec<_> = rows.iter().map(|row| (row["key"].clone(), row["version"].clone())).collect();
            assert!(keys.contains(&(s(name), n("5"))), "{name}: {keys:?}");
            store.init(data_set::from_json(r#"{"features":{}}"#).expect("data")).expect("init");
        }
    });
}

#[test]
fn numbers_in_dynamodb_s_other_spellings_are_their_values() {
    everywhere(|endpoint, prefix, store| {
        let namespace = format!("{prefix}:things");
        for (key, number, version) in [("exponent", "1E+2", 100), ("point", "12.0", 12)] {
            endpoint.put(&[("namespace", s(&namespace)), ("key", s(key)), ("version", n(number)), ("item", s("x"))]);
            assert_eq!(store.get("things", key).expect("read").expect("there").row.version, version);
            let stored = store.upsert("things", &item(key, version, "y")).expect("answered");
            assert!(matches!(stored, Upserted::NewerExists(row) if row.version == version), "{key}");
            assert_eq!(store.upsert("things", &item(key, version + 1, "y")).expect("answered"), Upserted::Written);
        }
    });
}

#[test]
fn an_init_wins_over_what_an_uninitialised_store_holds() {
    everywhere(|endpoint, prefix, store| {
        let namespace = format!("{prefix}:features");
        let put = |key: &str, item: &str| {
            endpoint.put(&[("namespace", s(&namespace)), ("key", s(key)), ("version", n("100")), ("item", s(item))]);
        };
        put("flag00000", r#"{"key":"flag00000","version":100}"#);
        put("left", "null");
        let report = store.init(data_set::from_json(&flags(1, 1)).expect("data")).expect("init");
        assert_eq!((report.written, report.deleted, report.kept_newer()), (1, 1, 0), "{report:?}");
        let rows = endpoint.rows(&namespace);
        assert_eq!((rows.len(), &rows[0]["version"]), (1, &n("1")));
        // From now on the newer one stays.
        put("flag00000", r#"{"key":"flag00000","version":100}"#);
        put("left", "null");
        let report = store.init(data_set::from_json(&flags(1, 1)).expect("data")).expect("init");
        assert_eq!((report.written, report.deleted, report.kept_newer()), (0, 0, 1), "{report:?}");
    });
}

#[test]
fn an_older_data_set_deletes_nothing_and_another_environment_s_is_replaced() {
    everywhere(|endpoint, prefix, store| {
        let flag = |version: u32, salt: &str| format!(r#"{{"version":{version},"salt":"{salt}"}}"#);
        let init = |json: String| store.init(data_set::from_json(&json).expect("data")).expect("init");
        init(format!(r#"{{"segments":{{"s":{}}},"features":{{"f":{}}}}}"#, flag(1, "s"), flag(9, "f")));
        let report = init(format!(r#"{{"segments":{{}},"features":{{"f":{}}}}}"#, flag(8, "f")));
        assert_eq!((report.written, report.deleted, report.kept_newer()), (0, 0, 1), "{report:?}");
        assert_eq!(endpoint.rows(&format!("{prefix}:segments")).len(), 1);
        let report = init(format!(r#"{{"segments":{{}},"features":{{"f":{}}}}}"#, flag(3, "another")));
        assert_eq!((report.written, report.deleted, report.kept_newer()), (1, 1, 0), "{report:?}");
        assert_eq!(endpoint.rows(&format!("{prefix}:features"))[0]["version"], n("3"));
    });
}

#[test]
fn a_conflict_is_one_request() {
    everywhere(|endpoint, _, store| {
        let requests = || -> u64 {
            let statistics: serde_json::Value = serde_json::from_str(&store.statistics()).expect("JSON");
            statistics["requests"].as_u64().expect("a number")
        };
        assert_eq!(store.upsert("things", &item("k", 5, "five")).expect("answered"), Upserted::Written);
        let before = requests();
        assert!(matches!(store.upsert("things", &item("k", 4, "four")).expect("answered"), Upserted::NewerExists(_)));
        let one_or_a_read_too = if endpoint.returns_row_of_failed_condition { 1 } else { 2 };
        assert_eq!(requests() - before, one_or_a_read_too, "on {}", endpoint.name);
    });
}

#[test]
fn an_item_that_does_not_fit_is_stored_deflated_beside_what_other_sdks_read() {
    everywhere(|endpoint, prefix, store| {
        let namespace = format!("{prefix}:features");
        let large = |version: i64| format!(r#"{{"version":{version},"pad":"{}"}}"#, "é".repeat(250_000));
        let mut options = endpoint.options(prefix);
        options.compress_large = true;
        let compressing = Store::open(options);
        let seen_by_others = |key: &str| {
            let row = endpoint.rows(&namespace).into_iter().find(|row| row["key"] == s(key)).expect("a row");
            (row["version"].clone(), row["item"].clone(), row.len())
        };
        // A native writer's condition, see `attribute_not_exists(#namespace) or … or :version > #version`.
        let native = |key: &str, version: &str, item: &str| endpoint.put_if_newer(&namespace, key, version, item);
        let read = |key: &str| store.get("features", key).expect("read").expect("there").row;

        assert_eq!(store.upsert("features", &item("k", 5, "{}")).expect("answered"), Upserted::Written);
        assert_eq!(store.upsert("features", &item("k", 9, &large(9))).expect("answered"), Upserted::TooLarge);
        assert_eq!(compressing.upsert("features", &item("k", 9, &large(9))).expect("answered"), Upserted::Written);
        assert_eq!(seen_by_others("k"), (n("5"), s("{}"), 6));
        assert_eq!((read("k").version, read("k").item()), (9, Some(&*large(9))));
        let all = store.all("features").expect("read").rows;
        assert_eq!((all.len(), all[0].version, all[0].item()), (1, 9, Some(&*large(9))));

        // Writes meet the newer form, on endpoints that say what they met and on those that do not.
        for version in [4, 5, 7, 9] {
            for (writer, text) in [(store, "{}".to_owned()), (&compressing, large(version))] {
                let outcome = writer.upsert("features", &item("k", version, &text)).expect("answered");
                assert!(matches!(outcome, Upserted::NewerExists(row) if row.version == 9), "version {version}");
            }
        }
        assert_eq!(seen_by_others("k"), (n("5"), s("{}"), 6));

        // A native writer's row replaces all of it, also one between the two; the next deflated one stands beside that.
        assert!(!native("k", "5", "{}") && native("k", "7", "{}"));
        assert_eq!((read("k").version, seen_by_others("k").2), (7, 4));
        assert_eq!(compressing.upsert("features", &item("k", 9, &large(9))).expect("answered"), Upserted::Written);
        assert_eq!((read("k").version, seen_by_others("k").0), (9, n("7")));
        assert!(native("k", "10", "{}"));
        assert_eq!((read("k").version, seen_by_others("k").2), (10, 4));

        // Where nothing was, a tombstone that lets others write this version.
        assert_eq!(compressing.upsert("features", &item("new", 3, &large(3))).expect("answered"), Upserted::Written);
        assert_eq!(seen_by_others("new").0, n("2"));
        assert!(seen_by_others("new").1.as_s().expect("text").contains(r#""key":"$deleted""#));
        assert!(!native("new", "2", "{}"));

        // An init finds what is there, and takes what is left over.
        let data = || data_set::from_json(&format!(r#"{{"features":{{"new":{}}}}}"#, large(3))).expect("data");
        store.init(data_set::from_json(r#"{"segments":{}}"#).expect("data")).expect("init");
        let report = compressing.init(data()).expect("init");
        assert_eq!((report.unchanged, report.written, report.deleted), (1, 0, 1), "{report:?}");
        assert_eq!(compressing.init(data()).expect("init").unchanged, 1);
        assert!(native("new", "3", "{}"));
    });
}

#[test]
fn prefixes_do_not_see_each_other() {
    everywhere(|endpoint, prefix, store| {
        let longer = format!("{prefix}x");
        let _removed = endpoint.removes_rows_of(&longer);
        let other = Store::open(endpoint.options(&longer));
        store.init(data_set::from_json(&flags(3, 1)).expect("data")).expect("init");
        assert!(!other.initialized().expect("read"));
        assert_eq!(other.all("features").expect("read").rows.len(), 0);
        other.init(data_set::from_json(&flags(1, 1)).expect("data")).expect("init");
        assert_eq!(store.all("features").expect("read").rows.len(), 3);
    });
}

#[test]
fn big_segments_are_read() {
    everywhere(|endpoint, prefix, store| {
        assert_eq!(store.big_segments_metadata().expect("read"), None);
        let metadata = format!("{prefix}:big_segments_metadata");
        endpoint.put(&[("namespace", s(&metadata)), ("key", s(&metadata)), ("synchronizedOn", n("1700000000123"))]);
        assert_eq!(store.big_segments_metadata().expect("read"), Some(1_700_000_000_123));
        let set = |names: &[&str]| AttributeValue::Ss(names.iter().map(ToString::to_string).collect());
        let namespace = s(&format!("{prefix}:big_segments_user"));
        endpoint.put(&[
            ("namespace", namespace),
            ("key", s("hash=")),
            ("included", set(&["a.g1"])),
            ("excluded", set(&["b.g1"])),
        ]);
        let membership = store.big_segments_membership("hash=").expect("read").expect("there");
        assert_eq!(membership.entries, [("a.g1".to_owned(), true), ("b.g1".to_owned(), false)]);
        assert_eq!(store.big_segments_membership("other").expect("read"), None);
    });
}

#[test]
fn a_missing_table_is_named_with_the_remedy() {
    for endpoint in endpoints() {
        let mut options = endpoint.options("p");
        options.table = "no-such-table".into();
        let store = Store::open(options);
        for error in [
            store.get("features", "k").expect_err("no table"),
            store.initialized().expect_err("no table"),
            store.available().expect_err("no table"),
            store.all("features").expect_err("no table"),
            store.upsert("features", &item("k", 1, "{}")).expect_err("no table"),
            store.init(data_set::from_json(&flags(1, 1)).expect("data")).expect_err("no table"),
        ] {
            assert_eq!(error.code, Code::TableNotFound, "{}: {error}", endpoint.name);
            assert!(error.message.contains("no-such-table") && error.message.contains("create it"), "{error}");
        }
    }
}

#[test]
fn nobody_listening_is_a_connection_error_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let text = format!(
        r#"{{"table":"t","endpoint":"http://{address}","access_key_id":"PLANTED","secret_access_key":"PLANTED"}}"#
    );
    let store = Store::open(flagstore::model::options::Options::from_json(&text).expect("options"));
    let error = store.get("features", "flag").expect_err("nobody listens");
    assert_eq!(error.code, Code::Connection);
    assert!(error.message.contains(&address.to_string()) && error.message.contains("\"flag\""), "{error}");
    assert!(!error.message.contains("PLANTED"), "{error}");
}

#[test]
fn a_server_that_never_answers_meets_the_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let text = format!(
        r#"{{"table":"t","endpoint":"http://{address}","access_key_id":"a","secret_access_key":"b","timeout_ms":300,"attempt_timeout_ms":100}}"#
    );
    let store = Store::open(flagstore::model::options::Options::from_json(&text).expect("options"));
    let error = store.get("features", "flag").expect_err("nobody answers");
    assert_eq!(error.code, Code::Timeout, "{error}");
    drop(listener);
}

#[test]
fn an_empty_answer_is_not_taken_for_a_missing_row() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Answers every connection's first request with nothing, for as long as the test program runs.
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let text = format!(r#"{{"table":"t","endpoint":"http://{address}","access_key_id":"a","secret_access_key":"b"}}"#);
    let store = Store::open(flagstore::model::options::Options::from_json(&text).expect("options"));
    let error = store.get("features", "flag").expect_err("no answer at all");
    assert_eq!(error.code, Code::UnexpectedResponse, "{error}");
}
