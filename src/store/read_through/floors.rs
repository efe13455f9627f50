//! What this store wrote, so that no eventually consistent answer takes it back.
//!
//! After an answer the process reads what it wrote, or newer. A replica that is behind may say otherwise; such an
//! answer is not believed, and the question is asked again consistently. What a consistent answer says is true,
//! whatever was written before: somebody else may have removed the row, or put an older one there.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::moment::Moment;
use crate::model::row::Row;
use crate::runtime::lock;

/// Most rows whose version is remembered.
const MOST: usize = 8_192;
/// How long a whole kind is read consistently after an init, or after more writes than are remembered. Replicas are
/// behind by a fraction of a second, mostly.
const CONSISTENT: Duration = Duration::from_mins(1);
/// Most kinds for which that is remembered one by one. SDKs have two.
const MOST_KINDS: usize = 64;

/// The versions that were written, at least.
#[derive(Default)]
pub struct Floors(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    kinds: HashMap<Box<str>, Kind>,
    rows: usize,
    /// How often something was written.
    writes: u64,
    /// Until when everything is read consistently.
    consistent_until: Option<Moment>,
}

#[derive(Default)]
struct Kind {
    rows: HashMap<Box<str>, Floor>,
    /// Until when this kind is read consistently.
    consistent_until: Option<Moment>,
}

#[derive(Clone, Copy)]
struct Floor {
    version: i64,
    /// Which write it was, by its number.
    write: u64,
}

impl Floor {
    fn is_above(self, row: Option<&Row>) -> bool {
        row.is_none_or(|row| row.version < self.version)
    }
}

impl Inner {
    /// The kind's place, after room was made for one more row.
    fn kind(&mut self, kind: &str, now: Moment) -> &mut Kind {
        if self.rows >= MOST || (self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(kind)) {
            let consistent_until = Some(now.after(CONSISTENT));
            *self = Inner { consistent_until, writes: self.writes, ..Inner::default() };
        }
        self.kinds.entry(kind.into()).or_default()
    }
}

impl Floors {
    /// A row of at least this version is there.
    pub fn wrote(&self, kind: &str, key: &str, version: i64, now: Moment) {
        let mut inner = lock(&self.0);
        inner.writes += 1;
        let write = inner.writes;
        let rows = &mut inner.kind(kind, now).rows;
        let before = rows.len();
        let floor = rows.entry(key.into()).or_insert(Floor { version, write });
        *floor = Floor { version: version.max(floor.version), write };
        let more = rows.len() - before;
        inner.rows += more;
    }

    /// The whole kind may be another one.
    pub fn replaced(&self, kind: &str, now: Moment) {
        lock(&self.0).kind(kind, now).consistent_until = Some(now.after(CONSISTENT));
    }

    /// Whether a kind is not to be asked for in any other way than consistently.
    pub fn consistently(&self, kind: &str, now: Moment) -> bool {
        let inner = lock(&self.0);
        let lasts = |until: Option<Moment>| until.is_some_and(|until| !until.has_come(now));
        lasts(inner.consistent_until) || inner.kinds.get(kind).is_some_and(|kind| lasts(kind.consistent_until))
    }

    /// How often something was written so far.
    pub fn writes(&self) -> u64 {
        lock(&self.0).writes
    }

    /// Whether an answer for a row is older than what is known to be there.
    pub fn above_row(&self, kind: &str, key: &str, row: Option<&Row>) -> bool {
        let inner = lock(&self.0);
        inner.kinds.get(kind).and_then(|kind| kind.rows.get(key)).is_some_and(|floor| floor.is_above(row))
    }

    /// Whether an answer for a kind is older than what is known to be there.
    pub fn above_list(&self, kind: &str, rows: &[Row]) -> bool {
        let inner = lock(&self.0);
        let Some(Kind { rows: floors, .. }) = inner.kinds.get(kind) else { return false };
        let known: Vec<_> = rows.iter().filter_map(|row| Some((floors.get(&row.key)?, row))).collect();
        known.len() < floors.len() || known.into_iter().any(|(floor, row)| floor.is_above(Some(row)))
    }

    /// A consistent answer for a row came, asked for after so many writes.
    pub fn settle_row(&self, kind: &str, key: &str, row: Option<&Row>, writes: u64) {
        let mut inner = lock(&self.0);
        let Some(kind) = inner.kinds.get_mut(kind) else { return };
        if kind.rows.get(key).is_some_and(|floor| floor.write <= writes && floor.is_above(row)) {
            kind.rows.remove(key);
            inner.rows -= 1;
        }
    }

    /// A consistent answer for a kind came, asked for after so many writes.
    pub fn settle_list(&self, kind: &str, rows: &[Row], writes: u64) {
        let mut inner = lock(&self.0);
        let Some(kind) = inner.kinds.get_mut(kind) else { return };
        let before = kind.rows.len();
        let read: HashMap<&str, &Row> = rows.iter().map(|row| (&*row.key, row)).collect();
        kind.rows.retain(|key, floor| floor.write > writes || !floor.is_above(read.get(&**key).copied()));
        let gone = before - kind.rows.len();
        inner.rows -= gone;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Payload;

    fn row(key: &str, version: i64) -> Row {
        Row { key: key.into(), version, payload: Payload::Tombstone }
    }

    fn at(time: u64) -> Moment {
        Moment::at(time, time)
    }

    #[test]
    fn an_answer_below_what_was_written_is_not_believed() {
        let floors = Floors::default();
        floors.wrote("k", "a", 3, at(0));
        floors.wrote("k", "a", 2, at(0));
        for (version, above) in [(None, true), (Some(2), true), (Some(3), false), (Some(4), false)] {
            let row = version.map(|version| row("a", version));
            assert_eq!(floors.above_row("k", "a", row.as_ref()), above, "{version:?}");
            assert_eq!(floors.above_list("k", row.as_slice()), above, "{version:?}");
        }
        assert!(!floors.above_row("k", "b", None) && !floors.above_row("other", "a", None));
        assert!(!floors.above_list("other", &[]));
        assert!(!floors.above_list("k", &[row("a", 3), row("b", 0)]));
    }

    #[test]
    fn a_consistent_answer_is_the_truth_unless_something_was_written_since_it_was_asked_for() {
        let floors = Floors::default();
        floors.wrote("k", "a", 3, at(0));
        let asked = floors.writes();
        floors.wrote("k", "b", 3, at(0));
        floors.settle_list("k", &[row("a", 1)], asked);
        assert!(!floors.above_row("k", "a", None), "somebody put an older one there");
        assert!(floors.above_row("k", "b", None), "written since");
        floors.settle_row("k", "b", None, asked);
        assert!(floors.above_row("k", "b", None), "written since");
        floors.settle_row("k", "b", None, floors.writes());
        assert!(!floors.above_row("k", "b", None));
        assert_eq!(lock(&floors.0).rows, 0);
    }

    #[test]
    fn what_is_too_much_to_remember_is_read_consistently_for_a_while() {
        let floors = Floors::default();
        let seconds = |seconds: u64| at(seconds * 1_000);
        floors.replaced("k", seconds(0));
        assert!(floors.consistently("k", seconds(59)) && !floors.consistently("other", seconds(59)));
        assert!(!floors.consistently("k", seconds(60)));
        for number in 0..=MOST {
            floors.wrote("k", &number.to_string(), 1, seconds(100));
        }
        assert!(lock(&floors.0).rows <= MOST);
        assert!(floors.consistently("k", seconds(159)) && floors.consistently("other", seconds(159)));
        assert!(!floors.consistently("k", seconds(160)));
        for number in 0..=MOST_KINDS {
            floors.replaced(&number.to_string(), seconds(200));
        }
        assert!(lock(&floors.0).kinds.len() <= MOST_KINDS);
        assert!(floors.consistently("0", seconds(259)));
    }
}
