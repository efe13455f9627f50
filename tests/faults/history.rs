//! Histories: what each process did and saw, one line of JSON each, and what must hold of all of them together.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

/// A moment that all processes of this machine agree on, in nanoseconds.
pub fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live local that the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// One operation on one key.
#[derive(Debug, Clone)]
pub struct Event {
    /// `read`, or what a writer knows of its write: `written`, `initialised`, `kept newer`, or `unknown` after an error.
    pub name: String,
    pub key: String,
    /// The version read or written.
    pub version: i64,
    pub started: i64,
    pub ended: i64,
}

impl Event {
    /// A read, or a conflict, that ends now.
    pub fn read(key: &str, version: i64, started: i64) -> Event {
        Event::write("read", key, version, started)
    }

    /// A write that ends now.
    pub fn write(name: &str, key: &str, version: i64, started: i64) -> Event {
        Event { name: name.into(), key: key.into(), version, started, ended: now() }
    }
}

/// The history of one process.
pub struct History(BufWriter<File>);

impl History {
    /// The file that the process's role names.
    pub fn create(role: &Value) -> History {
        let path = role["history"].as_str().expect("a path");
        History(BufWriter::new(File::create(path).expect("a file")))
    }

    /// One more operation.
    pub fn add(&mut self, event: &Event) {
        let Event { name, key, version, started, ended } = event;
        let line = json!({"name": name, "key": key, "version": version, "started": started, "ended": ended});
        writeln!(self.0, "{line}").expect("written");
    }
}

/// The histories of all processes.
pub fn read_all(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for file in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("readable");
        events.extend(text.lines().map(|line| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| value[name].as_str().expect("text").to_owned();
            let number = |name: &str| value[name].as_i64().expect("a number");
            Event {
                name: text("name"),
                key: text("key"),
                version: number("version"),
                started: number("started"),
                ended: number("ended"),
            }
        }));
    }
    events
}

/// Where a version went down: a read must see at least every version of its key that was acknowledged, or read by
/// anyone, before it began.
pub fn fall(events: &[Event]) -> Option<String> {
    let mut by_key: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in events.iter().filter(|event| event.name != "unknown") {
        by_key.entry(&event.key).or_default().push(event);
    }
    for (key, events) in by_key {
        let mut known: Vec<&Event> = events.clone();
        known.sort_by_key(|event| event.ended);
        let mut reads: Vec<&Event> = events.into_iter().filter(|event| event.name == "read").collect();
        reads.sort_by_key(|event| event.started);
        let mut highest: Option<&Event> = None;
        let mut known = known.into_iter().peekable();
        for read in reads {
            while let Some(event) = known.next_if(|event| event.ended < read.started) {
                if highest.is_none_or(|highest| event.version > highest.version) {
                    highest = Some(event);
                }
            }
            let floor = highest.map_or(i64::MIN, |event| event.version);
            if read.version < floor {
                return Some(format!("{key} went down from {highest:?} to {read:?}"));
            }
        }
    }
    None
}

/// Where a version went down although no native writer can have done it. It sees the older of a row's two forms, and
/// replaces both where its own version is newer than that: below what was known, after it or at the same time.
pub fn fall_without_a_native(events: &[Event]) -> Option<String> {
    let natives: Vec<&Event> = events.iter().filter(|event| event.name == "native").collect();
    for read in events.iter().filter(|event| event.name == "read") {
        let known = events.iter().filter(|event| {
            event.key == read.key
                && event.name != "unknown"
                && event.ended < read.started
                && event.version > read.version
        });
        for known in known {
            let explains = |native: &&&Event| {
                native.key == read.key
                    && native.version < known.version
                    && native.started < read.ended
                    && native.ended > known.started
            };
            if !natives.iter().any(|native| explains(&native)) {
                return Some(format!("{} went down from {known:?} to {read:?}", read.key));
            }
        }
    }
    None
}

#[test]
fn a_fall_that_a_native_writer_explains_is_none() {
    let event =
        |name: &str, version, started, ended| Event { name: name.into(), key: "k".into(), version, started, ended };
    let (written, read) = (event("written", 9, 10, 20), event("read", 7, 30, 40));
    let explained = |native: Option<Event>| {
        let events: Vec<Event> = [written.clone(), read.clone()].into_iter().chain(native).collect();
        fall_without_a_native(&events).is_none()
    };
    assert!(explained(Some(event("native", 7, 25, 28))) && explained(Some(event("native", 6, 15, 35))));
    assert!(!explained(None));
    assert!(!explained(Some(event("native", 7, 5, 9))), "it was over before");
    assert!(!explained(Some(event("native", 7, 41, 45))), "it came after");
    assert!(!explained(Some(event("native", 10, 25, 28))), "it is newer");
}

#[test]
fn a_version_that_goes_down_is_noticed() {
    let event =
        |name: &str, version, started, ended| Event { name: name.into(), key: "k".into(), version, started, ended };
    let fine = [event("written", 5, 10, 20), event("read", 4, 15, 30), event("read", 5, 21, 22)];
    assert_eq!(fall(&fine), None);
    for bad in [
        [event("written", 5, 10, 20), event("read", 4, 21, 30)],
        [event("kept newer", 5, 10, 20), event("read", 4, 21, 30)],
        [event("read", 5, 10, 20), event("read", 4, 21, 30)],
    ] {
        assert!(fall(&bad).is_some(), "{bad:?}");
    }
}
