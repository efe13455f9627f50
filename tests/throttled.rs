//! Writes that are throttled, broken or overtaken: nothing that was acknowledged is lost, nothing newer is overwritten,
//! and the marker comes last. The faults come from `tests/faults/endpoint`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[allow(dead_code, reason = "not every test program uses all of it")]
#[path = "faults/client.rs"]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, Request, Seed, seeds, short_or_long};
use endpoint::{Endpoint, endpoints};
use flagstore::model::options::Options;
use flagstore::model::row::Item;
use flagstore::model::{Code, data_set};
use flagstore::store::{Store, Upserted};
use serde_json::{Value, json};

/// Runs a promise with several seeds on every endpoint, each time behind a fault-injecting one of its own and with a
/// prefix that is the same for the same seed, because the dice depend on it.
fn with_faults(name: &str, count: u64, promise: impl Fn(&Setting)) {
    for endpoint in endpoints() {
        for seed in seeds(count) {
            let faults = Faults::start(Some(&endpoint.url), &seed);
            let prefix = format!("{name}-{}", seed.number);
            eprintln!("{name} on {} with seed {}", endpoint.name, seed.number);
            promise(&Setting { direct: Store::open(endpoint.options(&prefix)), faults, endpoint, prefix, _seed: seed });
        }
    }
}

struct Setting {
    endpoint: &'static Endpoint,
    /// Past the faults.
    direct: Arc<Store>,
    faults: Faults,
    prefix: String,
    /// Printed if the promise is not kept.
    _seed: Seed,
}

impl Setting {
    fn options(&self) -> Options {
        self.faults.in_front_of(self.endpoint.options(&self.prefix))
    }

    fn has_marker(&self) -> bool {
        !self.endpoint.rows(&format!("{}:$inited", self.prefix)).is_empty()
    }
}

const WRITES: [&str; 2] = ["PutItem", "DeleteItem"];

/// The ways in which three of ten writes fail: four in which nothing was applied, two in which it may have been.
fn failing(probability: f64, operations: &[&str]) -> Value {
    json!([{"operation": operations, "probability": probability, "do": [
        "throttle",
        {"do": "throttle", "type": "ThrottlingException"},
        {"do": "fault", "status": 500},
        {"do": "fault", "status": 503},
        {"do": "reset", "at": "request"},
        {"do": "reset", "at": "response"},
    ]}])
}

fn item(key: &str, version: i64, text: &str) -> Item {
    Item { key: key.into(), version, deleted: false, item: Some(text.into()) }
}

/// A data set in which every tenth flag has the one before as its prerequisite.
fn data_set_of(flags: usize, version: i64) -> Vec<(String, Vec<Item>)> {
    let segments = (0..flags / 20).map(|number| item(&format!("segment{number}"), version, r#"{"included":[]}"#));
    let flags = (0..flags).map(|number| {
        let prerequisite = match number % 10 {
            9 => json!([{"key": format!("flag{}", number - 1), "variation": 0}]),
            _ => json!([]),
        };
        let text = json!({"key": format!("flag{number}"), "version": version, "prerequisites": prerequisite});
        item(&format!("flag{number}"), version, &text.to_string())
    });
    vec![("features".into(), flags.collect()), ("segments".into(), segments.collect())]
}

/// Every row is there as given, and no other.
fn assert_stored(store: &Arc<Store>, data: &[(String, Vec<Item>)]) {
    for (kind, items) in data {
        let rows = store.all(kind).expect("readable").rows;
        let stored: HashMap<&str, _> = rows.iter().map(|row| (&*row.key, (row.version, row.item()))).collect();
        for item in items {
            assert_eq!(stored.get(&*item.key), Some(&(item.version, item.item.as_deref())), "{kind} {}", item.key);
        }
        assert_eq!(stored.len(), items.len(), "leftovers of kind {kind}");
    }
}

/// Segments before flags, flags after their prerequisites, and the marker after everything, by the order in which the
/// table took them.
fn assert_order(requests: &[Request], data: &[(String, Vec<Item>)]) {
    let mut first_applied: HashMap<(&str, &str), u64> = HashMap::new();
    for request in requests.iter().filter(|request| request.operation == "PutItem") {
        let kind = request.namespace.rsplit(':').next().expect("a kind");
        if let Some(moment) = request.applied {
            first_applied.entry((kind, &request.key)).or_insert(moment);
        }
    }
    let forwarded = |kind: &str, key: &str| {
        let suffix = format!(":{kind}");
        let of_row = |request: &&Request| request.namespace.ends_with(&suffix) && request.key == key;
        requests.iter().filter(of_row).filter_map(|request| request.forwarded).min().expect("it was written")
    };
    let segments = first_applied.iter().filter(|((kind, _), _)| *kind == "segments").map(|(_, moment)| *moment).max();
    for flag in &data[0].1 {
        let moment = forwarded("features", &flag.key);
        assert!(segments.is_some_and(|applied| applied < moment), "{} went before a segment", flag.key);
        let parsed: Value = serde_json::from_str(flag.item.as_deref().expect("live")).expect("JSON");
        if let Some(prerequisite) = parsed["prerequisites"][0]["key"].as_str() {
            assert!(first_applied[&("features", prerequisite)] < moment, "{} went before {prerequisite}", flag.key);
        }
    }
    let marker =
        requests.iter().find(|request| request.namespace.ends_with("$inited") && request.operation == "PutItem");
    let marker = marker.expect("the marker was written").arrived;
    for request in requests.iter().filter(|request| WRITES.contains(&&*request.operation)) {
        let last = request.namespace.ends_with("$inited") || request.applied.unwrap_or(request.arrived) < marker;
        assert!(last, "{request:?} after the marker, which arrived at {marker}");
    }
}

#[test]
fn an_init_whose_writes_fail_at_random_stores_everything_and_marks_it_last() {
    with_faults("init", 3, |setting| {
        let data = data_set_of(short_or_long(2_000, 10_000), 3);
        for number in 0..100 {
            setting.direct.upsert("features", &item(&format!("leftover{number}"), 1, "{}")).expect("a row");
        }
        setting.faults.script(failing(0.3, &WRITES));
        let store = Store::open(setting.options());
        let report = store.init(data_set::from_items(data.clone()).expect("data")).expect("paced and repeated");
        let rows: usize = data.iter().map(|(_, items)| items.len()).sum();
        assert_eq!((report.written, report.deleted, report.kept_newer()), (rows, 100, 0), "{report:?}");
        assert_stored(&setting.direct, &data);
        assert!(setting.has_marker());
        assert_order(&setting.faults.requests(), &data);
        let actions = setting.faults.actions(&WRITES);
        let (all, passed) = (actions.values().sum::<usize>(), actions["pass"]);
        assert!(actions.len() == 7 && (all - passed) * 100 > all * 25, "few faults: {actions:?}");
    });
}

#[test]
fn an_init_whose_every_request_may_fail_stores_everything_or_leaves_no_marker() {
    with_faults("anything", 3, |setting| {
        let data = data_set_of(100, 1);
        setting.faults.script(failing(0.4, &["GetItem", "Query", "PutItem", "DeleteItem"]));
        let outcome = Store::open(setting.options()).init(data_set::from_items(data.clone()).expect("data"));
        match outcome {
            Ok(_) => {
                assert_stored(&setting.direct, &data);
                assert!(setting.has_marker());
            }
            Err(error) => {
                assert!(error.code.retriable(), "{error}");
                assert!(!setting.has_marker(), "marked in spite of: {error}");
            }
        }
        setting.faults.script(json!([]));
        Store::open(setting.options()).init(data_set::from_items(data.clone()).expect("data")).expect("undisturbed");
        assert_stored(&setting.direct, &data);
    });
}

#[test]
fn an_init_that_cannot_write_one_row_names_it_and_leaves_no_marker() {
    with_faults("one-row", 1, |setting| {
        let data = data_set::from_items(data_set_of(200, 1)).expect("data");
        setting.faults.script(json!([{"operation": "PutItem", "key": "flag77", "do": "throttle"}]));
        let options = Options { init_timeout: Duration::from_millis(1_500), ..setting.options() };
        let started = Instant::now();
        let error = Store::open(options).init(data).expect_err("one row is never taken");
        assert_eq!((error.code, error.code.retriable()), (Code::Throttled, true), "{error}");
        for words in ["initialising", "PutItem", "\"flag77\"", "features", "\"flags\"", "capacity"] {
            assert!(error.message.contains(words), "no {words} in: {error}");
        }
        assert!(started.elapsed() >= Duration::from_millis(1_000), "gave up early");
        assert!(!setting.has_marker());
        assert!(!setting.direct.initialized().expect("readable"));
    });
}

#[test]
fn an_init_that_fails_while_it_removes_leftovers_leaves_no_marker() {
    with_faults("leftover", 1, |setting| {
        setting.direct.upsert("features", &item("leftover", 1, "{}")).expect("a row");
        setting.faults.script(json!([{"operation": "DeleteItem", "do": {"do": "reset", "at": "request"}}]));
        let options = Options { init_timeout: Duration::from_millis(700), ..setting.options() };
        let error = Store::open(options)
            .init(data_set::from_items(data_set_of(20, 1)).expect("data"))
            .expect_err("the leftover stays");
        assert_eq!(error.code, Code::Connection, "{error}");
        assert!(error.message.contains("DeleteItem") && error.message.contains("\"leftover\""), "{error}");
        assert!(!setting.has_marker());
    });
}

#[test]
fn an_upsert_that_is_acknowledged_under_faults_is_stored() {
    with_faults("upserts", 3, |setting| {
        setting.faults.script(failing(0.3, &["PutItem"]));
        let store = Store::open(setting.options());
        let mut acknowledged = Vec::new();
        for number in 0..150 {
            let key = format!("key{}", number % 30);
            let new = item(&key, number, &format!("text{number}"));
            match store.upsert("things", &new) {
                Ok(Upserted::Written) => acknowledged.push(new),
                // Nobody else writes here: a newer row would be this very one, written by an attempt without answer.
                Ok(other) => panic!("{other:?} for version {number} of {key}"),
                Err(error) => assert!(error.code.retriable(), "{error}"),
            }
        }
        assert!(acknowledged.len() > 140, "only {} of 150", acknowledged.len());
        let last: HashMap<&str, &Item> = acknowledged.iter().map(|item| (item.key.as_str(), item)).collect();
        for (key, item) in last {
            let row = setting.direct.get("things", key).expect("readable").expect("there").row;
            assert!(
                row.version >= item.version,
                "{key} is at {} and was acknowledged at {}",
                row.version,
                item.version
            );
            assert_eq!(row.item(), Some(&*format!("text{}", row.version)));
        }
        let actions = setting.faults.actions(&["PutItem"]);
        assert!(actions.len() == 7, "not every fault came: {actions:?}");
    });
}

#[test]
fn an_upsert_that_overtakes_an_init_stays() {
    with_faults("overtaken", 1, |setting| {
        for (number, (operation, key)) in
            [("PutItem", "flag3"), ("PutItem", "fresh"), ("DeleteItem", "leftover")].into_iter().enumerate()
        {
            let prefix = format!("{}-{number}", setting.prefix);
            let direct = Store::open(setting.endpoint.options(&prefix));
            let held = Store::open(setting.faults.in_front_of(setting.endpoint.options(&prefix)));
            for old in ["flag3", "leftover"] {
                direct.upsert("features", &item(old, 1, "{}")).expect("a row");
            }
            let mut data = data_set_of(20, 3);
            data[0].1.push(item("fresh", 3, "{}"));
            setting.faults.script(json!([{"operation": operation, "key": key, "do": "hold"}]));
            let report = thread::scope(|scope| {
                let init = scope.spawn(|| held.init(data_set::from_items(data).expect("data")));
                setting.faults.wait(&json!({"operation": operation, "key": key, "action": "hold", "count": 1}));
                let overtaking = item(key, 7, "overtaking");
                assert_eq!(direct.upsert("features", &overtaking), Ok(Upserted::Written));
                setting.faults.release();
                init.join().expect("no panic").expect("init")
            });
            let row = direct.get("features", key).expect("readable").unwrap_or_else(|| panic!("{key} is gone")).row;
            assert_eq!((row.version, row.item()), (7, Some("overtaking")), "{operation} of {key}: {report:?}");
        }
    });
}

#[test]
fn the_same_seed_gives_every_request_the_same_fate() {
    let fates = |number| {
        let seed = Seed { number };
        let faults = Faults::start(None, &seed);
        faults.script(failing(0.3, &WRITES));
        let options =
            r#"{"table":"t","endpoint":"http://-","access_key_id":"a","secret_access_key":"b","shared":false}"#;
        let store = Store::open(faults.in_front_of(Options::from_json(options).expect("options")));
        store.init(data_set::from_items(data_set_of(100, 1)).expect("data")).expect("paced and repeated");
        let mut fates: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for request in faults.requests() {
            fates.entry(format!("{} {}", request.namespace, request.key)).or_default().push(request.action);
        }
        fates
    };
    let first = fates(1);
    assert!(first.values().any(|actions| actions.len() > 2));
    assert_eq!(first, fates(1));
    assert_ne!(first, fates(2));
}
