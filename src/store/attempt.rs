//! What a call tried, in the words that its errors begin with.

use std::fmt;

/// A call of the store.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// Reading one row.
    Get {
        /// Its kind.
        kind: &'a str,
        /// Its key.
        key: &'a str,
    },
    /// Reading all rows of a kind.
    All {
        /// The kind.
        kind: &'a str,
    },
    /// Writing one row.
    Upsert {
        /// Its kind.
        kind: &'a str,
        /// Its key.
        key: &'a str,
    },
    /// Replacing the data set.
    Init,
    /// Reading the row that says that there is a data set.
    Initialized,
    /// Reading how current the big segments are.
    BigSegmentsMetadata,
    /// Reading the big segments that name a context.
    BigSegmentsMembership,
    /// Looking for what may be wrong.
    Examine,
}

impl Attempt<'_> {
    /// What is to be said where it is cancelled.
    pub fn when_cancelled(&self) -> &'static str {
        match self {
            Attempt::Upsert { .. } => {
                "it was cancelled, and may have been written or not: read the item, or upsert it again, which is safe"
            }
            Attempt::Init => {
                "it was cancelled before it was finished: its report says what was done, writes that were under way aside; init again to go on"
            }
            _ => "it was cancelled before there was an answer",
        }
    }
}

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attempt::Get { kind, key } => write!(f, "reading \"{key}\" of kind \"{kind}\""),
            Attempt::All { kind } => write!(f, "reading all of kind \"{kind}\""),
            Attempt::Upsert { kind, key } => write!(f, "upserting \"{key}\" of kind \"{kind}\""),
            Attempt::Init => f.write_str("initialising"),
            Attempt::Initialized => f.write_str("reading whether the store is initialised"),
            Attempt::BigSegmentsMetadata => f.write_str("reading the big segments' metadata"),
            Attempt::Examine => f.write_str("looking for what may be wrong"),
            Attempt::BigSegmentsMembership => f.write_str("reading a big-segment membership"),
        }
    }
}
