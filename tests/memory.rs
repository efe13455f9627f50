//! What is kept of a data set, counted byte by byte: it is kept once, whoever keeps it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use endpoint::{endpoints, prefix};
use flagstore::model::data_set::{self, Collection};
use flagstore::model::options::{CacheOptions, Options};
use flagstore::store::Store;

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const FLAGS: usize = 2_000;
/// A flag with a few rules.
const BYTES: usize = 2_000;

fn key(number: usize) -> String {
    format!("a-flag-with-a-name-{number:04}")
}

/// Payloads as JSON that a caller has, and forgets after the call.
fn data() -> Vec<Collection> {
    let flags: Vec<String> = (0..FLAGS)
        .map(|number| {
            let key = key(number);
            let around = format!("{{\"key\":\"{key}\",\"version\":1,\"salt\":\"\"}}").len();
            format!("\"{key}\":{{\"key\":\"{key}\",\"version\":1,\"salt\":\"{}\"}}", "x".repeat(BYTES - around))
        })
        .collect();
    data_set::from_json(&format!("{{\"features\":{{{}}}}}", flags.join(","))).expect("valid")
}

/// What is held of the payload, as soon as that is at most so much: what a call needed goes a moment after its answer.
fn held_at_most(bound: f64, before: usize) -> f64 {
    let begun = Instant::now();
    loop {
        let held = HELD.load(Ordering::Relaxed).saturating_sub(before);
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let held = held as f64 / (FLAGS * BYTES) as f64;
        if held <= bound || begun.elapsed() > Duration::from_secs(5) {
            return held;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_data_set_is_held_once_however_many_parts_of_a_store_keep_it() {
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local") {
        let options = endpoint.options(&prefix());
        let cache = CacheOptions { ttl: Some(Duration::from_secs(600)), ..options.cache.clone() };
        // Few connections, since each has buffers.
        let few = Options { write_concurrency: 2, max_connections: 2, shared: false, ..options };
        let store = Store::open(Options { keep_told: true, cache, ..few });
        store.init(data_set::from_json("{\"segments\":{\"s\":{\"version\":1}}}").expect("valid")).expect("init works");
        store.all("segments").expect("readable");
        let before = HELD.load(Ordering::Relaxed);
        store.init(data()).expect("init works");
        let told = held_at_most(1.1, before);
        assert_eq!(store.all("features").expect("readable").rows.len(), FLAGS);
        for number in 0..FLAGS {
            let row = store.get("features", &key(number)).expect("readable").expect("there").row;
            assert_eq!(row.item().map(str::len), Some(BYTES));
        }
        // A connection that has read pages of a megabyte keeps a tenth of this payload as its buffer.
        let with_cache = held_at_most(1.3, before);
        eprintln!("told: {told:.3} of the payload; with the cache of the list and of each row: {with_cache:.3}");
        assert!(told <= 1.1, "what was told takes {told:.3} times the payload");
        assert!(with_cache <= 1.3, "with the cache it takes {with_cache:.3} times the payload");
    }
}
