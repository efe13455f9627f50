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

    /// Keeps the answer, unless such a write has happened since. Returns it.
    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value) -> Self::Value;

    /// The value that may stand in for the answer.
    fn to_stand_in(&self, cache: &Cache, now: Moment) -> Option<StandIn<Self::Value>>;

    /// Whether no replica is to be asked.
    fn consistently(&self, floors: &Floors, now: Moment) -> bool;

    /// Whether an answer is older than what this store wrote.
    fn is_below(&self, floors: &Floors, value: &Self::Value) -> bool;

    /// Believes a consistent answer that was asked for after so many writes.
    fn settle(&self, floors: &Floors, value: &Self::Value, writes: u64);
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

    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value) -> Self::Value {
        cache.keep_row(seen, &self.kind, &self.key, value.clone());
        value
    }

    fn to_stand_in(&self, cache: &Cache, now: Moment) -> Option<StandIn<Self::Value>> {
        cache.row_to_stand_in(&self.kind, &self.key, now)
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

    fn keep(&self, cache: &Cache, seen: Mark, value: Self::Value) -> Self::Value {
        cache.keep_list(seen, &self.0, value)
    }

    fn to_stand_in(&self, cache: &Cache, now: Moment) -> Option<StandIn<Self::Value>> {
        cache.list_to_stand_in(&self.0, now)
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
