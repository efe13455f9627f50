//! The cache that the processes of a host share: how often they ask together, what a process has that starts in an
//! outage, and what is left when processes are killed and files are overwritten.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[path = "faults/client.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod client;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{Faults, seed};
use endpoint::{Endpoint, endpoints, prefix};
use flagstore::model::data_set;
use flagstore::model::options::Options;
use flagstore::model::row::Item;
use flagstore::store::Store;
use serde_json::{Value, json};

/// Flags of the data set.
const FLAGS: usize = 12;
/// How long a test that kills and overwrites goes on.
const STORM: Duration = Duration::from_secs(3);

/// Starts this test program again, as a process that does one thing.
fn start(role: &Value) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_way_into_other_processes", "--nocapture"])
        .env("FLAGSTORE_ROLE", role.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}

/// What the processes that the other tests start run, with `FLAGSTORE_ROLE` saying what to do.
#[test]
fn the_way_into_other_processes() {
    let Ok(role) = std::env::var("FLAGSTORE_ROLE") else { return };
    let role: Value = serde_json::from_str(&role).expect("JSON");
    let store = Store::open(Options::from_json(&role["options"].to_string()).expect("options"));
    match role["does"].as_str() {
        // Its exit status says whether it had all of them.
        Some("read") => read_all_flags(&store),
        Some("write") => write_for_ever(&store, &role),
        other => panic!("{other:?} is not a role"),
    }
}

fn read_all_flags(store: &Arc<Store>) {
    for number in 0..FLAGS {
        let found = store.get("features", &format!("flag{number}")).expect("readable").expect("there");
        assert_eq!(found.row.version, 1);
    }
}

fn write_for_ever(store: &Arc<Store>, role: &Value) {
    let first = role["first"].as_i64().expect("a version");
    for version in first.. {
        for number in 0..FLAGS {
            let _ = store.upsert("features", &item(number, version));
        }
    }
}

fn item(number: usize, version: i64) -> Item {
    let key = format!("flag{number}");
    let text = format!("{{\"key\":\"{key}\",\"version\":{version}}}");
    Item { item: Some(text), key, version, deleted: false }
}

/// A directory that goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(prefix: &str) -> Folder {
        Folder(std::env::temp_dir().join(format!("flagstore-{}-{prefix}", std::process::id())))
    }

    fn files(&self) -> Vec<PathBuf> {
        let list = |path: &Path| -> Vec<PathBuf> {
            fs::read_dir(path).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
        };
        list(&self.0).iter().flat_map(|path| list(path)).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(url: &str, prefix: &str, folder: &Folder, ttl: u64) -> Value {
    json!({
        "table": "flags", "prefix": prefix, "endpoint": url, "region": "us-east-1", "shared": false,
        "access_key_id": "local", "secret_access_key": "local", "timeout_ms": 20_000,
        "cache_ttl_ms": ttl, "cache_dir": folder.0,
    })
}

fn open(options: &Value) -> Arc<Store> {
    Store::open(Options::from_json(&options.to_string()).expect("options"))
}

/// Writes the data set without the cache of the host.
fn fill(endpoint: &Endpoint, prefix: &str) {
    let items = (0..FLAGS).map(|number| item(number, 1)).collect();
    let data = data_set::from_items(vec![("features".into(), items)]).expect("valid");
    Store::open(endpoint.options(prefix)).init(data).expect("init works");
}

fn ended_well(children: Vec<Child>) {
    for mut child in children {
        let status = child.wait().expect("a child");
        assert!(status.success(), "{status}");
    }
}

#[test]
fn however_many_processes_read_a_flag_it_costs_one_request_for_each_time_to_live() {
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local") {
        for workers in [1, 10, 50] {
            let (prefix, seed) = (prefix(), seed());
            fill(endpoint, &prefix);
            let folder = Folder::new(&prefix);
            let faults = Faults::start(Some(&endpoint.url), &seed);
            // Slow enough for the processes to meet: without claims each of them would ask.
            faults.script(json!([{"do": {"do": "delay", "ms": 200, "at": "request"}}]));
            let role = json!({"does": "read", "options": options(&faults.url, &prefix, &folder, 600_000)});
            ended_well((0..workers).map(|_| start(&role)).collect());
            let mut requests: BTreeMap<String, usize> = BTreeMap::new();
            faults.requests().into_iter().for_each(|request| *requests.entry(request.key).or_default() += 1);
            assert_eq!(requests.len(), FLAGS, "{requests:?}");
            assert!(requests.values().all(|count| *count == 1), "{workers} workers: {requests:?}");
        }
    }
}

#[test]
fn a_process_that_starts_in_an_outage_has_every_flag() {
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local") {
        let (prefix, seed) = (prefix(), seed());
        fill(endpoint, &prefix);
        let folder = Folder::new(&prefix);
        let faults = Faults::start(Some(&endpoint.url), &seed);
        let role = json!({"does": "read", "options": options(&faults.url, &prefix, &folder, 1)});
        ended_well(vec![start(&role)]);
        for fault in ["hold", "fault", "close"] {
            let rule =
                if fault == "close" { json!({"do": {"do": "close", "at": "request"}}) } else { json!({"do": fault}) };
            faults.script(json!([rule]));
            ended_well(vec![start(&role), start(&role)]);
            faults.script(json!([]));
        }
    }
}

#[test]
fn killed_processes_and_overwritten_files_give_nobody_a_wrong_value() {
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local") {
        let prefix = prefix();
        fill(endpoint, &prefix);
        let folder = Folder::new(&prefix);
        let options = options(&endpoint.url, &prefix, &folder, 30);
        let begun = Instant::now();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut first = 2;
                while !over.load(Ordering::Relaxed) {
                    let mut writer = start(&json!({"does": "write", "options": options, "first": first}));
                    thread::sleep(Duration::from_millis(300));
                    writer.kill().expect("killed");
                    writer.wait().expect("ended");
                    first += 100_000;
                }
            });
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (number, path) in folder.files().iter().enumerate() {
                        let garbage: &[u8] = if number % 2 == 0 { b"flagstore/1\ngarbage" } else { b"" };
                        let _ = fs::OpenOptions::new()
                            .write(true)
                            .truncate(number % 3 == 0)
                            .open(path)
                            .map(|mut file| std::io::Write::write_all(&mut file, garbage));
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            });
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = open(&options);
                    while begun.elapsed() < STORM {
                        for number in 0..FLAGS {
                            let row =
                                store.get("features", &format!("flag{number}")).expect("readable").expect("there").row;
                            assert_eq!(row.item(), item(number, row.version).item.as_deref());
                        }
                        for row in store.all("features").expect("readable").rows.iter() {
                            let number = row.key.trim_start_matches("flag").parse().expect("a number");
                            assert_eq!(row.item(), item(number, row.version).item.as_deref());
                        }
                    }
                    over.store(true, Ordering::Relaxed);
                });
            }
        });
    }
}
