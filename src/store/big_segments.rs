//! Big segments: how fresh they are, and which of them name a context. The Relay Proxy writes them.

use std::collections::HashSet;

use crate::dynamo::BigSegmentRow;
use crate::model::{Code, Error, Result};

/// The big segments that name one context, each with whether it is included (or else excluded).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    /// Segment reference and inclusion. A reference in both sets is included.
    pub entries: Vec<(String, bool)>,
}

/// When the big segments were last brought up to date, in milliseconds of Unix time; `None` if they never were.
pub fn synchronized_on(row: Option<BigSegmentRow>) -> Result<Option<i64>> {
    let Some(text) = row.and_then(|row| row.synchronized_on) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        Error::new(
            Code::UnexpectedResponse,
            "the attribute synchronizedOn of the big segments' metadata is not a whole number: let the Relay Proxy write it anew",
        )
    })
}

/// A context's membership; `None` if no big segment names it.
pub fn membership(row: Option<BigSegmentRow>) -> Option<Membership> {
    let row = row?;
    let included: HashSet<&str> = row.included.iter().map(String::as_str).collect();
    let excluded: Vec<(String, bool)> = row
        .excluded
        .iter()
        .filter(|segment| !included.contains(segment.as_str()))
        .map(|segment| (segment.clone(), false))
        .collect();
    let entries: Vec<(String, bool)> =
        row.included.into_iter().map(|segment| (segment, true)).chain(excluded).collect();
    (!entries.is_empty()).then_some(Membership { entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(included: &[&str], excluded: &[&str]) -> Option<BigSegmentRow> {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Some(BigSegmentRow { synchronized_on: None, included: owned(included), excluded: owned(excluded) })
    }

    #[test]
    fn included_wins_over_excluded_and_empty_is_none() {
        let found = membership(row(&["a.g1"], &["a.g1", "b.g2"])).expect("a membership");
        assert_eq!(found.entries, [("a.g1".to_owned(), true), ("b.g2".to_owned(), false)]);
        assert_eq!(membership(row(&[], &[])), None);
        assert_eq!(membership(None), None);
    }

    #[test]
    fn the_time_is_milliseconds_or_an_error() {
        let time = |text: &str| {
            synchronized_on(Some(BigSegmentRow { synchronized_on: Some(text.into()), ..BigSegmentRow::default() }))
        };
        assert_eq!(time("1700000000000"), Ok(Some(1_700_000_000_000)));
        assert_eq!(time("x").unwrap_err().code, Code::UnexpectedResponse);
        assert_eq!(synchronized_on(Some(BigSegmentRow::default())), Ok(None));
    }
}
