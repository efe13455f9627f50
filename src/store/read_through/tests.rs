//! What a read does when DynamoDB is silent, fails, or is behind, on a table in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::dynamo::memory::MemoryTable;
use crate::model::options::Options;
use crate::model::{Code, Error};
use crate::store::tests::{events, item, statistic, store_with};
use crate::store::{Found, Store, Upserted};

/// Longer than any of these tests takes, and much shorter than a deadline there.
const SOON: Duration = Duration::from_secs(20);

fn table_of(keys: usize) -> Arc<MemoryTable> {
    let table = Arc::new(MemoryTable::default());
    for number in 0..keys {
        table.insert("p:features", &format!("flag{number}"), Some("1"), Some("{\"version\":1}"));
    }
    table
}

/// A store whose cached values expire at once and stand in for long.
fn expiring(table: &Arc<MemoryTable>, change: impl FnOnce(&mut Options)) -> Arc<Store> {
    store_with(table, |options| {
        options.cache.ttl = Some(Duration::from_millis(1));
        options.cache.soft_wait = Duration::from_millis(300);
        options.all_timeout = Duration::from_secs(600);
        change(options);
    })
}

fn read(store: &Arc<Store>, key: &str) -> Found {
    store.get("features", key).expect("readable").expect("there")
}

/// Repeats a look until it gives something.
pub(super) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < SOON, "it never happened");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets what was cached just now expire, by clocks that go in ticks.
pub(super) fn expire() {
    std::thread::sleep(crate::runtime::WALL_TICK + Duration::from_millis(2));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn while_dynamodb_is_silent_many_expired_values_cost_one_soft_wait() {
    let table = table_of(20);
    let store = expiring(&table, |_| {});
    (0..20).for_each(|number| assert!(!read(&store, &format!("flag{number}")).stale));
    assert_eq!(store.all("features").expect("readable").rows.len(), 20);
    expire();
    table.forget_requests();
    table.fall_silent();
    let begun = Instant::now();
    (0..20).for_each(|number| assert!(read(&store, &format!("flag{number}")).stale));
    assert!(store.all("features").expect("covered").stale);
    assert!(begun.elapsed() < Duration::from_secs(3), "each of them waited");
    assert_eq!((statistic(&store, "stale"), statistic(&store, "served_while_away")), (21, 20));
    assert_eq!(statistic(&store, "away"), 1);
    assert!(table.requests().len() <= 2, "{:?}", table.requests());
    assert!(statistic(&store, "oldest_stale_ms") >= 1);
    assert_eq!(events(&store).iter().filter(|event| event.starts_with("DynamoDB does not answer")).count(), 1);
    table.speak();
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_request_that_kept_a_soft_wait_waiting_goes_on_and_its_answer_is_kept() {
    let table = table_of(1);
    let store = expiring(&table, |options| {
        options.cache.ttl = Some(Duration::from_secs(600));
    });
    assert_eq!(read(&store, "flag0").row.version, 1);
    drop(store.reading.writing("features", "flag0"));
    table.insert("p:features", "flag0", Some("2"), Some("{}"));
    table.fall_silent();
    let found = read(&store, "flag0");
    assert_eq!((found.row.version, found.stale), (1, true));
    table.speak();
    eventually(|| (statistic(&store, "away") == 0).then_some(()));
    let found = read(&store, "flag0");
    assert_eq!((found.row.version, found.stale), (2, false));
    assert_eq!(table.requests(), ["get p:features/flag0", "get p:features/flag0"]);
    assert_eq!(events(&store).last().map(String::as_str), Some("DynamoDB answers again for table \"flags\""));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn who_has_nothing_to_stand_in_any_more_when_the_soft_wait_is_over_waits_for_the_deadline() {
    let table = table_of(1);
    let store = expiring(&table, |options| options.cache.stale = Duration::from_millis(100));
    assert!(!read(&store, "flag0").stale);
    expire();
    table.fall_silent();
    let reader = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || store.get("features", "flag0"))
    };
    eventually(|| (table.requests().len() == 2).then_some(()));
    // Past the soft wait, which nobody can see who waits longer.
    std::thread::sleep(Duration::from_millis(500));
    table.speak();
    let found = reader.join().expect("no panic").expect("it waited");
    assert!(found.is_some_and(|found| !found.stale));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn what_is_forgotten_during_the_soft_wait_leaves_both_kinds_of_reads_their_deadline() {
    let table = table_of(1);
    let store = expiring(&table, |_| {});
    assert!(!read(&store, "flag0").stale);
    expire();
    table.fall_silent();
    let reader = {
        let store = Arc::clone(&store);
        std::thread::spawn(move || store.get("features", "flag0"))
    };
    let (sender, answers) = std::sync::mpsc::channel();
    store
        .get_then("features", "flag0", drop, move |found| sender.send(found).expect("the test waits"))
        .expect("it begins");
    eventually(|| (table.requests().len() == 2).then_some(()));
    store.clear_cache();
    // Past the soft wait and what is granted beyond it.
    std::thread::sleep(Duration::from_millis(700));
    table.speak();
    for found in [reader.join().expect("no panic"), answers.recv().expect("an answer")] {
        assert!(found.expect("it waited").is_some_and(|found| !found.stale));
    }
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn in_an_outage_one_read_at_a_time_asks_and_after_it_everything_is_fresh() {
    let table = table_of(5);
    let store = expiring(&table, |_| {});
    let keys: Vec<String> = (0..5).map(|number| format!("flag{number}")).collect();
    keys.iter().for_each(|key| assert!(!read(&store, key).stale));
    expire();
    table.forget_requests();
    table.before_each(|_| Err(Error::new(Code::Connection, "gone")));
    // One read finds out that it is away, and one probe that it still is.
    eventually(|| {
        assert!(keys.iter().all(|key| read(&store, key).stale));
        (table.requests().len() >= 2).then_some(())
    });
    assert!(table.requests().len() <= 3, "{:?}", table.requests());
    table.undisturbed();
    eventually(|| (!read(&store, "flag0").stale).then_some(()));
    keys.iter().for_each(|key| assert!(!read(&store, key).stale, "{key}"));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn any_failure_lets_an_older_value_stand_in_but_a_wrong_question() {
    for code in Code::ALL {
        let table = table_of(1);
        let store = expiring(&table, |_| {});
        assert!(!read(&store, "flag0").stale);
        assert!(!store.all("features").expect("readable").stale);
        expire();
        table.before_each(move |_| Err(Error::new(code, "planted")));
        let (row, list) = (store.get("features", "flag0"), store.all("features"));
        if code.older_may_stand_in() {
            assert!(row.expect("covered").expect("there").stale, "{code:?}");
            assert!(list.expect("covered").stale, "{code:?}");
            assert_eq!(table.requests().len(), 3, "{code:?}: the second read knew of the first one's failure");
        } else {
            assert_eq!((row.expect_err("wrong").code, list.expect_err("wrong").code), (code, code));
            assert_eq!(statistic(&store, "away"), 0, "{code:?} says nothing about DynamoDB");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn a_panic_in_a_read_is_one_failure_and_poisons_nothing() {
    let table = table_of(2);
    let store = expiring(&table, |_| {});
    assert!(!read(&store, "flag0").stale);
    expire();
    table.before_each(|_| panic!("planted"));
    assert_eq!(store.get("features", "flag1").expect_err("nothing stands in").code, Code::Panic);
    assert!(read(&store, "flag0").stale);
    table.undisturbed();
    assert!(!read(&store, "flag1").stale);
    assert!(!read(&store, "flag0").stale);
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn who_joined_a_read_that_ran_out_of_time_asks_anew_in_its_own() {
    let table = table_of(1);
    let store = expiring(&table, |options| options.timeout = Duration::from_millis(600));
    table.fall_silent();
    let (begins, begun) = channel();
    // The second request brings the table back.
    let (asked, back) = (AtomicBool::new(false), Arc::downgrade(&table));
    table.before_each(move |_| {
        if asked.swap(true, Ordering::Relaxed) {
            back.upgrade().expect("the table lives").speak();
        } else {
            begins.send(()).expect("awaited");
        }
        Ok(())
    });
    std::thread::scope(|scope| {
        let first = scope.spawn(|| store.get("features", "flag0"));
        begun.recv().expect("the first one asks");
        std::thread::sleep(Duration::from_millis(300));
        let joiner = scope.spawn(|| store.get("features", "flag0"));
        assert!(joiner.join().expect("no panic").expect("an answer").is_some());
        // The joiner's answer may have come in time to stand in for the first one's.
        let first = first.join().expect("no panic").map_err(|error| error.code);
        assert!(first == Err(Code::Timeout) || first.is_ok_and(|found| found.is_some_and(|found| found.stale)));
    });
    assert_eq!((table.requests().len(), statistic(&store, "coalesced")), (2, 1));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn with_a_soft_wait_of_zero_nobody_waits_who_has_something_and_it_is_fresh_soon() {
    let table = table_of(1);
    let store = expiring(&table, |options| {
        options.cache.soft_wait = Duration::ZERO;
        options.cache.ttl = Some(Duration::from_secs(600));
    });
    assert!(!read(&store, "flag0").stale);
    drop(store.reading.writing("features", "flag0"));
    table.insert("p:features", "flag0", Some("2"), Some("{}"));
    table.fall_silent();
    assert!(read(&store, "flag0").stale);
    assert!(read(&store, "flag0").stale, "also while it is being asked for");
    table.speak();
    let found = eventually(|| Some(read(&store, "flag0")).filter(|found| !found.stale));
    assert_eq!((found.row.version, table.requests().len()), (2, 2));
}

#[test]
#[cfg_attr(miri, ignore = "too little happens there in milliseconds")]
fn what_was_written_stands_in_and_what_could_not_be_written_takes_nothing_away() {
    let table = table_of(2);
    let store = expiring(&table, |_| {});
    assert_eq!(store.all("features").expect("readable").rows.len(), 2);
    assert_eq!(store.upsert("features", &item("flag0", 2, "{}")), Ok(Upserted::Written));
    assert_eq!(store.upsert("features", &item("flag9", 1, "{}")), Ok(Upserted::Written));
    assert!(!read(&store, "flag1").stale);
    table.before_each(|_| Err(Error::new(Code::Connection, "gone")));
    assert!(store.upsert("features", &item("flag1", 2, "{}")).is_err());
    for (key, version) in [("flag0", 2), ("flag1", 1), ("flag9", 1)] {
        let found = read(&store, key);
        assert_eq!((found.row.version, found.stale), (version, true), "{key}");
    }
    let list = store.all("features").expect("covered");
    let versions: Vec<_> = list.rows.iter().map(|row| (&*row.key, row.version)).collect();
    assert_eq!((versions, list.stale), (vec![("flag0", 2), ("flag1", 1), ("flag9", 1)], true));
    assert!(store.init(Vec::new()).is_err());
    assert!(read(&store, "flag0").stale, "a failed init takes nothing away either");
}

#[test]
fn no_replica_takes_back_what_this_store_wrote() {
    let forever = |options: &mut Options| options.cache.ttl = None;
    let uncached = |options: &mut Options| options.cache.ttl = Some(Duration::ZERO);
    for cache in [forever as fn(&mut Options), uncached] {
        let table = table_of(2);
        let store = store_with(&table, |options| {
            options.consistent_reads = false;
            cache(options);
        });
        assert_eq!(read(&store, "flag0").row.version, 1);
        assert_eq!(store.all("features").expect("readable").rows.len(), 2);
        table.fall_behind();
        assert_eq!(store.upsert("features", &item("flag0", 2, "{}")), Ok(Upserted::Written));
        assert_eq!(store.upsert("features", &item("new", 1, "{}")), Ok(Upserted::Written));
        table.forget_requests();
        assert_eq!(read(&store, "flag0").row.version, 2);
        assert_eq!(read(&store, "new").row.version, 1);
        assert_eq!(read(&store, "flag1").row.version, 1);
        let list = store.all("features").expect("readable");
        let versions: Vec<_> = list.rows.iter().map(|row| row.version).collect();
        assert_eq!(versions, [2, 1, 1]);
        let asked = [
            "get p:features/flag0, eventually consistent",
            "get p:features/flag0",
            "get p:features/new, eventually consistent",
            "get p:features/new",
            "get p:features/flag1, eventually consistent",
            "page p:features, eventually consistent",
            "page p:features",
        ];
        // What the cache forgot of this kind it asks for again; what it did not, it has.
        let expected: Vec<_> =
            asked.into_iter().filter(|asked| store.reading.cache.is_none() || !asked.contains("flag1")).collect();
        let requests: Vec<_> = table
            .requests()
            .into_iter()
            .filter(|asked| store.reading.cache.is_none() || !asked.contains("flag1"))
            .collect();
        assert_eq!(requests, expected);

        table.catch_up();
        table.forget_requests();
        store.clear_cache();
        assert_eq!(read(&store, "flag0").row.version, 2);
        assert_eq!(
            table.requests(),
            ["get p:features/flag0, eventually consistent"],
            "the replica is believed when it is right"
        );
    }
}

#[test]
fn after_an_init_no_replica_is_asked_for_its_kinds() {
    let table = table_of(1);
    let store = store_with(&table, |options| options.consistent_reads = false);
    table.fall_behind();
    let data = crate::model::data_set::from_json(r#"{"features":{"other":{"version":1}}}"#).expect("valid");
    store.init(data).expect("init works");
    assert_eq!(store.get("features", "flag0"), Ok(None), "a leftover that init removed");
    assert_eq!(store.all("features").expect("readable").rows.len(), 1);
}

#[test]
fn what_somebody_else_made_older_is_believed_once_it_was_read_consistently() {
    let table = table_of(0);
    let store = store_with(&table, |options| options.consistent_reads = false);
    assert_eq!(store.upsert("features", &item("flag", 5, "{}")), Ok(Upserted::Written));
    table.insert("p:features", "flag", Some("3"), Some("{}"));
    table.forget_requests();
    assert_eq!(read(&store, "flag").row.version, 3);
    assert_eq!(read(&store, "flag").row.version, 3);
    let replica = "get p:features/flag, eventually consistent";
    assert_eq!(table.requests(), [replica, "get p:features/flag", replica]);
}
