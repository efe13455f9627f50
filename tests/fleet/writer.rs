//! A process that has a connection to LaunchDarkly and writes what it hears into the table, as an SDK does.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flagstore::store::{Store, Upserted};

use crate::Fleet;
use crate::launchdarkly::item;
use crate::verdict::{Event, What};

/// How far behind a payload can be that a writer connects with.
const OLDEST: usize = 25;

/// A writer.
pub struct Writer<'a> {
    fleet: &'a Fleet,
    store: Arc<Store>,
    random: fastrand::Rng,
    /// What it has heard.
    position: usize,
    events: Vec<Event>,
}

impl<'a> Writer<'a> {
    /// Not connected yet.
    pub fn new(fleet: &'a Fleet, store: Arc<Store>, seed: u64) -> Writer<'a> {
        Writer { fleet, store, random: fastrand::Rng::with_seed(seed), position: 0, events: Vec::new() }
    }

    /// Connects, follows, falls behind, reconnects.
    pub fn run(mut self, operations: usize) -> Vec<Event> {
        self.connect();
        for _ in 0..operations {
            let head = self.fleet.head.load(Ordering::Relaxed);
            match self.random.u8(0..100) {
                0..4 => self.connect(),
                4..30 if head < self.fleet.source.last() => {
                    self.fleet.head.fetch_max(head + 1, Ordering::Relaxed);
                }
                _ if self.position < head => self.hear(),
                _ => {}
            }
        }
        self.events
    }

    /// Half of the time LaunchDarkly itself answers; else a relay, a file or a cache that is behind.
    fn connect(&mut self) {
        let head = self.fleet.head.load(Ordering::Relaxed);
        let behind = if self.random.bool() { 0 } else { self.random.usize(0..=OLDEST) };
        self.initialise(head.saturating_sub(behind));
    }

    /// The last thing that everybody does.
    pub fn connect_to_the_newest(&mut self) -> Vec<Event> {
        self.initialise(self.fleet.source.last());
        std::mem::take(&mut self.events)
    }

    fn initialise(&mut self, position: usize) {
        let started = self.fleet.now();
        let outcome = self.store.init(self.fleet.source.data_set(position));
        if let Err(error) = &outcome {
            assert!(error.code.retriable(), "{error}");
        }
        self.position = position;
        self.record(started, What::Initialised { position, succeeded: outcome.is_ok() });
    }

    /// The next change, upserted. After a failure an SDK starts over.
    fn hear(&mut self) {
        let (place, thing) = self.fleet.source.change_at(self.position);
        self.position += 1;
        let started = self.fleet.now();
        match self.store.upsert(place.0, &item(place, thing)) {
            Ok(Upserted::Written) => {
                self.record(started, What::Upserted { place: place.clone(), version: thing.version });
            }
            Ok(Upserted::NewerExists(row)) => {
                assert!(
                    row.version >= thing.version,
                    "{place:?}: {} stood in the way of {}",
                    row.version,
                    thing.version
                );
                self.record(started, What::Seen { place: place.clone(), version: Some(row.version) });
            }
            Ok(Upserted::TooLarge) => panic!("too large"),
            Err(error) => {
                assert!(error.code.retriable(), "{error}");
                self.connect();
            }
        }
    }

    fn record(&mut self, started: u64, what: What) {
        self.events.push(Event { what, started, ended: self.fleet.now() });
    }
}
