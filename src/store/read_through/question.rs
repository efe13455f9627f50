//! What can be asked: one row, or all rows of a kind.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ReadThrough;
use super::cache::{Cache, Mark, StandIn};
use super::flights::Flights;
use super::floors::Floors;
use super::moment::Moment;
use crate::dynamo::Effort;
use crate::model::Result;
use crate::model::options::Options;
use crate::model::row::Row;
use crate::store::attempt::Attempt;
use crate::store::host_cache::{HostCache, Kept, Stamp, Trouble};
use crate::store::told::Told;
use crate::store::{Rows, Store};

/// A question to DynamoDB whose answer is kept.
pub trait Question: Clone + Eq + Hash + Send + Sync + 'static {
    /// The answer.
    type Value: Clone + Send + Sync + 'static;

    /// What errors begin with.
    fn attempt(&self) -> Attempt<'_>;

    /// How long asking may take.
    fn time(&self, options: &Options) -> Duration;

    /// Asks.
    fn ask(
        &self,
        store: &Store,
        consistent: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Value>> + Send;

    /// The requests of this form that are on their way.
    fn flights(reading: &ReadThrough) -> &Flights<(Self, Mark), Self::Value>;

    /// Which writes have happened that change the answer.
    fn mark(&self, cache: &Cache) -> Mark;

    /// Keeps the answer, which is so old already, unless such a write has happened since. Returns it.
    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value, age: Duration) -> Self::Value;

    /// Shows the answer to what keeps what was told. Returns it.
    fn met(&self, told: &Told, value: Self::Value, now: Moment) -> Self::Value;

    /// The value that may stand in for the answer: the newest of what the cache, the host's files and what was told have.
    fn to_stand_in(&self, reading: &ReadThrough, now: Moment, sources: Sources) -> Option<StandIn<Self::Value>>;

    /// The kind, and the key if it is one row.
    fn place(&self) -> (&str, Option<&str>);

    /// What the host's files have.
    fn on_host(&self, host: &HostCache, now: &Stamp) -> std::result::Result<Option<Kept<Self::Value>>, Trouble>;

    /// Keeps the answer in the host's files.
    fn keep_on_host(&self, host: &HostCache, value: &Self::Value, as_of: Stamp) -> std::result::Result<(), Trouble>;

    /// Whether no replica is to be asked.
    fn consistently(&self, floors: &Floors, now: Moment) -> bool;

    /// Whether an answer is older than what this store wrote.
    fn is_below(&self, floors: &Floors, value: &Self::Value) -> bool;

    /// Believes a consistent answer that was asked for after so many writes.
    fn settle(&self, floors: &Floors, value: &Self::Value, writes: u64);
}

/// Where what stands in is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources {
    /// In memory only: no file is read.
    Memory,
    /// In the host's files too.
    All,
}

impl Sources {
    fn on_host<Q: Question>(self, reading: &ReadThrough, question: &Q) -> Option<StandIn<Q::Value>> {
        if self == Sources::Memory {
            return None;
        }
        let kept = reading.host.as_ref()?.look(question)?;
        Some(StandIn { value: kept.value, age: kept.age })
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OneRow {
    kind: Box<str>,
    key: Box<str>,
}

impl OneRow {
    /// The row of this key.
    pub fn new(kind: &str, key: &str) -> OneRow {
        OneRow { kind: kind.into(), key: key.into() }
    }
}

impl Question for OneRow {
    type Value = Option<Arc<Row>>;

    fn attempt(&self) -> Attempt<'_> {
        Attempt::Get { kind: &self.kind, key: &self.key }
    }

    fn time(&self, options: &Options) -> Duration {
        options.timeout
    }

    fn ask(
        &self,
        store: &Store,
        consistent: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Value>> + Send {
        store.ask_row(&self.kind, &self.key, consistent, Effort::until(deadline))
    }

    fn flights(reading: &ReadThrough) -> &Flights<(Self, Mark), Self::Value> {
        &reading.rows
    }

    fn mark(&self, cache: &Cache) -> Mark {
        cache.row_mark(&self.kind, &self.key)
    }

    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value, age: Duration) -> Self::Value {
        cache.keep_row(seen, &self.kind, &self.key, value.clone(), age);
        value
    }

    fn met(&self, told: &Told, value: Self::Value, now: Moment) -> Self::Value {
        value.map(|mut row| {
            told.met(&self.kind, Arc::make_mut(&mut row), now);
            row
        })
    }

    fn to_stand_in(&self, reading: &ReadThrough, now: Moment, sources: Sources) -> Option<StandIn<Self::Value>> {
        let cached = reading.cache.as_ref().and_then(|cache| cache.row_to_stand_in(&self.kind, &self.key, now));
        let told = reading.told.as_ref().and_then(|told| told.row(&self.kind, &self.key, reading.told_bound(now)));
        let told = told.map(|(row, told)| StandIn { value: row.map(Arc::new), age: now.since(told) });
        newest_row([cached, told, sources.on_host(reading, self)])
    }

    fn place(&self) -> (&str, Option<&str>) {
        (&self.kind, Some(&self.key))
    }

    fn on_host(&self, host: &HostCache, now: &Stamp) -> std::result::Result<Option<Kept<Self::Value>>, Trouble> {
        Ok(host.row(&self.kind, &self.key, now)?.map(|kept| kept.map(|row| row.map(Arc::new))))
    }

    fn keep_on_host(&self, host: &HostCache, value: &Self::Value, as_of: Stamp) -> std::result::Result<(), Trouble> {
        host.keep_row(&self.kind, &self.key, value.as_deref(), as_of)
    }

    fn consistently(&self, floors: &Floors, now: Moment) -> bool {
        floors.consistently(&self.kind, now)
    }

    fn is_below(&self, floors: &Floors, value: &Self::Value) -> bool {
        floors.above_row(&self.kind, &self.key, value.as_deref())
    }

    fn settle(&self, floors: &Floors, value: &Self::Value, writes: u64) {
        floors.settle_row(&self.kind, &self.key, value.as_deref(), writes);
    }
}

/// All rows of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WholeKind(Box<str>);

impl WholeKind {
    /// The rows of this kind.
    pub fn new(kind: &str) -> WholeKind {
        WholeKind(kind.into())
    }
}

impl Question for WholeKind {
    type Value = Rows;

    fn attempt(&self) -> Attempt<'_> {
        Attempt::All { kind: &self.0 }
    }

    fn time(&self, options: &Options) -> Duration {
        options.all_timeout
    }

    fn ask(
        &self,
        store: &Store,
        consistent: bool,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Value>> + Send {
        store.ask_kind(&self.0, consistent, Effort::until(deadline))
    }

    fn flights(reading: &ReadThrough) -> &Flights<(Self, Mark), Self::Value> {
        &reading.lists
    }

    fn mark(&self, cache: &Cache) -> Mark {
        cache.list_mark(&self.0)
    }

    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value, age: Duration) -> Self::Value {
        cache.keep_list(seen, &self.0, value, age)
    }

    fn met(&self, told: &Told, mut value: Self::Value, now: Moment) -> Self::Value {
        told.met_all(&self.0, Arc::make_mut(&mut value).as_mut_slice(), now);
        value
    }

    fn to_stand_in(&self, reading: &ReadThrough, now: Moment, sources: Sources) -> Option<StandIn<Self::Value>> {
        let cached = reading.cache.as_ref().and_then(|cache| cache.list_to_stand_in(&self.0, now));
        let told = reading.told.as_ref().and_then(|told| told.list(&self.0, reading.told_bound(now)));
        let (told, whole) = told.unwrap_or_default();
        let told: Vec<(Row, Duration)> = told.into_iter().map(|(row, told)| (row, now.since(told))).collect();
        newest_list([cached, sources.on_host(reading, self)], told, whole.map(|told| now.since(told)))
    }

    fn place(&self) -> (&str, Option<&str>) {
        (&self.0, None)
    }

    fn on_host(&self, host: &HostCache, now: &Stamp) -> std::result::Result<Option<Kept<Self::Value>>, Trouble> {
        Ok(host.list(&self.0, now)?.map(|kept| kept.map(Arc::new)))
    }

    fn keep_on_host(&self, host: &HostCache, value: &Self::Value, as_of: Stamp) -> std::result::Result<(), Trouble> {
        host.keep_list(&self.0, Vec::clone(value), as_of)
    }

    fn consistently(&self, floors: &Floors, now: Moment) -> bool {
        floors.consistently(&self.0, now)
    }

    fn is_below(&self, floors: &Floors, value: &Self::Value) -> bool {
        floors.above_list(&self.0, value)
    }

    fn settle(&self, floors: &Floors, value: &Self::Value, writes: u64) {
        floors.settle_list(&self.0, value, writes);
    }
}

/// Of several rows the one with the newest version; of one version, or where one of them says that there is none, the
/// one that was known last.
fn newest_row(rows: impl IntoIterator<Item = Option<StandIn<Option<Arc<Row>>>>>) -> Option<StandIn<Option<Arc<Row>>>> {
    rows.into_iter().flatten().reduce(|a, b| {
        let version = |stand_in: &StandIn<Option<Arc<Row>>>| stand_in.value.as_ref().map(|row| row.version);
        let b_wins = match (version(&a), version(&b)) {
            (Some(a), Some(b)) if a != b => a < b,
            _ => b.age < a.age,
        };
        if b_wins { b } else { a }
    })
}

/// The list that was known last says which rows there are, with those that were told since; of each row the newest
/// version counts. A list of what was told is one only if an init said that it was everything.
fn newest_list(
    lists: impl IntoIterator<Item = Option<StandIn<Rows>>>,
    told: Vec<(Row, Duration)>,
    told_whole: Option<Duration>,
) -> Option<StandIn<Rows>> {
    let mut lists: Vec<StandIn<Rows>> = lists.into_iter().flatten().collect();
    if let Some(age) = told_whole {
        lists.push(StandIn { value: Arc::new(told.iter().map(|(row, _)| row.clone()).collect()), age });
    }
    lists.sort_by_key(|list| list.age);
    let mut lists = lists.into_iter();
    let mut newest = lists.next()?;
    let others: Vec<StandIn<Rows>> = lists.collect();
    if others.is_empty() && told.is_empty() {
        return Some(newest);
    }
    let age = newest.age;
    let rows = Arc::make_mut(&mut newest.value);
    let others = others.iter().flat_map(|list| list.value.iter().map(|row| (row, false)));
    for (row, since) in others.chain(told.iter().map(|(row, told)| (row, *told < age))) {
        match rows.binary_search_by(|other| other.key.cmp(&row.key)) {
            Ok(at) if rows[at].version < row.version => rows[at] = row.clone(),
            Err(at) if since => rows.insert(at, row.clone()),
            _ => {}
        }
    }
    Some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Payload;

    fn row(key: &str, version: i64) -> Row {
        Row { key: key.into(), version, payload: Payload::Live("{}".into()) }
    }

    #[test]
    fn of_rows_the_newest_version_stands_in_and_of_one_version_what_was_known_last() {
        let of = |version: i64, age: u64| {
            let value = (version > 0).then(|| Arc::new(row("a", version)));
            Some(StandIn { value, age: Duration::from_secs(age) })
        };
        for (candidates, wanted) in [
            ([of(2, 1), of(3, 9), None], of(3, 9)),
            ([of(3, 5), of(3, 1), of(3, 7)], of(3, 1)),
            ([of(3, 5), of(0, 1), None], of(0, 1)),
            ([of(0, 5), of(3, 1), None], of(3, 1)),
            ([None, None, None], None),
        ] {
            assert_eq!(newest_row(candidates), wanted);
        }
    }

    #[test]
    fn of_lists_the_last_known_has_the_rows_and_each_row_its_newest_version() {
        let seconds = Duration::from_secs;
        let list = |age: u64, rows: &[(&str, i64)]| {
            let rows = rows.iter().map(|(key, version)| row(key, *version)).collect();
            Some(StandIn { value: Arc::new(rows), age: seconds(age) })
        };
        let told = |rows: &[(&str, i64, u64)]| -> Vec<(Row, Duration)> {
            rows.iter().map(|(key, version, age)| (row(key, *version), seconds(*age))).collect()
        };
        for (lists, told, whole, wanted) in [
            (
                [list(5, &[("a", 2), ("b", 1)]), list(9, &[("a", 3), ("gone", 1)])],
                told(&[]),
                None,
                list(5, &[("a", 3), ("b", 1)]),
            ),
            (
                [list(5, &[("a", 2)]), None],
                told(&[("a", 1, 9), ("b", 1, 3), ("old", 1, 8)]),
                None,
                list(5, &[("a", 2), ("b", 1)]),
            ),
            ([list(5, &[("a", 2), ("gone", 1)]), None], told(&[("a", 1, 3)]), Some(3), list(3, &[("a", 2)])),
            ([None, None], told(&[("a", 1, 3)]), None, None),
            ([None, None], told(&[]), Some(3), list(3, &[])),
        ] {
            assert_eq!(newest_list(lists, told, whole.map(seconds)), wanted);
        }
    }
}
