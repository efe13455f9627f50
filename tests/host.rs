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
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Faults, seed, short_or_long};
use endpoint::{Endpoint, endpoints, prefix};
use flagstore::model::data_set;
use flagstore::model::options::Options;
use flagstore::model::row::{Item, Row};
use flagstore::store::{Store, Upserted};
use serde_json::{Value, json};

/// Flags of the data set.
const FLAGS: usize = 12;
/// Of the test that kills and overwrites: how long a value is fresh, and how long it may stand in after that.
const TTL: Duration = Duration::from_millis(100);
const STALE: Duration = Duration::from_millis(400);
/// By so much two clocks of one machine may differ, which tick now and then.
const SLACK: Duration = Duration::from_millis(100);

/// Starts this test program again, as a process that does one thing.
fn start(role: &Value) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_way_into_other_processes", "--nocapture"])
        .env("FLAGSTORE_ROLE", role.to_string())
        // So that one that fails has ended before it is killed.
        .env("RUST_BACKTRACE", "0")
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
        Some("storm") => write_and_read(&store, &role),
        other => panic!("{other:?} is not a role"),
    }
}

fn read_all_flags(store: &Arc<Store>) {
    for number in 0..FLAGS {
        let found = store.get("features", &format!("flag{number}")).expect("readable").expect("there");
        assert_eq!(found.row.version, 1);
    }
}

/// Half of the processes write too. What was acknowledged is noted beside the cache, for every process to judge by.
fn write_and_read(store: &Arc<Store>, role: &Value) {
    let notes = Acknowledged(PathBuf::from(role["notes"].as_str().expect("a path")));
    let (number, begun) = (role["number"].as_i64().expect("a number"), Instant::now());
    // What was acknowledged, as of when this process saw it.
    let mut seen: Vec<Vec<(Instant, i64)>> = vec![Vec::new(); FLAGS];
    let bound = TTL + STALE + SLACK;
    // What is served at a moment or later is no older than the bound before that moment.
    let mut judge = |number: usize, row: &Row, asked: Instant| {
        assert_eq!(row.item(), item(number, row.version).item.as_deref(), "a wrong value");
        let seen = &mut seen[number];
        let old = seen.iter().rev().find(|(at, _)| asked.duration_since(*at) > bound);
        assert!(old.is_none_or(|(_, version)| row.version >= *version), "{row:?} is older than {old:?}");
        if seen.last().is_none_or(|(at, _)| asked.duration_since(*at) > TTL) {
            let version = notes.read(number);
            seen.push((Instant::now(), version));
        }
    };
    for round in 0.. {
        if now_ms() > u128::from(role["until_ms"].as_u64().expect("a time")) {
            return;
        }
        for flag in 0..FLAGS {
            if number % 2 == 0 && flag == round % FLAGS {
                // Larger than any before, of any process.
                let version = i64::try_from(now_ms()).expect("this age") * 100 + number;
                let outcome = store.upsert("features", &item(flag, version)).expect("written");
                notes.write(flag, if let Upserted::NewerExists(row) = outcome { row.version } else { version });
            }
            let asked = Instant::now();
            let found = store.get("features", &format!("flag{flag}")).expect("readable").expect("there");
            judge(flag, &found.row, asked);
        }
        let asked = Instant::now();
        let list = store.all("features").expect("readable");
        assert_eq!(list.rows.len(), FLAGS);
        for row in list.rows.iter() {
            judge(row.key.trim_start_matches("flag").parse().expect("a number"), row, asked);
        }
        if number % 3 == 0 && begun.elapsed() > TTL {
            store.clear_cache();
        }
    }
}

/// The versions that the table has at least, in files.
struct Acknowledged(PathBuf);

impl Acknowledged {
    fn write(&self, flag: usize, version: i64) {
        let new = self.0.join(format!("{flag}.{}", std::process::id()));
        fs::write(&new, version.to_string()).expect("written");
        fs::rename(&new, self.0.join(flag.to_string())).expect("renamed");
    }

    fn read(&self, flag: usize) -> i64 {
        fs::read_to_string(self.0.join(flag.to_string())).map_or(0, |text| text.parse().expect("a number"))
    }
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis()
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

/// Does to a file of the cache what accidents do, and keeps the first that it sees of each, to bring it back later.
fn overwrite(dice: &mut Dice, path: &Path, others: &[PathBuf], first: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let whole = fs::read(path).unwrap_or_default();
    let any = |dice: &mut Dice, count: usize| dice.below(count.max(1));
    let new = match dice.below(7) {
        0 => Vec::new(),
        1 => whole[..any(dice, whole.len())].to_vec(),
        2 => b"flagstore/1\ngarbage".to_vec(),
        3 => {
            let mut damaged = whole.clone();
            let at = any(dice, damaged.len());
            damaged.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            damaged
        }
        4 => fs::read(&others[any(dice, others.len())]).unwrap_or_default(),
        _ => first.get(path).cloned().unwrap_or_default(),
    };
    first.entry(path.into()).or_insert(whole);
    let _ = fs::write(path, new);
}

/// Random numbers of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % count
    }
}

#[test]
fn killed_processes_and_overwritten_files_give_nobody_a_wrong_or_an_old_value() {
    for endpoint in endpoints().into_iter().filter(|endpoint| endpoint.name == "flagstore-local") {
        let (prefix, seed) = (prefix(), seed());
        fill(endpoint, &prefix);
        let (folder, notes) = (Folder::new(&prefix), Folder::new(&format!("{prefix}-notes")));
        fs::create_dir(&notes.0).expect("a folder");
        let mut options = options(&endpoint.url, &prefix, &folder, 0);
        options["cache_ttl_ms"] = json!(u64::try_from(TTL.as_millis()).expect("short"));
        options["cache_stale_ms"] = json!(u64::try_from(STALE.as_millis()).expect("short"));
        // So little that files make room too.
        options["cache_dir_max_bytes"] = json!(20 * 4_096);
        let time = Duration::from_secs(short_or_long(3, 600) as u64);
        let until = u64::try_from(now_ms() + time.as_millis()).expect("this age");
        let begin = |number: usize| {
            start(&json!({"does": "storm", "options": options, "number": number, "notes": notes.0, "until_ms": until}))
        };
        let mut processes: Vec<Child> = (0..short_or_long(4, 16)).map(begin).collect();
        let mut dice = Dice(seed.number);
        let (mut first, mut kills, mut overwritten, begun) = (BTreeMap::new(), 0, 0, Instant::now());
        while begun.elapsed() + Duration::from_millis(500) < time {
            let files = folder.files();
            for path in &files {
                if dice.below(4) == 0 {
                    overwrite(&mut dice, path, &files, &mut first);
                    overwritten += 1;
                }
            }
            thread::sleep(Duration::from_millis(5));
            // About ten a second, at any moment of what they do.
            if dice.below(20) == 0 {
                let number = dice.below(processes.len());
                let process = &mut processes[number];
                assert_eq!(process.try_wait().expect("a child"), None, "process {number} ended by itself");
                process.kill().expect("killed");
                process.wait().expect("ended");
                processes[number] = begin(number);
                kills += 1;
            }
        }
        ended_well(processes);
        assert!(kills > 0 && overwritten > 0, "{kills} killed, {overwritten} overwritten");
        eprintln!("{kills} processes were killed, {overwritten} files overwritten");
    }
}
