//! Processes that race on one table: writers that may be out of date, and a reader that follows.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flagstore::model::data_set;
use flagstore::model::row::{Item, Row};
use flagstore::store::{Store, Upserted};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::history::{Event, History, now};

/// Writers that race.
pub const WRITERS: usize = 4;
/// Keys that they race for: few, so that they meet.
pub const KEYS: usize = 16;

/// Keys that a native writer writes too, where there is one.
pub const NATIVE_KEYS: usize = 4;

/// The payload that a writer gives to a version; nobody else uses that version of that key.
fn payload(version: i64) -> String {
    json!({ "version": version }).to_string()
}

/// One that a row does not hold, but deflated.
fn large_payload(version: i64) -> String {
    json!({ "version": version, "pad": "x".repeat(410_000) }).to_string()
}

/// A process that upserts and inits what it knows, which may be out of date.
pub struct Writer {
    number: i64,
    operations: i64,
    random: fastrand::Rng,
    known: HashMap<String, Item>,
    history: History,
    /// Whether some of what it writes is too large for a row.
    large: bool,
}

impl Writer {
    /// With its number, seed and history as the role has them.
    pub fn new(role: &Value) -> Writer {
        let number = role["number"].as_i64().expect("a number");
        let seed = role["seed"].as_u64().expect("a seed");
        let base = (0..KEYS).map(|number| live(&format!("key{number}"), 1));
        Writer {
            number,
            operations: role["operations"].as_i64().expect("a number"),
            random: fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(number.unsigned_abs())),
            known: base.map(|item| (item.key.clone(), item)).collect(),
            history: History::create(role),
            large: role["large"].as_bool().unwrap_or(false),
        }
    }

    /// Does everything.
    pub fn run(mut self, store: &Arc<Store>) {
        for operation in 0..self.operations {
            // Versions of one key come from all writers mixed, and no two writers use the same.
            let version = 10 + operation * WRITERS as i64 + self.number;
            match self.random.u8(0..100) {
                0..4 => self.init(store, version),
                4..20 => self.read(store),
                _ => self.upsert(store, version),
            }
        }
    }

    fn key(&mut self) -> String {
        format!("key{}", self.random.usize(0..KEYS))
    }

    fn upsert(&mut self, store: &Arc<Store>, version: i64) {
        let key = self.key();
        let item = if self.random.u8(0..10) == 0 {
            Item { key: key.clone(), version, deleted: true, item: None }
        } else {
            self.live(&key, version)
        };
        let started = now();
        match store.upsert("features", &item) {
            Ok(Upserted::Written) => {
                self.history.add(&Event::write("written", &key, version, started));
                self.learn(item);
            }
            Ok(Upserted::NewerExists(row)) => {
                assert!(row.version > version, "{key}: version {} stood in the way of {version}", row.version);
                self.history.add(&Event::read(&key, seen(&key, &row), started));
                self.learn(as_item(&row));
            }
            // A writer without the option; one with it stores all of these.
            Ok(Upserted::TooLarge) => assert!(self.large && !store.options().compress_large),
            Err(error) => {
                assert!(error.code.retriable(), "{error}");
                self.history.add(&Event::write("unknown", &key, version, started));
            }
        }
    }

    fn read(&mut self, store: &Arc<Store>) {
        let key = self.key();
        let started = now();
        let Ok(found) = store.get("features", &key) else { return };
        if let Some(found) = found {
            self.history.add(&Event::read(&key, seen(&key, &found.row), started));
            // Half of the time what was read is not remembered, as by a writer that is behind.
            if self.random.bool() {
                self.learn(as_item(&found.row));
            }
        }
    }

    fn init(&mut self, store: &Arc<Store>, version: i64) {
        // A data set as it comes from LaunchDarkly: mostly what is known already, with something new here and there.
        let mut items: Vec<Item> = self.known.values().cloned().collect();
        for item in &mut items {
            if self.random.u8(0..3) == 0 {
                *item = self.live(&item.key, version);
            }
        }
        let started = now();
        let outcome = store.init(data_set::from_items(vec![("features".into(), items.clone())]).expect("data"));
        if let Ok(report) = &outcome {
            items.retain(|item| report.too_large.iter().all(|large| large.key != item.key));
        }
        let name = match &outcome {
            Ok(report) if report.kept_newer() > 0 => "kept newer",
            Ok(_) => "initialised",
            Err(_) => "unknown",
        };
        for item in items {
            self.history.add(&Event::write(name, &item.key, item.version, started));
            if outcome.is_ok() {
                self.learn(item);
            }
        }
    }

    fn live(&mut self, key: &str, version: i64) -> Item {
        if self.large && self.random.bool() {
            return Item { item: Some(large_payload(version)), ..live(key, version) };
        }
        live(key, version)
    }

    fn learn(&mut self, item: Item) {
        let known = self.known.get_mut(&item.key).expect("one of the keys");
        if item.version > known.version {
            *known = item;
        }
    }
}

fn live(key: &str, version: i64) -> Item {
    Item { key: key.into(), version, deleted: false, item: Some(payload(version)) }
}

fn as_item(row: &Row) -> Item {
    Item { key: row.key.to_string(), version: row.version, deleted: row.deleted(), item: row.item().map(Into::into) }
}

/// The version of a row, whose payload is that version's.
pub fn seen(key: &str, row: &Row) -> i64 {
    assert_eq!(&*row.key, key);
    let is_its = |item: &str| item == payload(row.version) || item == large_payload(row.version);
    assert!(row.item().is_none_or(is_its), "{key} mixes two versions: {:.200}", format!("{row:?}"));
    row.version
}

/// A process that writes some of the keys as the SDKs' own integrations do: on the condition of the attribute `version`, and
/// the whole row. What it sees is recorded under names of its own.
pub fn write_natively(role: &Value) {
    let endpoint = Endpoint::at(role["endpoint"].as_str().expect("a URL"));
    let namespace = role["namespace"].as_str().expect("a namespace");
    let number = role["number"].as_i64().expect("a number");
    let mut random = fastrand::Rng::with_seed(role["seed"].as_u64().expect("a seed"));
    let mut history = History::create(role);
    for operation in 0..role["operations"].as_i64().expect("a number") {
        let key = format!("key{}", random.usize(0..NATIVE_KEYS));
        let version = 10 + operation * WRITERS as i64 + number;
        let started = now();
        if endpoint.put_if_newer(namespace, &key, &version.to_string(), &payload(version)) {
            history.add(&Event::write("native", &key, version, started));
            history.add(&Event::write("written", &of_others(&key), version, started));
        }
        let started = now();
        for row in endpoint.rows(namespace) {
            let text = |name: &str| row[name].as_s().expect("text");
            let version = row["version"].as_n().expect("a number").parse().expect("a number");
            let of_others = of_others(text("key"));
            history.add(&Event::read(&of_others, version, started));
        }
    }
}

/// What other SDKs see of a key.
fn of_others(key: &str) -> String {
    format!("{key} as other SDKs see it")
}

/// A process that follows the table with consistent reads.
pub fn read_until_told_to_stop(role: &Value, store: &Arc<Store>) {
    let told = Arc::new(AtomicBool::new(false));
    let teller = Arc::clone(&told);
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        teller.store(true, Ordering::Relaxed);
    });
    let mut history = History::create(role);
    for round in 0.. {
        if told.load(Ordering::Relaxed) {
            return;
        }
        let started = now();
        if round % 8 == 0 {
            let Ok(rows) = store.all("features") else { continue };
            for row in rows.rows.iter() {
                history.add(&Event::read(&row.key, seen(&row.key, row), started));
            }
        } else {
            let key = format!("key{}", round % KEYS);
            if let Ok(Some(found)) = store.get("features", &key) {
                history.add(&Event::read(&key, seen(&key, &found.row), started));
            }
        }
    }
}
