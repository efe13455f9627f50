//! Outages seen from a store: writers that lose DynamoDB, answers that are slow, rows that are away alone. On an endpoint,
//! through `tests/faults/endpoint`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[path = "faults/client.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, seed, short_or_long};
use endpoint::{Endpoint, endpoints, prefix};
use flagstore::model::data_set;
use flagstore::model::options::{CacheOptions, Options};
use flagstore::model::row::Item;
use flagstore::store::{Found, Store, Upserted};
use serde_json::{Value, json};

const FLAGS: usize = 40;
/// Updates that come while nothing can be written.
const UPDATES: usize = 1_000;
/// Much longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

fn item(number: usize, version: i64) -> Item {
    let key = format!("flag{number}");
    let text = format!("{{\"key\":\"{key}\",\"version\":{version}}}");
    Item { item: Some(text), key, version, deleted: false }
}

/// A data set behind an endpoint that fails on demand, a store in front of it, and one behind.
struct Scene {
    faults: Faults,
    store: Arc<Store>,
    behind: Arc<Store>,
}

impl Scene {
    fn new(endpoint: &Endpoint, change: impl FnOnce(Options) -> Options) -> Scene {
        let faults = Faults::start(Some(&endpoint.url), &seed());
        let options = endpoint.options(&prefix());
        let store = Store::open(change(faults.in_front_of(options.clone())));
        let items = (0..FLAGS).map(|number| item(number, 1)).collect();
        let data = data_set::from_items(vec![("features".into(), items)]).expect("valid");
        store.init(data).expect("init works");
        Scene { faults, store, behind: Store::open(options) }
    }

    fn version(&self, number: usize) -> i64 {
        self.behind.get("features", &format!("flag{number}")).expect("readable").expect("there").row.version
    }

    fn read(&self, number: usize) -> Found {
        self.store.get("features", &format!("flag{number}")).expect("covered").expect("there")
    }
}

fn local() -> impl Iterator<Item = &'static Endpoint> {
    endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local")
}

fn statistic(store: &Store, name: &str) -> u64 {
    let statistics: Value = serde_json::from_str(&store.statistics()).expect("JSON");
    statistics[name].as_u64().expect("a number")
}

/// Repeats a look until it is true.
fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !look() {
        assert!(begun.elapsed() < SOON, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A cache whose values expire at once and stand in for long.
fn expiring(options: Options) -> Options {
    let cache = CacheOptions { ttl: Some(Duration::from_millis(50)), ..options.cache.clone() };
    Options { cache, ..options }
}

#[test]
fn writers_that_lose_dynamodb_for_a_minute_leave_every_row_at_its_last_version_without_another_init() {
    for endpoint in local() {
        for outage in [json!({"do": "fault", "status": 500}), json!({"do": "black_hole"}), json!({"do": "reset"})] {
            let telling = |options| Options { keep_told: true, timeout: Duration::from_millis(250), ..options };
            let scene = Scene::new(endpoint, telling);
            let before = scene.faults.requests().len();
            scene.faults.script(json!([{ "do": outage }]));
            let begun = Instant::now();
            let pause = Duration::from_millis(short_or_long(0, 60_000 / UPDATES) as u64);
            thread::scope(|scope| {
                // A flag is updated by one writer, one version after the other, as a stream does.
                for writer in 0..20 {
                    let store = &scene.store;
                    scope.spawn(move || {
                        for update in (writer..UPDATES).step_by(20) {
                            let version = i64::try_from(update / FLAGS).expect("few") + 2;
                            let outcome = store.upsert("features", &item(update % FLAGS, version));
                            // What a background write got through is none that failed.
                            assert!(!matches!(outcome, Ok(Upserted::TooLarge)), "{outcome:?}");
                            thread::sleep(20 * pause);
                        }
                    });
                }
            });
            assert!(statistic(&scene.store, "unwritten") > 0, "nothing was lost: {outage}");
            let lasted = begun.elapsed();
            // Whoever follows the log sees no init: nothing is read page by page, and nothing marked.
            scene.faults.script(json!([]));
            eventually("everything is written", || statistic(&scene.store, "unwritten") == 0);
            let last = i64::try_from(UPDATES / FLAGS).expect("few") + 1;
            for number in 0..FLAGS {
                assert_eq!(scene.version(number), last, "flag{number} after {outage}");
            }
            let requests = scene.faults.requests();
            let passed = requests[before..].iter().filter(|request| request.action == "pass");
            let operations: Vec<&str> = passed.map(|request| &*request.operation).collect();
            assert!(
                !operations.is_empty() && operations.iter().all(|operation| *operation == "PutItem"),
                "{operations:?}"
            );
            eprintln!(
                "{UPDATES} updates in an outage of {lasted:?} ({outage}): written with {} requests",
                operations.len()
            );
        }
    }
}

#[test]
fn where_dynamodb_is_slower_than_the_soft_wait_nobody_waits_longer_and_values_are_brought_nevertheless() {
    for endpoint in local() {
        let scene = Scene::new(endpoint, expiring);
        assert!(!scene.read(0).stale);
        scene.faults.script(json!([{"do": {"do": "delay", "ms": 600, "at": "response"}}]));
        scene.behind.upsert("features", &item(0, 2)).expect("written");
        let mut stale = 0;
        eventually("the new value comes", || {
            let found = scene.read(0);
            stale += u64::from(found.stale);
            found.row.version == 2
        });
        assert!(stale > 0, "what stood in meanwhile is marked");
        eventually("and it is no outage", || statistic(&scene.store, "away") == 0);
        assert_eq!(statistic(&scene.store, "errors"), 0);
    }
}

#[test]
fn rows_that_are_away_alone_stand_in_and_all_others_are_asked_for() {
    for endpoint in local() {
        for outage in [json!("black_hole"), json!({"do": "throttle"}), json!({"do": "fault"})] {
            let scene = Scene::new(endpoint, |options| Options {
                timeout: Duration::from_secs(2),
                attempt_timeout: Duration::from_millis(500),
                ..expiring(options)
            });
            (0..FLAGS).for_each(|number| assert!(!scene.read(number).stale));
            scene.faults.script(json!([{"key": ["flag0", "flag1"], "do": outage}]));
            for version in 2..4 {
                for number in 2..FLAGS {
                    scene.behind.upsert("features", &item(number, version)).expect("written");
                }
                let mut behind: Vec<usize> = (2..FLAGS).collect();
                eventually("every other row is read anew", || {
                    for number in [0, 1] {
                        assert_eq!(scene.read(number).row.version, 1, "{outage}");
                    }
                    behind.retain(|number| scene.read(*number).row.version != version);
                    behind.is_empty()
                });
            }
            scene.faults.script(json!([]));
            eventually("the two are fresh again", || !scene.read(0).stale && !scene.read(1).stale);
        }
    }
}
