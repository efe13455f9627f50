//! What many processes see of one table: processes killed in the middle of an init, and writers that race. Every
//! operation is recorded, and the histories are checked.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[path = "faults/client.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;
#[path = "faults/history.rs"]
mod history;
#[path = "faults/racers.rs"]
mod racers;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, seed, seeds, short_or_long};
use endpoint::{Endpoint, endpoints};
use flagstore::model::data_set;
use flagstore::model::options::Options;
use flagstore::model::row::Item;
use flagstore::store::Store;
use history::Event;
use racers::{KEYS, NATIVE_KEYS, WRITERS, Writer, read_until_told_to_stop, seen, write_natively};
use serde_json::{Value, json};

/// Exit status of a process whose init failed.
const FAILED: i32 = 3;
/// Longest life of a process that a test starts.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts this test program again, as a process that does one thing.
fn start(role: &Value) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_process_that_fails_is_noticed", "--nocapture"])
        .env("FLAGSTORE_ROLE", role.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}

/// Waits for a process, and ends it if that takes too long.
fn ended(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("a process did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Also the way into the processes that the other tests start: they run this test, with `FLAGSTORE_ROLE` saying what
/// to do instead.
#[test]
fn a_process_that_fails_is_noticed() {
    if let Ok(role) = std::env::var("FLAGSTORE_ROLE") {
        return play(&role);
    }
    let nowhere = options("http://127.0.0.1:1", "p");
    let data = json!({"features": {}});
    let status = ended(&mut start(&json!({"does": "init", "options": nowhere, "data": data})));
    assert_eq!(status.code(), Some(FAILED), "{status}");
}

fn play(role: &str) {
    let role: Value = serde_json::from_str(role).expect("JSON");
    let store = Store::open(Options::from_json(&role["options"].to_string()).expect("options"));
    match role["does"].as_str() {
        Some("init") => {
            let data = data_set::from_json(&role["data"].to_string()).expect("data");
            if let Err(error) = store.init(data) {
                eprintln!("an init in a process of its own: {error}");
                std::process::exit(FAILED);
            }
        }
        Some("write") => Writer::new(&role).run(&store),
        Some("write natively") => write_natively(&role),
        Some("read") => read_until_told_to_stop(&role, &store),
        other => panic!("{other:?} is not a role"),
    }
}

/// The options of a store, as they are handed to another process.
fn options(url: &str, prefix: &str) -> Value {
    json!({
        "table": "flags", "prefix": prefix, "endpoint": url, "region": "us-east-1",
        "access_key_id": "local", "secret_access_key": "local", "shared": false, "timeout_ms": 20_000,
    })
}

// F2: killed at every request.

/// A data set with segments and two levels of prerequisites, every item at one version.
fn flags(version: i64, extra: &[&str]) -> Value {
    let segments: serde_json::Map<String, Value> =
        (0..3).map(|number| (format!("segment{number}"), json!({"version": version}))).collect();
    let flag = |prerequisites: &[&str]| {
        let list: Vec<Value> = prerequisites.iter().map(|key| json!({"key": key, "variation": 0})).collect();
        json!({"version": version, "prerequisites": list})
    };
    let mut flags = serde_json::Map::new();
    for key in ["base0", "base1", "base2", "alone0", "alone1"].iter().chain(extra) {
        flags.insert((*key).into(), flag(&[]));
    }
    flags.insert("middle".into(), flag(&["base0", "base1"]));
    flags.insert("top".into(), flag(&["middle", "base2"]));
    json!({"segments": segments, "features": flags})
}

/// The versions of all rows, by kind and key.
fn versions(store: &Arc<Store>) -> HashMap<String, i64> {
    let mut versions = HashMap::new();
    for kind in ["features", "segments"] {
        for row in store.all(kind).expect("readable").rows.iter().filter(|row| !row.deleted()) {
            versions.insert(format!("{kind}/{}", row.key), row.version);
        }
    }
    versions
}

fn versions_of(data: &Value) -> HashMap<String, i64> {
    let kinds = data.as_object().expect("kinds").iter();
    kinds
        .flat_map(|(kind, items)| {
            let items = items.as_object().expect("items").iter();
            items.map(move |(key, item)| (format!("{kind}/{key}"), item["version"].as_i64().expect("a version")))
        })
        .collect()
}

/// What must hold in every state that a killed init of `new` leaves behind.
fn assert_ordered(found: &HashMap<String, i64>, new: &Value, leftovers: &[&str]) {
    let wanted = versions_of(new);
    let is_new = |place: &str| found.get(place) == wanted.get(place);
    for (key, flag) in new["features"].as_object().expect("flags") {
        if is_new(&format!("features/{key}")) {
            let needed = flag["prerequisites"].as_array().expect("a list").iter();
            let needed = needed.map(|entry| format!("features/{}", entry["key"].as_str().expect("a key")));
            let segments = wanted.keys().filter(|place| place.starts_with("segments/")).cloned();
            for place in needed.chain(segments) {
                assert!(is_new(&place), "{key} is there without {place}: {found:?}");
            }
        }
    }
    if leftovers.iter().any(|key| !found.contains_key(&format!("features/{key}"))) {
        let missing: Vec<_> = wanted.keys().filter(|place| !is_new(place)).collect();
        assert!(missing.is_empty(), "a leftover was removed before {missing:?} was written");
    }
}

/// Kills a process at the n-th request of its init, for every n and at both sides of it, until the init survives.
/// Returns how many were killed.
fn kill_at_every_request(
    endpoint: &Endpoint,
    name: &str,
    before: impl Fn(&Arc<Store>),
    new: &Value,
    check: impl Fn(bool, &HashMap<String, i64>),
) -> usize {
    let seed = seed();
    let faults = Faults::start(Some(&endpoint.url), &seed);
    let mut killed = 0;
    for at in ["request", "response"] {
        for number in 1.. {
            let prefix = format!("{name}-{at}-{number}");
            let direct = Store::open(endpoint.options(&prefix));
            before(&direct);
            faults.script(json!([{"nth": number, "do": {"do": "kill", "at": at}}]));
            let role = json!({"does": "init", "options": options(&faults.url, &prefix), "data": new});
            let status = ended(&mut start(&role));
            // What was on its way when the process died has arrived, or never will.
            faults.wait(&json!({"connections": 0}));
            let marked = !endpoint.rows(&format!("{prefix}:$inited")).is_empty();
            check(marked, &versions(&direct));
            if status.success() {
                assert!(marked && versions(&direct) == versions_of(new));
                break;
            }
            assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
            killed += 1;
            faults.script(json!([]));
            let status = ended(&mut start(&role));
            assert!(status.success(), "the init after the kill at {at} {number}: {status}");
            assert_eq!(versions(&direct), versions_of(new), "after the kill at {at} {number} and another init");
            assert!(!endpoint.rows(&format!("{prefix}:$inited")).is_empty());
        }
    }
    killed
}

#[test]
fn a_first_init_killed_at_any_request_leaves_no_marker_without_its_data() {
    for endpoint in endpoints() {
        let new = flags(2, &[]);
        let leftovers = ["leftover0", "leftover1"];
        let before = |store: &Arc<Store>| {
            for key in leftovers {
                let old = Item { key: key.into(), version: 1, deleted: false, item: Some("{}".into()) };
                store.upsert("features", &old).expect("a row");
            }
        };
        let killed = kill_at_every_request(endpoint, "first", before, &new, |marked, found| {
            if marked {
                assert_eq!(found, &versions_of(&new), "marked without its data");
            }
            assert_ordered(found, &new, &leftovers);
        });
        // Two pages, looked at before the writes, after them, and after the deletions; ten rows, two leftovers, and the
        // marker read and written, each killed on both sides.
        assert_eq!(killed, 2 * (3 * 2 + 10 + 2 + 2), "on {}", endpoint.name);
    }
}

#[test]
fn a_repeated_init_killed_at_any_request_leaves_the_old_data_readable() {
    for endpoint in endpoints() {
        let leftovers = ["leftover0", "leftover1"];
        let (old, new) = (flags(1, &leftovers), flags(2, &[]));
        let before = |store: &Arc<Store>| {
            store.init(data_set::from_json(&old.to_string()).expect("data")).expect("init");
        };
        let killed = kill_at_every_request(endpoint, "again", before, &new, |marked, found| {
            assert!(marked, "the marker is gone");
            for place in versions_of(&new).keys() {
                assert!(matches!(found.get(place), Some(1 | 2)), "{place} is gone: {found:?}");
            }
            assert_ordered(found, &new, &leftovers);
        });
        // As above, without writing the marker.
        assert_eq!(killed, 2 * (3 * 2 + 10 + 2 + 1), "on {}", endpoint.name);
    }
}

// F3: racing writers.

#[test]
fn racing_writers_lose_nothing_and_roll_nothing_back() {
    for endpoint in endpoints() {
        for seed in seeds(1) {
            let faults = Faults::start(Some(&endpoint.url), &seed);
            // Writes that wait on their way are overtaken by others.
            let overtaken = json!({"operation": "PutItem", "probability": 0.25, "do": {"do": "delay", "ms": 15}});
            let broken = json!({"probability": 0.08, "do": [
                "throttle", {"do": "fault", "status": 500},
                {"do": "reset", "at": "request"}, {"do": "reset", "at": "response"}, {"do": "reset", "at": "body"},
            ]});
            faults.script(json!([broken, overtaken]));
            let prefix = format!("race-{}", seed.number);
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&prefix);
            fs::create_dir_all(&folder).expect("a folder");
            // An init wins over what a store holds that was never initialised, so nobody may race before the first one.
            let nothing = data_set::from_json("{}").expect("data");
            Store::open(endpoint.options(&prefix)).init(nothing).expect("init");
            let operations = short_or_long(2_000, 10_000) / WRITERS;
            let role = |does: &str, number: usize| {
                json!({
                    "does": does, "number": number, "operations": operations, "seed": seed.number,
                    "options": options(&faults.url, &prefix),
                    "history": folder.join(format!("{does}{number}.jsonl")),
                })
            };
            let mut reader = start(&role("read", 0));
            let mut writers: Vec<Child> = (0..WRITERS).map(|number| start(&role("write", number))).collect();
            for writer in &mut writers {
                assert!(ended(writer).success(), "a writer failed");
            }
            drop(reader.stdin.take());
            assert!(ended(&mut reader).success(), "the reader failed");

            let events = history::read_all(&folder);
            let direct = Store::open(endpoint.options(&prefix));
            check(&events, &direct);
            assert_eq!(history::fall(&events), None);
            fs::remove_dir_all(&folder).expect("removed");
        }
    }
}

#[test]
fn large_items_and_a_native_writer_in_the_mix_roll_nothing_back_that_the_native_did_not() {
    for endpoint in endpoints() {
        let seed = seed();
        let faults = Faults::start(Some(&endpoint.url), &seed);
        faults.script(json!([
            {"probability": 0.05, "do": ["throttle", {"do": "reset", "at": "response"}, {"do": "fault", "status": 500}]},
            {"operation": "PutItem", "probability": 0.25, "do": {"do": "delay", "ms": 15}},
        ]));
        let prefix = format!("large-{}", seed.number);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&prefix);
        fs::create_dir_all(&folder).expect("a folder");
        let nothing = data_set::from_json("{}").expect("data");
        Store::open(endpoint.options(&prefix)).init(nothing).expect("init");
        // One of the writers goes without the option: it reads what is deflated, and compares with it.
        let role = |does: &str, number: usize| {
            let mut options = options(&faults.url, &prefix);
            options["compress_large"] = (number > 0).into();
            json!({
                "does": does, "number": number, "operations": short_or_long(100, 1_000), "seed": seed.number, "large": true,
                "options": options, "endpoint": endpoint.url, "namespace": format!("{prefix}:features"),
                "history": folder.join(format!("{}{number}.jsonl", does.replace(' ', "-"))),
            })
        };
        let mut reader = start(&role("read", 9));
        let mut writers: Vec<Child> = (0..WRITERS - 1).map(|number| start(&role("write", number))).collect();
        writers.push(start(&role("write natively", WRITERS - 1)));
        for writer in &mut writers {
            assert!(ended(writer).success(), "a writer failed");
        }
        drop(reader.stdin.take());
        assert!(ended(&mut reader).success(), "the reader failed");

        let events = history::read_all(&folder);
        let is_native = |event: &Event| (0..NATIVE_KEYS).any(|number| event.key == format!("key{number}"));
        let (native, ours): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_native);
        // What other SDKs see never goes down, and neither does what this library sees where no other SDK writes.
        assert_eq!(history::fall(&ours), None, "on {}", endpoint.name);
        assert_eq!(history::fall_without_a_native(&native), None, "on {}", endpoint.name);
        let deflated = endpoint.rows(&format!("{prefix}:features"));
        let deflated = deflated.iter().filter(|row| row.contains_key("flagstore_item")).count();
        assert!(deflated > 0, "nothing large raced on {}", endpoint.name);
        let falls = history::fall(&native).is_some();
        eprintln!("on {}: {deflated} rows deflated at the end; a native rolled back: {falls}", endpoint.name);
        let direct = Store::open(endpoint.options(&prefix));
        for number in NATIVE_KEYS..KEYS {
            check_key(&format!("key{number}"), &ours, &direct);
        }
        fs::remove_dir_all(&folder).expect("removed");
    }
}

/// Every key stands at the highest version that was acknowledged, or above it at one whose writer was left in doubt.
fn check(events: &[Event], direct: &Arc<Store>) {
    let count = |name: &str| events.iter().filter(|event| event.name == name).count();
    let conflicts = events.iter().filter(|event| event.name == "read").count();
    eprintln!("written {}, reads {conflicts}, stale inits of a key {}", count("written"), count("kept newer"));
    assert!(count("written") > 200 && conflicts > 200 && count("kept newer") > KEYS, "nobody raced");
    for number in 0..KEYS {
        check_key(&format!("key{number}"), events, direct);
    }
}

fn check_key(key: &str, events: &[Event], direct: &Arc<Store>) {
    let row = direct.get("features", key).expect("readable").unwrap_or_else(|| panic!("{key} is gone")).row;
    let version = seen(key, &row);
    let writes = || events.iter().filter(|event| event.key == key && event.name != "read");
    let acknowledged = writes().filter(|event| event.name != "unknown").map(|event| event.version).max();
    let doubtful: HashSet<i64> = writes().filter(|event| event.name == "unknown").map(|event| event.version).collect();
    assert!(Some(version) >= acknowledged, "{key} is at {version}, and {acknowledged:?} was acknowledged");
    assert!(Some(version) == acknowledged || doubtful.contains(&version), "{key} is at {version}: who wrote that?");
}
