//! What goes on while DynamoDB is away: what was told, and what the host's files have; on a table in memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::tests::{eventually, expire};
use crate::dynamo::memory::MemoryTable;
use crate::model::data_set::{self, Collection};
use crate::model::options::Options;
use crate::model::{Code, Error};
use crate::store::tests::{events, item, statistic, store_with};
use crate::store::{Found, Store, Upserted};

fn data(json: &str) -> Vec<Collection> {
    data_set::from_json(json).expect("valid data")
}

const TWO: &str = r#"{"features":{"a":{"version":1},"b":{"version":1}},"segments":{"s":{"version":1}}}"#;

fn telling(table: &Arc<MemoryTable>, change: impl FnOnce(&mut Options)) -> Arc<Store> {
    store_with(table, |options| {
        options.keep_told = true;
        options.cache.soft_wait = Duration::from_millis(100);
        change(options);
    })
}

fn fail(table: &MemoryTable) {
    table.before_each(|_| Err(Error::new(Code::Connection, "gone")));
}

fn read(store: &Arc<Store>, key: &str) -> (i64, bool) {
    let Found { row, stale } = store.get("features", key).expect("readable").expect("there");
    (row.version, stale)
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn what_was_told_stands_in_without_a_cache_whether_it_could_be_written_or_not() {
    type Outage = fn(&MemoryTable);
    for (name, outage) in [("failing", fail as Outage), ("silent", MemoryTable::fall_silent)] {
        let table = Arc::new(MemoryTable::default());
        let store = telling(&table, |options| {
            (options.timeout, options.all_timeout) = (Duration::from_millis(300), Duration::from_millis(300));
        });
        store.init(data(TWO)).expect("init works");
        table.insert("p:features", "a", Some("2"), Some("{}"));
        assert_eq!(read(&store, "a"), (2, false), "DynamoDB is asked each time");
        outage(&table);
        assert_eq!(read(&store, "a"), (2, true), "{name}: what was read is newer than what was told");
        assert_eq!(
            store.get("segments", "s").expect("covered").map(|found| (found.row.version, found.stale)),
            Some((1, true))
        );
        store.upsert("features", &item("b", 5, "{}")).expect_err("it is away");
        assert_eq!(read(&store, "b"), (5, true), "{name}");
        assert_eq!(store.get("features", "unheard of"), Ok(None), "{name}: an init said so");
        let list = store.all("features").expect("covered");
        let versions: Vec<_> = list.rows.iter().map(|row| (&*row.key, row.version)).collect();
        assert_eq!((versions, list.stale), (vec![("a", 2), ("b", 5)], true), "{name}");
        store.all("things").expect_err("nobody was told of it");
        assert!(statistic(&store, "served_while_away") >= 2, "{name}");
        // A table in memory that is silent does not end a request at its deadline: it is still under way.
        assert_eq!(statistic(&store, "unwritten"), u64::from(name == "failing"), "{name}");
        table.undisturbed();
        table.speak();
        eventually(|| (statistic(&store, "unwritten") == 0).then_some(()));
        eventually(|| (read(&store, "b") == (5, false)).then_some(()));
        assert_eq!(read(&store, "a"), (2, false), "{name}: an item that is newer in the table stays");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn after_an_outage_of_writers_every_row_has_its_last_version_without_another_init() {
    let table = Arc::new(MemoryTable::default());
    let store = telling(&table, |_| {});
    store.init(data(TWO)).expect("init works");
    fail(&table);
    for update in 0..200 {
        let (kind, key) =
            if update % 10 == 0 { ("segments", "s".to_owned()) } else { ("features", format!("f{}", update % 40)) };
        store.upsert(kind, &item(&key, update + 2, "{}")).expect_err("it is away");
    }
    table.insert("p:features", "f7", Some("9000"), Some("{}"));
    table.undisturbed();
    table.forget_requests();
    store.available().expect("available, and everything is there");
    for update in 160..200_i64 {
        let (kind, key) =
            if update % 10 == 0 { ("p:segments", "s".to_owned()) } else { ("p:features", format!("f{}", update % 40)) };
        let wanted = match (kind, update % 40) {
            ("p:segments", _) => 192,
            (_, 7) => 9000,
            _ => update + 2,
        };
        let version = table.row(kind, &key).and_then(|row| row.version);
        assert_eq!(version, Some(wanted.to_string()), "{key}");
    }
    assert_eq!(table.writes().first().map(String::as_str), Some("put p:segments/s"));
    assert_eq!(statistic(&store, "unwritten"), 0);
    assert!(events(&store).iter().any(|event| event.starts_with("37 items that could not be written are stored now")));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_data_set_that_could_not_be_written_is_written_in_the_background_with_what_came_since() {
    let table = Arc::new(MemoryTable::default());
    let store = telling(&table, |_| {});
    fail(&table);
    store.init(data(TWO)).expect_err("it is away");
    store.upsert("features", &item("a", 7, "{}")).expect_err("it is away");
    store.available().expect_err("it does not have what it was told");
    assert_eq!(read(&store, "a"), (7, true));
    table.undisturbed();
    eventually(|| (statistic(&store, "unwritten") == 0).then_some(()));
    assert_eq!(table.row("p:features", "a").and_then(|row| row.version), Some("7".into()));
    assert!(store.initialized().expect("readable"));
    let weak = Arc::downgrade(&store);
    fail(&table);
    store.upsert("features", &item("a", 8, "{}")).expect_err("it is away");
    drop(store);
    eventually(|| (weak.strong_count() == 0).then_some(()));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_table_that_is_available_again_is_asked_again() {
    let table = Arc::new(MemoryTable::default());
    let store = telling(&table, |_| {});
    store.init(data(TWO)).expect("init works");
    fail(&table);
    assert!(read(&store, "a").1);
    assert_eq!(statistic(&store, "away"), 1);
    table.undisturbed();
    store.available().expect("it is back");
    assert_eq!((statistic(&store, "away"), read(&store, "a")), (0, (1, false)));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn an_upsert_that_met_something_newer_leaves_that_to_stand_in() {
    let table = Arc::new(MemoryTable::default());
    let store = telling(&table, |_| {});
    store.init(data(TWO)).expect("init works");
    table.insert("p:features", "a", Some("7"), Some("{\"seven\":7}"));
    let refused = store.upsert("features", &item("a", 3, "{}")).expect("refused");
    assert!(matches!(refused, Upserted::NewerExists(row) if row.version == 7));
    fail(&table);
    let found = store.get("features", "a").expect("covered").expect("there");
    assert_eq!((found.row.version, found.row.item(), found.stale), (7, Some("{\"seven\":7}"), true));
    assert_eq!(statistic(&store, "unwritten"), 0);
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("flagstore-survival-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Folder(std::env::temp_dir().join(name))
    }

    /// A store as another process would have it.
    fn store(&self, table: &Arc<MemoryTable>, change: impl FnOnce(&mut Options)) -> Arc<Store> {
        store_with(table, |options| {
            options.cache.dir = self.0.to_str().map(Into::into);
            options.cache.ttl = Some(Duration::from_secs(600));
            options.cache.soft_wait = Duration::from_millis(100);
            change(options);
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn of_fifty_stores_of_a_host_one_asks() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    store_with(&table, |_| {}).init(data(TWO)).expect("init works");
    table.forget_requests();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let store = folder.store(&table, |_| {});
                assert_eq!(read(&store, "a"), (1, false));
                assert_eq!(store.get("features", "none"), Ok(None));
                assert_eq!(store.all("features").expect("readable").rows.len(), 2);
            });
        }
    });
    let mut requests = table.requests();
    requests.sort();
    assert_eq!(requests, ["get p:features/a", "get p:features/none", "page p:features"]);
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn what_one_store_writes_or_clears_the_others_of_the_host_see() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    let writer = folder.store(&table, |_| {});
    writer.init(data(TWO)).expect("init works");
    table.forget_requests();
    assert_eq!(read(&folder.store(&table, |_| {}), "a"), (1, false));
    assert!(table.requests().is_empty(), "what an init wrote is fresh for all");
    writer.upsert("features", &item("a", 2, "{}")).expect("written");
    table.forget_requests();
    let reader = folder.store(&table, |_| {});
    assert_eq!(read(&reader, "a"), (2, false));
    assert_eq!(statistic(&reader, "host_hits"), 1);
    assert!(table.requests().is_empty(), "{:?}", table.requests());
    table.insert("p:features", "a", Some("3"), Some("{}"));
    writer.clear_cache();
    assert_eq!(read(&folder.store(&table, |_| {}), "a"), (3, false));
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn a_store_that_is_opened_in_an_outage_has_what_the_host_has_with_or_without_a_time_to_live() {
    for ttl in [0, 1] {
        let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
        let opened = || folder.store(&table, |options| options.cache.ttl = Some(Duration::from_millis(ttl)));
        opened().init(data(TWO)).expect("init works");
        expire();
        table.forget_requests();
        fail(&table);
        let late = opened();
        assert_eq!(read(&late, "a"), (1, true), "{ttl}");
        assert_eq!(late.all("segments").expect("covered").rows.len(), 1, "{ttl}");
        assert!(!table.requests().is_empty(), "{ttl}: it asked");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_store_that_was_told_of_a_data_set_says_that_there_is_one_also_where_it_could_not_be_written() {
    type Outage = fn(&MemoryTable);
    for outage in [fail as Outage, MemoryTable::fall_silent] {
        let table = Arc::new(MemoryTable::default());
        let store = telling(&table, |options| options.init_timeout = Duration::from_millis(200));
        fail(&table);
        store.initialized().expect_err("nobody said so");
        store.init(data(TWO)).expect_err("it is away");
        outage(&table);
        assert_eq!(store.initialized(), Ok(true));
        table.speak();
    }
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn a_store_that_is_opened_in_an_outage_knows_from_its_host_whether_there_is_a_data_set() {
    for initialised in [true, false] {
        let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
        if initialised {
            store_with(&table, |_| {}).init(data(TWO)).expect("init works");
        }
        assert_eq!(folder.store(&table, |_| {}).initialized(), Ok(initialised));
        fail(&table);
        let late = folder.store(&table, |_| {}).initialized();
        assert_eq!(late.ok(), initialised.then_some(true), "that there was none a moment ago says nothing now");
    }
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    folder.store(&table, |_| {}).init(data(TWO)).expect("init works");
    fail(&table);
    assert_eq!(folder.store(&table, |_| {}).initialized(), Ok(true), "who writes it says so too");
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn what_could_not_be_written_stands_in_for_the_whole_host() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    let writer = folder.store(&table, |options| options.keep_told = true);
    writer.init(data(TWO)).expect("init works");
    fail(&table);
    writer.upsert("features", &item("a", 9, "{}")).expect_err("it is away");
    let other = folder.store(&table, |_| {});
    assert_eq!(read(&other, "a"), (9, true));
    assert_eq!(other.all("features").expect("covered").rows[0].version, 9);
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn an_upsert_that_met_something_newer_gives_that_to_the_whole_host() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    let writer = folder.store(&table, |_| {});
    writer.init(data(TWO)).expect("init works");
    table.insert("p:features", "a", Some("7"), Some("{}"));
    writer.upsert("features", &item("a", 3, "{}")).expect("refused");
    table.forget_requests();
    assert_eq!(read(&folder.store(&table, |_| {}), "a"), (7, false));
    assert!(table.requests().is_empty(), "{:?}", table.requests());
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn in_an_outage_an_event_loop_reads_no_file_and_whoever_may_wait_gets_the_newest() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    let reader = folder.store(&table, |options| options.cache.ttl = Some(Duration::from_millis(1)));
    folder.store(&table, |_| {}).init(data(TWO)).expect("init works");
    assert_eq!(read(&reader, "a").0, 1);
    fail(&table);
    expire();
    assert_eq!(read(&reader, "a"), (1, true));
    let writer = folder.store(&table, |options| options.keep_told = true);
    writer.upsert("features", &item("a", 9, "{}")).expect_err("it is away");
    assert_eq!(reader.cached("features", "a"), None, "a file may have something newer, and does");
    assert_eq!(read(&reader, "a"), (9, true));
    let (done, answer) = std::sync::mpsc::channel();
    reader.get_then("features", "a", |_| {}, move |found| done.send(found).expect("awaited")).expect("begun");
    let found = answer.recv().expect("answered").expect("covered").expect("there");
    assert_eq!((found.row.version, found.stale), (9, true));
    // From here on each look at a file is trouble, and is counted.
    std::fs::remove_dir_all(&folder.0).expect("removed");
    std::fs::write(&folder.0, "no directory").expect("written");
    let before = statistic(&reader, "host_trouble");
    assert_eq!((reader.cached("features", "a"), reader.cached_list("features")), (None, None));
    let begun = (reader.calls().get("features", "a"), reader.calls().all("features"));
    assert_eq!(statistic(&reader, "host_trouble"), before, "a file was looked at");
    drop(begun);
    assert!(read(&reader, "a").1);
    assert!(statistic(&reader, "host_trouble") > before, "or there is no way to tell");
    std::fs::remove_file(&folder.0).expect("removed");
}

#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no files")]
fn trouble_with_the_files_is_told_once_and_fails_nothing() {
    let (table, folder) = (Arc::new(MemoryTable::default()), Folder::new());
    std::fs::write(&folder.0, "no directory").expect("written");
    let store = folder.store(&table, |_| {});
    store.init(data(TWO)).expect("init works");
    assert_eq!(read(&store, "a"), (1, false));
    let told = events(&store).iter().filter(|event| event.contains("cache directory")).count();
    assert_eq!((told, statistic(&store, "host_trouble")), (1, 1));
    std::fs::remove_file(&folder.0).expect("removed");
}
