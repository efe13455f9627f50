//! What the store was told: the items that `init` and `upsert` were given, whatever became of writing them.
//!
//! While DynamoDB cannot be asked they stand in, each by its version; what could not be written is written when the
//! table is back. Payloads are shared with the rows that were handed to the table: nothing is kept twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use crate::model::data_set::Collection;
use crate::model::row::{NewRow, Row};
use crate::runtime::lock;

/// What was told, and what of it is not in the table yet.
#[derive(Debug, Default)]
pub struct Told(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kinds: HashMap<Box<str>, Kind>,
    unwritten: Unwritten,
    /// Grows with each failure, so that what fails while something else is written again is not taken for written.
    failures: u64,
}

#[derive(Debug, Default)]
struct Kind {
    rows: HashMap<Box<str>, NewRow>,
    /// Whether an init said that there is nothing else.
    whole: bool,
}

/// What the table lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Unwritten {
    /// Nothing.
    #[default]
    Nothing,
    /// Single items, by kind and key.
    Items(BTreeSet<(Box<str>, Box<str>)>),
    /// A data set, and with it everything that came after it.
    DataSet,
}

/// What is to be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The work itself.
    pub what: What,
    failures: u64,
}

/// The work of writing again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Items, each with its kind: segments first, since flags need them.
    Items(Vec<(String, NewRow)>),
    /// The data set as it stands now: what an init was given, with what was upserted since.
    DataSet(Vec<Collection>),
}

impl Told {
    /// An init was given these collections: of their kinds there is nothing else.
    pub fn init(&self, data: &[Collection]) {
        let mut inner = lock(&self.0);
        for collection in data {
            let rows = collection.rows.iter().map(|row| (row.key.clone(), row.clone())).collect();
            inner.kinds.insert(collection.kind.as_str().into(), Kind { rows, whole: true });
        }
    }

    /// An upsert was given a row; the newer one counts.
    pub fn upsert(&self, kind: &str, row: &NewRow) {
        let mut inner = lock(&self.0);
        let rows = &mut inner.kinds.entry(kind.into()).or_default().rows;
        if rows.get(&row.key).is_none_or(|there| there.version < row.version) {
            rows.insert(row.key.clone(), row.clone());
        }
    }

    /// What a row was said to be.
    pub fn row(&self, kind: &str, key: &str) -> Option<Row> {
        Some(lock(&self.0).kinds.get(kind)?.rows.get(key)?.as_read())
    }

    /// Everything that a kind was said to hold; `None` unless an init said that it was everything.
    pub fn list(&self, kind: &str) -> Option<Vec<Row>> {
        let inner = lock(&self.0);
        let kind = inner.kinds.get(kind).filter(|kind| kind.whole)?;
        let mut rows: Vec<Row> = kind.rows.values().map(NewRow::as_read).collect();
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        Some(rows)
    }

    /// An init did not get through.
    pub fn init_failed(&self) {
        let mut inner = lock(&self.0);
        inner.failures += 1;
        inner.unwritten = Unwritten::DataSet;
    }

    /// An init got through, and everything that was told before it is in the table.
    pub fn initialised(&self) {
        lock(&self.0).unwritten = Unwritten::Nothing;
    }

    /// An upsert did not get through.
    pub fn upsert_failed(&self, kind: &str, key: &str) {
        let mut inner = lock(&self.0);
        inner.failures += 1;
        match &mut inner.unwritten {
            Unwritten::Nothing => inner.unwritten = Unwritten::Items([(kind.into(), key.into())].into()),
            Unwritten::Items(items) => _ = items.insert((kind.into(), key.into())),
            Unwritten::DataSet => {}
        }
    }

    /// An upsert got through, or met something newer.
    pub fn upserted(&self, kind: &str, key: &str) {
        let mut inner = lock(&self.0);
        let Unwritten::Items(items) = &mut inner.unwritten else { return };
        items.remove(&(kind.into(), key.into()));
        if items.is_empty() {
            inner.unwritten = Unwritten::Nothing;
        }
    }

    /// How many items the table lacks, at least; of a data set all.
    pub fn unwritten(&self) -> usize {
        let inner = lock(&self.0);
        match &inner.unwritten {
            Unwritten::Nothing => 0,
            Unwritten::Items(items) => items.len(),
            Unwritten::DataSet => inner.kinds.values().map(|kind| kind.rows.len()).sum(),
        }
    }

    /// What is to be written again, if anything.
    pub fn again(&self) -> Option<Again> {
        let inner = lock(&self.0);
        let what = match &inner.unwritten {
            Unwritten::Nothing => return None,
            Unwritten::Items(items) => {
                let mut rows: Vec<(String, NewRow)> = items
                    .iter()
                    .filter_map(|(kind, key)| Some((kind.to_string(), inner.kinds.get(kind)?.rows.get(key)?.clone())))
                    .collect();
                // "features" is before "segments" by name, and needs them.
                rows.sort_by(|(a, _), (b, _)| b.cmp(a));
                What::Items(rows)
            }
            Unwritten::DataSet => What::DataSet(inner.collections()),
        };
        Some(Again { what, failures: inner.failures })
    }

    /// It was written; unless something failed meanwhile, the table lacks nothing any more. Returns whether that is so.
    pub fn wrote(&self, again: &Again) -> bool {
        let mut inner = lock(&self.0);
        let all = inner.failures == again.failures;
        if all {
            inner.unwritten = Unwritten::Nothing;
        }
        all
    }
}

impl Inner {
    /// The whole kinds, as an init takes them, tombstones too. Items of kinds that no init named are not among them.
    fn collections(&self) -> Vec<Collection> {
        let whole = self.kinds.iter().filter(|(_, kind)| kind.whole);
        let mut collections: Vec<Collection> = whole
            .map(|(name, kind)| Collection { kind: name.to_string(), rows: kind.rows.values().cloned().collect() })
            .collect();
        collections.sort_by(|a, b| a.kind.cmp(&b.kind));
        collections
    }
}

/// The newest of what can stand in.
pub fn newest(candidates: impl IntoIterator<Item = Option<Arc<Row>>>) -> Option<Arc<Row>> {
    candidates.into_iter().flatten().max_by_key(|row| row.version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Payload;

    fn row(key: &str, version: i64) -> NewRow {
        NewRow { key: key.into(), version, item: format!("{{\"v\":{version}}}").into(), deleted: false }
    }

    fn gone(key: &str, version: i64) -> NewRow {
        NewRow { deleted: true, ..row(key, version) }
    }

    fn features(rows: Vec<NewRow>) -> Vec<Collection> {
        vec![Collection { kind: "features".into(), rows }]
    }

    fn versions(told: &Told) -> Option<Vec<(String, i64, bool)>> {
        let rows = told.list("features")?;
        Some(rows.into_iter().map(|row| (row.key.to_string(), row.version, row.deleted())).collect())
    }

    #[test]
    fn the_newest_that_was_told_of_an_item_counts_until_an_init_says_what_there_is() {
        let told = Told::default();
        assert_eq!((told.row("features", "a"), versions(&told)), (None, None));
        told.upsert("features", &row("a", 3));
        told.upsert("features", &row("a", 2));
        assert_eq!(told.row("features", "a").map(|row| row.version), Some(3));
        assert_eq!(versions(&told), None, "nobody said that this is everything");
        told.init(&features(vec![row("b", 1), row("a", 1)]));
        told.upsert("features", &gone("b", 2));
        assert_eq!(versions(&told), Some(vec![("a".into(), 1, false), ("b".into(), 2, true)]));
        assert_eq!(told.row("segments", "a"), None);
    }

    #[test]
    fn payloads_are_shared_with_what_was_given() {
        let (told, given) = (Told::default(), row("a", 1));
        told.upsert("features", &given);
        let Some(Payload::Live(kept)) = told.row("features", "a").map(|row| row.payload) else { panic!("it is live") };
        assert!(Arc::ptr_eq(&kept, &given.item));
    }

    #[test]
    fn items_that_were_not_written_are_written_again_segments_first() {
        let told = Told::default();
        assert_eq!(told.again(), None);
        for (kind, row) in [("features", row("f", 2)), ("segments", row("s", 1)), ("features", row("fine", 1))] {
            told.upsert(kind, &row);
        }
        told.upsert_failed("features", "f");
        told.upsert_failed("segments", "s");
        told.upsert_failed("features", "fine");
        told.upserted("features", "fine");
        assert_eq!(told.unwritten(), 2);
        let again = told.again().expect("something to do");
        let wanted = vec![("segments".into(), row("s", 1)), ("features".into(), row("f", 2))];
        assert_eq!(again.what, What::Items(wanted));
        assert!(told.wrote(&again));
        assert_eq!((told.again(), told.unwritten()), (None, 0));
    }

    #[test]
    fn a_data_set_that_was_not_written_is_written_again_with_what_came_since() {
        let told = Told::default();
        told.init(&features(vec![row("a", 1)]));
        told.init_failed();
        told.upsert("features", &row("a", 2));
        told.upsert_failed("features", "a");
        told.upserted("features", "a");
        let again = told.again().expect("something to do");
        assert_eq!(again.what, What::DataSet(features(vec![row("a", 2)])));
        told.initialised();
        assert_eq!(told.again(), None);
    }

    #[test]
    fn what_fails_while_something_is_written_again_is_not_taken_for_written() {
        let told = Told::default();
        told.upsert("features", &row("a", 1));
        told.upsert_failed("features", "a");
        let again = told.again().expect("something to do");
        told.upsert("features", &row("b", 1));
        told.upsert_failed("features", "b");
        assert!(!told.wrote(&again));
        assert_eq!(told.unwritten(), 2);
        assert!(told.wrote(&told.again().expect("something to do")));
        assert_eq!(told.unwritten(), 0);
    }

    #[test]
    fn the_newest_stands_in() {
        let of = |version| Some(Arc::new(row("a", version).as_read()));
        assert_eq!(newest([of(2), None, of(3), of(1)]).map(|row| row.version), Some(3));
        assert_eq!(newest([None, None]), None);
    }
}
