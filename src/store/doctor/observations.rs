//! What was seen. Plain data, so that the rule can be tested without anything to see.

use std::time::{Duration, SystemTime};

use super::survey::Tally;
use crate::dynamo::seen::Way;
use crate::model::Result;
use crate::model::options::Options;

/// Everything that was looked at.
#[derive(Debug)]
pub struct Observations {
    /// The number of the library's ABI.
    pub abi: u32,
    /// What the store is opened with.
    pub options: Options,
    /// What says the region.
    pub region_from: &'static str,
    /// How the table is reached.
    pub way: Way,
    /// What is to be said of the settings.
    pub notices: Vec<String>,
    /// How many addresses the endpoint's host has, where it was not reached.
    pub name: Option<std::result::Result<usize, String>>,
    /// How long the first request took.
    pub answered: Duration,
    /// Whether the `$inited` row is there: the first request.
    pub initialised: Result<bool>,
    /// The rows of each kind.
    pub kinds: Vec<(&'static str, Result<Tally>)>,
    /// A deletion that cannot succeed.
    pub delete: Option<Result<Tried>>,
    /// A write that cannot succeed.
    pub put: Option<Result<Tried>>,
    /// Where there is a data set, while there is none here.
    pub elsewhere: Vec<&'static str>,
    /// The age of the big segments, if there are any.
    pub big_segments: Option<Result<Option<Duration>>>,
    /// The cache directory, if there is to be one.
    pub cache_directory: Option<CacheDirectory>,
    /// When this was seen.
    pub now: SystemTime,
}

/// What became of a write that cannot succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// Its condition did not hold, as it should be.
    Refused,
    /// The endpoint did it all the same.
    CarriedOut,
}

/// The cache directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheDirectory {
    /// It is not there yet.
    Missing,
    /// So many files with so many bytes are in it.
    Holds(usize, u64),
    /// It cannot be used.
    Trouble(String),
}

impl CacheDirectory {
    /// What a look at it showed.
    pub fn of(found: Option<(usize, u64)>) -> CacheDirectory {
        found.map_or(CacheDirectory::Missing, |(files, bytes)| CacheDirectory::Holds(files, bytes))
    }
}
