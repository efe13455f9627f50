//! What the store was told: the items that `init` and `upsert` were given, whatever became of writing them.
//!
//! While DynamoDB cannot be asked they stand in, each by its version; what could not be written is written when the
//! table is back. Payloads are shared with the rows that were handed to the table: nothing is kept twice. An item that was
//! told has no bound of age: whoever is told of items is told when they change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, TryLockError};

use crate::model::data_set::Collection;
use crate::model::row::{NewRow, Payload, Row};
use crate::runtime::lock;

use super::read_through::moment::Moment;

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

    /// What a row was said to be, and when; that there is none, if an init said so.
    pub fn row(&self, kind: &str, key: &str) -> Option<(Option<Row>, Moment)> {
        let inner = lock(&self.0);
        let kind = inner.kinds.get(kind)?;
        match kind.rows.get(key) {
            Some(row) => Some((Some(row.as_read(key)), row.told)),
            None => kind.whole.map(|told| (None, told)),
        }
    }

    /// What a kind was said to hold, each row with when that was; and when an init said that it was everything.
    pub fn list(&self, kind: &str) -> Option<(Vec<ToldOf>, Option<Moment>)> {
        let inner = lock(&self.0);
        let kind = inner.kinds.get(kind)?;
        Some((kind.rows.iter().map(|(key, row)| (row.as_read(key), row.told)).collect(), kind.whole))
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

#[cfg(test)]
mod tests {
    use super::*;

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
        told.row("features", key)?.0.map(|row| row.version)
    }

    #[test]
    fn the_newest_that_was_told_of_an_item_counts_until_an_init_says_what_there_is() {
        let told = Told::default();
        assert_eq!(told.row("features", "a"), None);
        told.upsert("features", &row("a", 3), at(1));
        told.upsert("features", &row("a", 2), at(2));
        assert_eq!(told.row("features", "a"), Some((Some(row("a", 3).as_read()), at(1))));
        assert_eq!(told.list("features").expect("told").1, None, "nobody said that this is everything");
        told.init(&features(vec![row("b", 1), row("a", 1)]), at(3));
        told.upsert("features", &NewRow { deleted: true, ..row("b", 2) }, at(4));
        let (rows, whole) = told.list("features").expect("told");
        let rows: Vec<_> = rows.iter().map(|(row, told)| (&*row.key, row.version, row.deleted(), *told)).collect();
        assert_eq!((rows, whole), (vec![("a", 1, false, at(3)), ("b", 2, true, at(4))], Some(at(3))));
        assert_eq!(told.row("features", "none"), Some((None, at(3))));
        assert_eq!(told.row("segments", "a"), None);
    }

    #[test]
    fn payloads_are_shared_and_what_is_around_them_is_small() {
        let (told, given) = (Told::default(), row("a", 1));
        told.upsert("features", &given, at(1));
        let Some((Some(Row { payload: Payload::Live(kept), .. }), _)) = told.row("features", "a") else {
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
