//! The cache's bound, and what is stored over what.

use super::*;
use crate::model::options::Options;
use crate::model::row::Payload;

fn cache(change: impl FnOnce(&mut CacheOptions)) -> Cache {
    let mut options = Options::for_table("t").cache;
    options.ttl = None;
    change(&mut options);
    Cache::new(&options).expect("it is on")
}

fn row(key: &str, version: i64, bytes: usize) -> Arc<Row> {
    Arc::new(Row { key: key.into(), version, payload: Payload::Live("x".repeat(bytes).into()) })
}

fn list(rows: usize, bytes: usize) -> Rows {
    Arc::new((0..rows).map(|number| Row::clone(&row(&format!("{number:04}"), 1, bytes))).collect())
}

fn keep(cache: &Cache, row: &Arc<Row>) {
    cache.keep_row(cache.row_mark("k", &row.key), "k", &row.key, Some(Arc::clone(row)), Duration::ZERO);
}

fn keep_all(cache: &Cache, kind: &str, rows: Rows) -> Rows {
    cache.keep_list(cache.list_mark(kind), kind, rows, Duration::ZERO)
}

fn version(cache: &Cache, key: &str) -> Option<i64> {
    cache.row("k", key, &Breaker::new()).and_then(|look| look.value).map(|row| row.version)
}

#[test]
#[cfg_attr(miri, ignore = "megabytes take minutes there")]
fn no_row_that_dynamodb_holds_is_too_large_whatever_the_lists_hold() {
    for max_bytes in [2 * LARGEST, 1_000_000, 2_000_000, 4_000_000, 64 << 20] {
        let cache = cache(|options| options.max_bytes = max_bytes);
        let lists = Room::of(max_bytes).lists;
        // Lists take all that they may.
        if let Some(most) = lists.checked_sub(1_000) {
            keep_all(&cache, "k", list(1, usize::try_from(most).expect("fits")));
        }
        for number in 0..20 {
            keep(&cache, &row(&format!("big{number}"), 1, MAX_ROW_BYTES));
            assert_eq!(version(&cache, &format!("big{number}")), Some(1), "number {number} of {max_bytes}");
        }
        assert!(cache.bytes() <= max_bytes, "{} of {max_bytes}", cache.bytes());
        assert_eq!(cache.uncached(), 0);
    }
}

#[test]
fn the_bound_is_shared_out_so_that_each_part_holds_several_of_the_largest_rows() {
    for (max_bytes, lists, shards) in [
        (1, 0, 1),
        (400_000, 0, 1),
        (1_000_000, 1_000_000 - 2 * LARGEST, 1),
        (8_000_000, 6_000_000, 1),
        (64 << 20, 48 << 20, 8),
        (1 << 30, 3 << 28, 64),
        (i64::MAX as u64, (i64::MAX as u64) - (i64::MAX as u64) / 4, 64),
    ] {
        assert_eq!(Room::of(max_bytes), Room { lists, shards }, "{max_bytes}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes take minutes there")]
fn lists_are_inside_the_bound_and_the_oldest_makes_room() {
    let cache = cache(|options| options.max_bytes = 10_000_000);
    (0..50).for_each(|number| keep(&cache, &row(&format!("row{number}"), 1, 100_000)));
    assert!(cache.row_count() > 40, "the rows have all of it while there are no lists");
    for kind in ["a", "b", "c", "d"] {
        keep_all(&cache, kind, list(20, 100_000));
        assert!(cache.bytes() <= 10_000_000, "{}", cache.bytes());
    }
    assert_eq!(cache.list_count(), 3);
    let kept = |kind| cache.list(kind, &Breaker::new()).is_some();
    assert_eq!((kept("a"), kept("b"), kept("c"), kept("d")), (false, true, true, true));
    assert!(cache.row_count() > 0);
    cache.clear();
    assert_eq!((cache.bytes(), cache.row_count(), cache.list_count()), (0, 0, 0));
    (0..50).for_each(|number| keep(&cache, &row(&format!("row{number}"), 1, 100_000)));
    assert!(cache.row_count() > 40, "and have all of it again");
}

#[test]
#[cfg_attr(miri, ignore = "megabytes take minutes there")]
fn what_is_too_large_to_be_kept_is_counted() {
    let cache = cache(|options| options.max_bytes = 100_000);
    keep(&cache, &row("big", 1, 200_000));
    keep_all(&cache, "k", list(2, 100_000));
    assert_eq!((cache.row_count(), cache.list_count(), cache.uncached()), (0, 0, 2));
    keep(&cache, &row("small", 1, 10));
    assert_eq!((version(&cache, "big"), version(&cache, "small"), cache.uncached()), (None, Some(1), 2));
}

#[test]
fn a_payload_that_a_list_and_a_row_hold_is_held_once() {
    let shared = |left: &Row, right: &Row| match (&left.payload, &right.payload) {
        (Payload::Live(left), Payload::Live(right)) => Arc::ptr_eq(left, right),
        _ => false,
    };
    let row_of = |cache: &Cache| {
        let look = cache.row("k", "0001", &Breaker::new()).expect("it is kept");
        look.value.expect("it is there")
    };
    let list_first = cache(|_| {});
    let rows = keep_all(&list_first, "k", list(3, 10));
    keep(&list_first, &row("0001", 1, 10));
    assert!(shared(&row_of(&list_first), &rows[1]));

    let row_first = cache(|_| {});
    keep(&row_first, &row("0001", 1, 10));
    let rows = keep_all(&row_first, "k", list(3, 10));
    assert!(shared(&row_of(&row_first), &rows[1]) && !shared(&rows[0], &rows[1]));

    let another = cache(|_| {});
    keep_all(&another, "k", list(3, 10));
    keep(&another, &row("0001", 2, 10));
    assert_eq!(row_of(&another).version, 2, "what differs is not shared");
}

#[test]
fn a_read_that_began_before_a_write_of_its_row_is_not_stored_and_others_are() {
    let cache = cache(|_| {});
    let group = |key: &str| std::ptr::from_ref(&*cache.group(&PlaceRef { kind: "k", key }));
    let other = (0..).map(|number| number.to_string()).find(|key| group(key) != group("a")).expect("some other group");
    for write in [
        Box::new(|cache: &Cache| cache.doubt("k", "a")) as Box<dyn Fn(&Cache)>,
        Box::new(|cache| cache.wrote("k", &row("a", 2, 1))),
    ] {
        let (before, others, list_before) =
            (cache.row_mark("k", "a"), cache.row_mark("k", &other), cache.list_mark("k"));
        write(&cache);
        cache.keep_row(before, "k", "a", Some(row("a", 1, 1)), Duration::ZERO);
        assert_ne!(version(&cache, "a"), Some(1));
        cache.keep_row(others, "k", &other, Some(row(&other, 1, 1)), Duration::ZERO);
        assert_eq!(version(&cache, &other), Some(1));
        cache.keep_list(list_before, "k", list(1, 1), Duration::ZERO);
        assert_eq!(cache.list_count(), 0);
    }
    keep_all(&cache, "other", list(1, 1));
    assert_eq!(cache.list_count(), 1);
}

#[test]
fn of_two_writes_the_newer_one_stands_in_whichever_was_answered_last() {
    let cache = cache(|_| {});
    keep_all(&cache, "k", Arc::new(vec![Row::clone(&row("a", 1, 1)), Row::clone(&row("c", 1, 1))]));
    for version in [3, 2] {
        cache.wrote("k", &row("a", version, 1));
    }
    cache.wrote("k", &row("b", 1, 1));
    let now = Moment::now();
    let stands_in = cache.row_to_stand_in("k", "a", now).expect("it stands in").value;
    assert_eq!(stands_in.map(|row| row.version), Some(3));
    let rows = cache.list_to_stand_in("k", now).expect("it stands in").value;
    let versions: Vec<_> = rows.iter().map(|row| (&*row.key, row.version)).collect();
    assert_eq!(versions, [("a", 3), ("b", 1), ("c", 1)]);
}

#[test]
fn what_is_in_doubt_only_stands_in_until_it_is_read_again() {
    let cache = cache(|_| {});
    let verdict = || cache.row("k", "a", &Breaker::new()).map(|look| look.verdict);
    let list_verdict = || cache.list("k", &Breaker::new()).map(|look| look.verdict);
    for doubt in [
        Box::new(|cache: &Cache| cache.doubt("k", "a")) as Box<dyn Fn(&Cache)>,
        Box::new(Cache::doubt_all),
        Box::new(|cache| cache.wrote("k", &row("a", 2, 1))),
    ] {
        keep(&cache, &row("a", 1, 1));
        keep_all(&cache, "k", list(1, 1));
        assert_eq!(
            (verdict(), verdict(), list_verdict()),
            (Some(Verdict::Fresh), Some(Verdict::Fresh), Some(Verdict::Fresh))
        );
        doubt(&cache);
        assert_eq!((verdict(), list_verdict()), (Some(Verdict::WaitSoftly), Some(Verdict::WaitSoftly)));
    }
}
