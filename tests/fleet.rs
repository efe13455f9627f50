//! A fleet on one table, as fleets are: writers that connect with old payloads, fall behind, reconnect and try again,
//! flags that are deleted and made anew, and a reader that follows. Everything is recorded and judged.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[path = "faults/client.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;
#[path = "fleet/launchdarkly.rs"]
mod launchdarkly;
#[path = "fleet/reader.rs"]
mod reader;
#[path = "fleet/verdict.rs"]
mod verdict;
#[path = "fleet/writer.rs"]
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use client::{Faults, Seed, seed, seeds, short_or_long};
use endpoint::{Endpoint, endpoints};
use flagstore::model::options::Options;
use flagstore::store::Store;
use launchdarkly::{KINDS, LaunchDarkly, Place};
use serde_json::{Value, json};
use verdict::{Event, unlike, verdict};
use writer::Writer;

/// Processes that write, each with a connection to LaunchDarkly of its own.
const WRITERS: usize = 4;

/// What all of a fleet share.
pub struct Fleet {
    /// What LaunchDarkly says.
    pub source: LaunchDarkly,
    /// How far LaunchDarkly is.
    pub head: AtomicUsize,
    /// Whether the writers are done.
    pub over: AtomicBool,
    began: Instant,
}

impl Fleet {
    /// A moment that all agree on.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).expect("not that long")
    }
}

/// Lets a fleet loose on a table behind faults. Returns everything that happened, and the difference to the newest
/// payload after every writer has connected once more, to the newest.
fn run(
    endpoint: &Endpoint,
    seed: &Seed,
    operations: usize,
    faults: &Value,
) -> (LaunchDarkly, Vec<Event>, Option<String>) {
    let proxy = Faults::start(Some(&endpoint.url), seed);
    let options = endpoint.options(&format!("fleet-{}-{}", seed.number, endpoint::prefix()));
    let direct = Store::open(options.clone());
    let fleet = Fleet {
        source: LaunchDarkly::new(seed.number, operations / 6),
        head: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        began: Instant::now(),
    };
    direct.init(fleet.source.data_set(0)).expect("the first init");
    proxy.script(faults.clone());
    let patient = Options { timeout: std::time::Duration::from_secs(20), ..proxy.in_front_of(options) };
    let events = thread::scope(|scope| {
        let reader = scope.spawn(|| reader::follow(&fleet, &direct));
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let store = Store::open(patient.clone());
                let writer = Writer::new(&fleet, store, seed.number * 100 + number as u64);
                scope.spawn(move || writer.run(operations / WRITERS))
            })
            .collect();
        let mut events: Vec<Event> = writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect();
        proxy.script(json!([]));
        let stragglers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let mut writer = Writer::new(&fleet, Store::open(patient.clone()), number as u64);
                scope.spawn(move || writer.connect_to_the_newest())
            })
            .collect();
        events.extend(stragglers.into_iter().flat_map(|writer| writer.join().expect("a writer")));
        fleet.over.store(true, Ordering::Relaxed);
        events.extend(reader.join().expect("the reader"));
        events
    });
    let unlike = unlike(&fleet.source, &live(&direct));
    (fleet.source, events, unlike)
}

/// Everything that is live, with version and salt.
fn live(store: &Arc<Store>) -> BTreeMap<Place, (i64, String)> {
    let mut live = BTreeMap::new();
    for kind in KINDS {
        for row in store.all(kind).expect("readable").rows.iter() {
            if let Some(item) = row.item() {
                let payload: Value = serde_json::from_str(item).expect("JSON");
                let salt = payload["salt"].as_str().expect("a salt").to_owned();
                live.insert((kind, row.key.to_string()), (row.version, salt));
            }
        }
    }
    live
}

fn disturbed() -> Value {
    let broken = json!({"probability": 0.06, "do": [
        "throttle", {"do": "fault", "status": 500},
        {"do": "reset", "at": "request"}, {"do": "reset", "at": "response"}, {"do": "reset", "at": "body"},
    ]});
    // What waits on its way is overtaken by others.
    let overtaken =
        json!({"operation": ["PutItem", "DeleteItem", "Query"], "probability": 0.2, "do": {"do": "delay", "ms": 12}});
    json!([broken, overtaken])
}

#[test]
fn an_untidy_fleet_loses_nothing_and_ends_at_the_newest_payload() {
    for endpoint in endpoints() {
        for seed in seeds(short_or_long(1, 10) as u64) {
            let (source, events, unlike) = run(endpoint, &seed, short_or_long(1_200, 10_000), &disturbed());
            let count = |wanted: fn(&verdict::What) -> bool| events.iter().filter(|event| wanted(&event.what)).count();
            let inits = count(|what| matches!(what, verdict::What::Initialised { succeeded: true, .. }));
            let upserts = count(|what| matches!(what, verdict::What::Upserted { .. }));
            let looks = count(|what| matches!(what, verdict::What::Seen { .. }));
            eprintln!("{}: {inits} inits, {upserts} upserts, {looks} rows seen", endpoint.name);
            assert!(inits > 20 && upserts > 100 && looks > 500, "nobody met");
            assert_eq!(verdict(&source, &events), None, "on {}", endpoint.name);
            assert_eq!(unlike, None, "on {}", endpoint.name);
        }
    }
}

/// The judge sees what happens without the conditions that everything rests on.
#[test]
fn a_fleet_whose_writes_lost_their_conditions_is_found_out() {
    let Some(endpoint) = endpoints().into_iter().next() else { return };
    let seed = seed();
    let unconditional = json!({"operation": ["PutItem", "DeleteItem"], "do": "unconditional"});
    let found = (0..3).any(|_| {
        let (source, events, unlike) = run(endpoint, &seed, 1_200, &json!([unconditional]));
        verdict(&source, &events).or(unlike).is_some()
    });
    assert!(found, "nothing was noticed");
}
