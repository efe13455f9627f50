//! What the store was told: the items that `init` and `upsert` were given, whatever became of writing them.
//!
//! While DynamoDB cannot be asked they stand in, each by its version; what could not be written is written when the
//! table is back. What is read or met in the table, and newer, takes the place of what was told: nobody is served an older
//! item than this store has seen. Payloads are shared with the rows that were handed to the table, and those that come
//! from it with these: nothing is kept twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use crate::model::codec;
use crate::model::data_set::Collection;
use crate::model::row::{Item, NewRow, Payload, Row};
use crate::runtime::lock;

use super::read_through::moment::Moment;

/// What was told stands in for so long, or for `cache_stale_ms` where that is more.
const LASTS: Duration = Duration::from_hours(24);

/// How long what was told stands in. Its age says nothing about it: whoever is told of items is told when they change, and
/// some never do. So it is good for as long as DynamoDB answers, and its time begins where that ends, or when it is told
/// after that.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    lasts: Duration,
    away_since: Option<Moment>,
    now: Moment,
}

impl Bound {
    /// The bound now, for stores whose expired values stand in for so long.
    pub fn new(stale: Duration, away_since: Option<Moment>, now: Moment) -> Bound {
        Bound { lasts: stale.max(LASTS), away_since, now }
    }

    fn holds(&self, told: Moment) -> bool {
        let lasts_from = |from: Moment| !from.after(self.lasts).has_come(self.now);
        self.away_since.is_none_or(lasts_from) || lasts_from(told)
    }
}

/// What was told, and what of it is not in the table yet.
#[derive(Debug, Default)]
pub struct Told(Mutex<Inner>);

#[derive(Debug, Default, Clone)]
struct Inner {
    kinds: HashMap<Box<str>, Kind>,
    /// Items that did not get through. What is to be written of each is what was told of it last.
    items: BTreeSet<(Box<str>, Box<str>)>,
    /// The last of the inits that did not get through, by its number.
    data_set: Option<u64>,
    inits: u64,
}

#[derive(Debug, Default, Clone)]
struct Kind {
    rows: BTreeMap<Box<str>, ToldRow>,
    /// When an init said that there is nothing else.
    whole: Option<Moment>,
}

#[derive(Debug, Clone)]
struct ToldRow {
    version: i64,
    item: Arc<str>,
    deleted: bool,
    told: Moment,
}

impl ToldRow {
    fn new(row: &NewRow, told: Moment) -> ToldRow {
        ToldRow { version: row.version, item: Arc::clone(&row.item), deleted: row.deleted, told }
    }

    fn as_read(&self, key: &str) -> Row {
        let payload = if self.deleted { Payload::Tombstone } else { Payload::Live(Arc::clone(&self.item)) };
        Row { key: key.into(), version: self.version, payload }
    }

    fn to_write(&self, key: &str) -> NewRow {
        NewRow {
            key: key.into(),
            version: self.version,
            item: Arc::clone(&self.item),
            deleted: self.deleted,
            deflated: None,
        }
    }
}

/// A row, and when it was told.
pub type ToldOf = (Row, Moment);

/// What is to be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The data set as it stands now, what an init was given with what was upserted since, and the number of that init.
    pub data_set: Option<(u64, Vec<Collection>)>,
    /// Items, each with its kind: segments first, since flags need them.
    pub items: Vec<(String, NewRow)>,
}

impl Told {
    /// An init was given these collections: of their kinds there is nothing else. Only what could not be written yet and
    /// is newer stays. Returns the init's number.
    pub fn init(&self, data: &[Collection], now: Moment) -> u64 {
        let mut inner = lock(&self.0);
        let Inner { kinds, items, .. } = &mut *inner;
        for collection in data {
            let mut rows: BTreeMap<Box<str>, ToldRow> =
                collection.rows.iter().map(|row| (row.key.clone(), ToldRow::new(row, now))).collect();
            let kind = collection.kind.as_str();
            if let Some(before) = kinds.get(kind) {
                let unwritten = before.rows.iter().filter(|(key, _)| items.contains(&(kind.into(), (*key).clone())));
                for (key, kept) in unwritten {
                    rows.entry(key.clone()).and_modify(|row| {
                        if row.version < kept.version {
                            *row = kept.clone();
                        }
                    });
                }
            }
            kinds.insert(kind.into(), Kind { rows, whole: Some(now) });
        }
        items.retain(|(kind, key)| kinds.get(kind).is_some_and(|kind| kind.rows.contains_key(key)));
        inner.inits += 1;
        inner.inits
    }

    /// An upsert was given a row; the newer one counts.
    pub fn upsert(&self, kind: &str, row: &NewRow, now: Moment) {
        let mut inner = lock(&self.0);
        let rows = &mut inner.kinds.entry(kind.into()).or_default().rows;
        if rows.get(&row.key).is_none_or(|there| there.version < row.version) {
            rows.insert(row.key.clone(), ToldRow::new(row, now));
        }
    }

    /// A row of the table was seen. If it is newer than what was told, it takes its place, and there is nothing to write of
    /// that any more; so does a row that an init did not name. The same row shares its payload from here on.
    pub fn met(&self, kind: &str, row: &mut Row, now: Moment) {
        lock(&self.0).met(kind, row, now);
    }

    /// The rows of a kind were seen.
    pub fn met_all(&self, kind: &str, rows: &mut [Row], now: Moment) {
        let mut inner = lock(&self.0);
        rows.iter_mut().for_each(|row| inner.met(kind, row, now));
    }

    /// What a row was said to be, and when; that there is none, if an init said so.
    pub fn row(&self, kind: &str, key: &str, bound: Bound) -> Option<(Option<Row>, Moment)> {
        let inner = lock(&self.0);
        let kind = inner.kinds.get(kind)?;
        let (row, told) = match kind.rows.get(key) {
            Some(row) => (Some(row.as_read(key)), row.told),
            None => (None, kind.whole?),
        };
        bound.holds(told).then_some((row, told))
    }

    /// Whether an init said what there is, of any kind.
    pub fn has_data_set(&self, bound: Bound) -> bool {
        lock(&self.0).kinds.values().any(|kind| kind.whole.is_some_and(|told| bound.holds(told)))
    }

    /// What a kind was said to hold, each row with when that was; and when an init said that it was everything.
    pub fn list(&self, kind: &str, bound: Bound) -> Option<(Vec<ToldOf>, Option<Moment>)> {
        let inner = lock(&self.0);
        let kind = inner.kinds.get(kind)?;
        let rows = kind.rows.iter().filter(|(_, row)| bound.holds(row.told));
        Some((
            rows.map(|(key, row)| (row.as_read(key), row.told)).collect(),
            kind.whole.filter(|told| bound.holds(*told)),
        ))
    }

    /// An init did not get through.
    pub fn init_failed(&self, number: u64) {
        let mut inner = lock(&self.0);
        inner.data_set = inner.data_set.max(Some(number));
    }

    /// An init got through, or what was told up to it was written again.
    pub fn initialised(&self, number: u64) {
        let mut inner = lock(&self.0);
        if inner.data_set.is_some_and(|failed| failed <= number) {
            inner.data_set = None;
        }
    }

    /// An upsert did not get through.
    pub fn upsert_failed(&self, kind: &str, key: &str) {
        lock(&self.0).items.insert((kind.into(), key.into()));
    }

    /// A version of an item got through, or met something newer. What was told since is still to be written.
    pub fn written(&self, kind: &str, key: &str, version: i64) {
        let mut inner = lock(&self.0);
        if inner.items.is_empty() {
            return;
        }
        let told = inner.kinds.get(kind).and_then(|kind| kind.rows.get(key));
        if told.is_none_or(|told| told.version <= version) {
            inner.items.remove(&(kind.into(), key.into()));
        }
    }

    /// How many items the table lacks, at most; of a data set all.
    pub fn unwritten(&self) -> usize {
        let inner = lock(&self.0);
        match inner.data_set {
            Some(_) => inner.kinds.values().map(|kind| kind.rows.len()).sum::<usize>().max(1),
            None => inner.items.len(),
        }
    }

    /// What is to be written again, if anything.
    pub fn again(&self) -> Option<Again> {
        let inner = lock(&self.0);
        let data_set = inner.data_set.map(|_| (inner.inits, inner.collections()));
        let mut items: Vec<(String, NewRow)> = inner
            .items
            .iter()
            .filter_map(|(kind, key)| Some((kind, key, inner.kinds.get(kind)?)))
            // The data set has those of its kinds.
            .filter(|(_, _, kind)| data_set.is_none() || kind.whole.is_none())
            .filter_map(|(kind, key, told)| Some((kind.to_string(), told.rows.get(key)?.to_write(key))))
            .collect();
        // "features" is before "segments" by name, and needs them.
        items.sort_by(|(a, _), (b, _)| b.cmp(a));
        (data_set.is_some() || !items.is_empty()).then_some(Again { data_set, items })
    }

    /// Takes along what another store was told, which is of the same process, or else of its parent: then what was not
    /// written is the parent's to write. The lock may be held by a thread that does not exist here; then nothing is known.
    pub fn inherit(&self, other: &Told, same_process: bool) {
        let mut inner = match other.0.try_lock() {
            Ok(inner) => inner.clone(),
            Err(TryLockError::Poisoned(inner)) => inner.into_inner().clone(),
            Err(TryLockError::WouldBlock) => return,
        };
        if !same_process {
            inner.items.clear();
            inner.data_set = None;
        }
        *lock(&self.0) = inner;
    }
}

impl Inner {
    fn met(&mut self, kind: &str, row: &mut Row, now: Moment) {
        let Some(told) = self.kinds.get_mut(kind) else { return };
        match told.rows.get(&row.key) {
            Some(there) if there.version > row.version => return,
            Some(there) if there.version == row.version => {
                if let Payload::Live(item) = &mut row.payload
                    && *item == there.item
                {
                    *item = Arc::clone(&there.item);
                }
                return;
            }
            None if told.whole.is_none() => return,
            _ => {}
        }
        let Some(new) = as_told(kind, row) else { return };
        told.rows.insert(row.key.clone(), ToldRow::new(&new, now));
        if !self.items.is_empty() {
            self.items.remove(&(kind.into(), row.key.clone()));
        }
    }

    /// The whole kinds, as an init takes them, tombstones too. Items of kinds that no init named are not among them.
    fn collections(&self) -> Vec<Collection> {
        let whole = self.kinds.iter().filter(|(_, kind)| kind.whole.is_some());
        let mut collections: Vec<Collection> = whole
            .map(|(name, kind)| Collection {
                kind: name.to_string(),
                rows: kind.rows.iter().map(|(key, row)| row.to_write(key)).collect(),
                empty_keys: 0,
            })
            .collect();
        collections.sort_by(|a, b| a.kind.cmp(&b.kind));
        collections
    }
}

/// A row of the table in the form in which it would be written. There is none for what no writer writes.
fn as_told(kind: &str, row: &Row) -> Option<NewRow> {
    match &row.payload {
        Payload::Live(item) => {
            // What does not fit is deflated when it is written, as what the caller gives.
            let (key, item) = (row.key.clone(), Arc::clone(item));
            Some(NewRow { key, version: row.version, item, deleted: false, deflated: None })
        }
        Payload::Tombstone => {
            let item = Item { key: row.key.to_string(), version: row.version, deleted: true, item: None };
            codec::new_row(kind, &item).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While DynamoDB answers.
    fn answering() -> Bound {
        Bound::new(Duration::ZERO, None, at(0))
    }

    fn row(key: &str, version: i64) -> NewRow {
        NewRow { key: key.into(), version, item: format!("{{\"v\":{version}}}").into(), deleted: false, deflated: None }
    }

    fn features(rows: Vec<NewRow>) -> Vec<Collection> {
        vec![Collection { kind: "features".into(), rows, empty_keys: 0 }]
    }

    fn at(time: u64) -> Moment {
        Moment::at(time, time)
    }

    fn version(told: &Told, key: &str) -> Option<i64> {
        told.row("features", key, answering())?.0.map(|row| row.version)
    }

    #[test]
    fn the_newest_that_was_told_of_an_item_counts_until_an_init_says_what_there_is() {
        let told = Told::default();
        assert_eq!(told.row("features", "a", answering()), None);
        told.upsert("features", &row("a", 3), at(1));
        told.upsert("features", &row("a", 2), at(2));
        assert_eq!(told.row("features", "a", answering()), Some((Some(row("a", 3).as_read()), at(1))));
        assert_eq!(told.list("features", answering()).expect("told").1, None, "nobody said that this is everything");
        told.init(&features(vec![row("b", 1), row("a", 1)]), at(3));
        told.upsert("features", &NewRow { deleted: true, ..row("b", 2) }, at(4));
        let (rows, whole) = told.list("features", answering()).expect("told");
        let rows: Vec<_> = rows.iter().map(|(row, told)| (&*row.key, row.version, row.deleted(), *told)).collect();
        assert_eq!((rows, whole), (vec![("a", 1, false, at(3)), ("b", 2, true, at(4))], Some(at(3))));
        assert_eq!(told.row("features", "none", answering()), Some((None, at(3))));
        assert_eq!(told.row("segments", "a", answering()), None);
    }

    #[test]
    fn what_was_told_stands_in_for_a_day_of_an_outage_or_longer_where_expired_values_do() {
        let hours = |hours: u64| at(hours * 3_600_000);
        let short = Duration::from_mins(5);
        let long = Duration::from_hours(48);
        //   told at, away since, now, expired values stand in for, so does it
        for (told, away, now, stale, wanted) in [
            (0, None, 9_000, short, true),
            (0, Some(9_000), 9_000, short, true),
            (0, Some(9_000), 9_023, short, true),
            (0, Some(9_000), 9_024, short, false),
            (9_010, Some(9_000), 9_033, short, true),
            (9_010, Some(9_000), 9_034, short, false),
            (0, Some(9_000), 9_047, long, true),
            (0, Some(9_000), 9_048, long, false),
        ] {
            let store = Told::default();
            store.init(&features(vec![row("a", 1)]), hours(told));
            let bound = Bound::new(stale, away.map(hours), hours(now));
            let case = format!("told at {told} h, away since {away:?}, now {now}");
            assert_eq!(store.row("features", "a", bound).is_some(), wanted, "{case}");
            assert_eq!(store.row("features", "none", bound).is_some(), wanted, "{case}: that there is none");
            let (rows, whole) = store.list("features", bound).expect("told");
            assert_eq!((rows.len() == 1, whole.is_some()), (wanted, wanted), "{case}: the list");
        }
    }

    #[test]
    fn of_a_list_that_is_too_old_what_was_told_since_still_stands_in() {
        let hours = |hours: u64| at(hours * 3_600_000);
        let told = Told::default();
        told.init(&features(vec![row("a", 1), row("b", 1)]), hours(0));
        told.upsert("features", &row("b", 2), hours(20));
        let (rows, whole) = told.list("features", Bound::new(Duration::ZERO, Some(hours(1)), hours(30))).expect("told");
        assert_eq!((rows.len(), rows[0].0.version, whole), (1, 2, None));
    }

    #[test]
    fn what_is_newer_in_the_table_takes_the_place_of_what_was_told() {
        let told = Told::default();
        told.init(&features(vec![row("a", 2), row("b", 2), row("c", 2)]), at(1));
        told.upsert("features", &row("b", 3), at(1));
        for key in ["a", "b"] {
            told.upsert_failed("features", key);
        }
        let tombstone = Row { payload: Payload::Tombstone, ..row("c", 9).as_read() };
        for (mut met, wanted) in [
            (row("a", 1).as_read(), Some(2)),
            (row("a", 5).as_read(), Some(5)),
            (row("b", 2).as_read(), Some(3)),
            (tombstone, Some(9)),
            (row("unnamed", 1).as_read(), Some(1)),
        ] {
            told.met("features", &mut met, at(2));
            assert_eq!(version(&told, &met.key), wanted, "{met:?}");
        }
        let again = told.again().expect("something to do");
        assert_eq!(again.items, [("features".to_owned(), row("b", 3))], "what was met newer is not to be written");
        let (rows, _) = told.list("features", answering()).expect("told");
        assert!(rows.iter().any(|(row, _)| *row.key == *"c" && row.deleted()));
        told.met("things", &mut row("a", 1).as_read(), at(2));
        assert_eq!(told.row("things", "a", answering()), None, "nobody told of that kind");
        told.upsert("things", &row("t", 1), at(2));
        told.met("things", &mut row("a", 1).as_read(), at(2));
        assert_eq!(told.row("things", "a", answering()), None, "nobody said what all there is of that kind");
    }

    #[test]
    fn a_row_that_is_read_as_it_was_told_shares_its_payload() {
        let (told, given) = (Told::default(), row("a", 1));
        told.upsert("features", &given, at(1));
        let mut rows = [row("a", 1).as_read()];
        told.met_all("features", &mut rows, at(2));
        let [Row { payload: Payload::Live(read), .. }] = &rows else { panic!("it is live") };
        assert!(Arc::ptr_eq(read, &given.item));
    }

    #[test]
    fn payloads_are_shared_and_what_is_around_them_is_small() {
        let (told, given) = (Told::default(), row("a", 1));
        told.upsert("features", &given, at(1));
        let Some((Some(Row { payload: Payload::Live(kept), .. }), _)) = told.row("features", "a", answering()) else {
            panic!("it is live")
        };
        assert!(Arc::ptr_eq(&kept, &given.item));
        // With its key and its share of the tree, which is never less than half full, at most a tenth of a flag of 2 kB.
        assert!(2 * (size_of::<ToldRow>() + size_of::<Box<str>>()) + 40 <= 200);
    }

    #[test]
    fn items_that_were_not_written_are_written_again_segments_first() {
        let told = Told::default();
        assert_eq!(told.again(), None);
        for (kind, row) in [("features", row("f", 2)), ("segments", row("s", 1)), ("features", row("fine", 1))] {
            told.upsert(kind, &row, at(1));
            told.upsert_failed(kind, &row.key);
        }
        told.written("features", "fine", 1);
        assert_eq!(told.unwritten(), 2);
        let again = told.again().expect("something to do");
        let wanted = vec![("segments".to_owned(), row("s", 1)), ("features".to_owned(), row("f", 2))];
        assert_eq!(again, Again { data_set: None, items: wanted });
        told.written("segments", "s", 1);
        told.written("features", "f", 2);
        assert_eq!((told.again(), told.unwritten()), (None, 0));
    }

    #[test]
    fn an_older_version_that_got_through_late_leaves_the_newer_one_to_be_written() {
        let told = Told::default();
        told.upsert("features", &row("a", 1), at(1));
        told.upsert("features", &row("a", 2), at(2));
        told.upsert_failed("features", "a");
        told.written("features", "a", 1);
        assert_eq!(told.again().expect("something to do").items, [("features".to_owned(), row("a", 2))]);
    }

    #[test]
    fn a_data_set_that_was_not_written_is_written_again_with_what_came_since() {
        let told = Told::default();
        let first = told.init(&features(vec![row("a", 1)]), at(1));
        told.init_failed(first);
        told.upsert("features", &row("a", 2), at(2));
        told.upsert_failed("features", "a");
        told.upsert("things", &row("t", 1), at(2));
        told.upsert_failed("things", "t");
        let again = told.again().expect("something to do");
        assert_eq!(again.data_set, Some((first, features(vec![row("a", 2)]))));
        assert_eq!(again.items, [("things".to_owned(), row("t", 1))]);
        told.initialised(first);
        told.written("features", "a", 2);
        told.written("things", "t", 1);
        assert_eq!(told.again(), None);
    }

    #[test]
    fn what_fails_while_something_is_written_again_is_not_taken_for_written() {
        let told = Told::default();
        let first = told.init(&features(vec![row("a", 1)]), at(1));
        told.init_failed(first);
        let second = told.init(&features(vec![row("a", 2)]), at(2));
        told.init_failed(second);
        told.initialised(first);
        assert!(told.again().is_some(), "the second one is still to be written");
        told.upsert("features", &row("b", 1), at(3));
        told.upsert_failed("features", "b");
        told.initialised(second);
        assert_eq!(told.again().expect("something to do").items.len(), 1);
    }

    #[test]
    fn an_init_takes_nothing_newer_away_that_could_not_be_written() {
        let told = Told::default();
        told.upsert("features", &row("a", 5), at(1));
        told.upsert_failed("features", "a");
        told.init(&features(vec![row("a", 4), row("b", 1)]), at(2));
        assert_eq!((version(&told, "a"), version(&told, "b")), (Some(5), Some(1)));
        told.written("features", "a", 4);
        assert_eq!(told.unwritten(), 1);
    }

    #[test]
    fn a_forked_child_knows_what_its_parent_was_told_and_leaves_the_writing_to_it() {
        let parent = Told::default();
        parent.upsert("features", &row("a", 5), at(1));
        parent.upsert_failed("features", "a");
        for (same_process, unwritten) in [(false, 0), (true, 1)] {
            let heir = Told::default();
            heir.inherit(&parent, same_process);
            assert_eq!((version(&heir, "a"), heir.unwritten()), (Some(5), unwritten));
        }
        let held = lock(&parent.0);
        let heir = Told::default();
        heir.inherit(&parent, false);
        assert_eq!(version(&heir, "a"), None, "the lock is held by nobody that there is");
        drop(held);
    }
}
