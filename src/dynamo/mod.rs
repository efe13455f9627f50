//! DynamoDB: the few requests the store makes, each with its retries, deadlines and an error that says what to do.
//!
//! The store sees a [`Table`] and nothing else, so that its meaning can be tested without a network.

pub(crate) mod answers;
mod budget;
mod client;
pub(crate) mod condition;
mod counters;
mod credentials;
mod exchange;
mod failure;
pub mod http;
mod identity;
mod in_flight;
#[cfg(any(test, miri, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the fuzz targets need no log of requests"))]
pub mod memory;
mod notices;
mod pace;
mod percent;
mod pool;
mod quote;
mod refusal;
mod request;
pub mod resolver;
mod retry;
mod rows;
pub mod seen;
mod shown;
mod skew;
mod trust;

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

pub use client::DynamoTable;
pub use counters::Counters;
pub use notices::Notices;
pub use pace::Pace;

use crate::model::Result;
use crate::model::large::Form;
use crate::model::row::RawRow;

/// What a request brings, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// How long to try, and at what pace.
#[derive(Debug, Clone, Copy)]
pub struct Effort<'a> {
    /// When the whole operation ends, whatever happened by then.
    pub deadline: Instant,
    /// Present while a data set is written: requests wait for their turn, and are repeated until the deadline.
    pub pace: Option<&'a Pace>,
}

impl Effort<'_> {
    /// A few attempts, all before the deadline.
    pub fn until(deadline: Instant) -> Effort<'static> {
        Effort { deadline, pace: None }
    }
}

/// When a row may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When<'a> {
    /// There is no row, or one without version, or one with a smaller version; also in its deflated form, if it has one.
    Newer,
    /// As [`When::Newer`], or the version is the same: for a data set, whose content wins within one version.
    NotOlder,
    /// There is no row.
    Absent,
    /// The row is there, and the versions and items of its forms are as they were read, types included.
    AsRead(&'a RawRow),
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// The condition did not hold; the row that stands there, if any.
    Conflict(Option<RawRow>),
}

/// Some rows of a namespace, and where to go on.
#[derive(Debug, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<RawRow>,
    /// The sort key after which the next page starts.
    pub next: Option<String>,
}

/// The attributes of the rows that big segments live in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BigSegmentRow {
    /// The number attribute `synchronizedOn`.
    pub synchronized_on: Option<String>,
    /// The string set `included`.
    pub included: Vec<String>,
    /// The string set `excluded`.
    pub excluded: Vec<String>,
}

/// A DynamoDB table, as the store needs it.
pub trait Table: Send + Sync {
    /// One row; consistent reads see every acknowledged write.
    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Option<RawRow>>;

    /// The rows of a namespace after a sort key, in the order of their keys.
    fn page<'a>(
        &'a self,
        namespace: &'a str,
        after: Option<String>,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Page>;

    /// Writes a row, all of it, if the condition holds.
    fn put<'a>(&'a self, namespace: &'a str, form: Form<'a>, when: When<'a>, effort: Effort<'a>)
    -> Answer<'a, Written>;

    /// Removes a row that is as it was read.
    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        read: &'a RawRow,
        effort: Effort<'a>,
    ) -> Answer<'a, Written>;

    /// Writes the row whose two keys are `name`, without other attributes.
    fn mark<'a>(&'a self, name: &'a str, effort: Effort<'a>) -> Answer<'a, ()>;

    /// A row of big segments.
    fn big_segment<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Option<BigSegmentRow>>;
}
