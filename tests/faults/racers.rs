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

use crate::history::{Event, History, now};

/// Writers that race.
pub const WRITERS: usize = 4;
/// Keys that they race for: few, so that they meet.
pub const KEYS: usize = 16;

/// The payload that a writer gives to a version; nobody else uses that version of that key.
fn payload(version: i64) -> String {
    json!({ "version": version }).to_string()
}

/// A process that upserts and inits what it knows, which may be out of date.
pub struct Writer {
    number: i64,
    operations: i64,
    random: fastrand::Rng,
    known: HashMap<String, Item>,
    history: History,
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
            live(&key, version)
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
            Ok(Upserted::TooLarge) => panic!("too large"),
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
                *item = live(&item.key, version);
            }
        }
        let started = now();
        let outcome = store.init(data_set::from_items(vec![("features".into(), items.clone())]).expect("data"));
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
    assert!(row.deleted() || row.item() == Some(&payload(row.version)), "{key} mixes two versions: {row:?}");
    row.version
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
