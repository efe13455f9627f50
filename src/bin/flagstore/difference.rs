//! What an SDK would read differently from two tables, or from two prefixes of one.

use std::collections::BTreeMap;
use std::fmt;

use flagstore::model::content::{Relation, relation};
use flagstore::model::row::{NewRow, Payload, Row};
use flagstore::store::doctor::{Sighting, State};

/// How one row differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is live here, and not there.
    OnlyFrom(i64),
    /// It is live there, and not here.
    OnlyTo(i64),
    /// Both are live, in two versions.
    Versions(i64, i64),
    /// Both are live in one version, and say different things.
    Contents(i64),
    /// It cannot be read here, or there.
    Unreadable(&'static str, &'static str),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::OnlyFrom(version) => write!(f, "only on the left, version {version}"),
            Difference::OnlyTo(version) => write!(f, "only on the right, version {version}"),
            Difference::Versions(from, to) => write!(f, "version {from} on the left, {to} on the right"),
            Difference::Contents(version) => write!(f, "version {version} on both sides, with different contents"),
            Difference::Unreadable(side, why) => write!(f, "cannot be read on the {side}: {why}"),
        }
    }
}

/// Every row that differs, by its key. What is deleted and what was never there read the same.
pub fn between(kind: &str, from: &[Sighting], to: &[Sighting]) -> Vec<(String, Difference)> {
    let mut pairs: BTreeMap<&str, [Option<&Sighting>; 2]> = BTreeMap::new();
    for (side, rows) in [from, to].into_iter().enumerate() {
        for row in rows {
            pairs.entry(&row.key).or_default()[side] = Some(row);
        }
    }
    let differences = pairs.into_iter().filter_map(|(key, [from, to])| Some((key.to_owned(), one(kind, from, to)?)));
    differences.collect()
}

fn one(kind: &str, from: Option<&Sighting>, to: Option<&Sighting>) -> Option<Difference> {
    for (side, row) in [("left", from), ("right", to)] {
        if let Some(State::Unreadable(why)) = row.map(|row| &row.state) {
            return Some(Difference::Unreadable(side, why));
        }
    }
    match (from.and_then(live), to.and_then(live)) {
        (None, None) => None,
        (Some(from), None) => Some(Difference::OnlyFrom(from.version)),
        (None, Some(to)) => Some(Difference::OnlyTo(to.version)),
        (Some(from), Some(to)) if from.version != to.version => Some(Difference::Versions(from.version, to.version)),
        (Some(from), Some(to)) => {
            let item = to.item().unwrap_or_default().into();
            let to = NewRow { key: to.key, version: to.version, item, deleted: false, deflated: None };
            // What SDKs add or leave out when they serialise says nothing.
            (relation(kind, &from, &to) == Relation::Contradict).then_some(Difference::Contents(from.version))
        }
    }
}

fn live(row: &Sighting) -> Option<Row> {
    let State::Live(item) = &row.state else { return None };
    Some(Row { key: (&*row.key).into(), version: row.version?, payload: Payload::Live(item.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(version: i64, state: State) -> Sighting {
        Sighting { key: "k".into(), version: Some(version), bytes: 1, others_read: None, state }
    }

    #[test]
    fn what_reads_differently_is_named_and_what_is_only_written_differently_is_not() {
        let live = |version, item: &str| Some(row(version, State::Live(item.into())));
        let gone = |version| Some(row(version, State::Tombstone));
        let broken = Some(row(1, State::Unreadable("why")));
        for (from, to, wanted) in [
            (live(1, r#"{"a":1}"#), live(1, r#"{ "a": 1, "deleted": false }"#), None),
            (live(1, r#"{"a":1}"#), live(1, r#"{"a":2}"#), Some(Difference::Contents(1))),
            (live(1, "{}"), live(2, "{}"), Some(Difference::Versions(1, 2))),
            (live(1, "{}"), None, Some(Difference::OnlyFrom(1))),
            (None, live(2, "{}"), Some(Difference::OnlyTo(2))),
            (live(1, "{}"), gone(3), Some(Difference::OnlyFrom(1))),
            (gone(1), gone(3), None),
            (gone(1), None, None),
            (broken.clone(), live(1, "{}"), Some(Difference::Unreadable("left", "why"))),
            (None, broken, Some(Difference::Unreadable("right", "why"))),
        ] {
            let rows = |row: &Option<Sighting>| row.iter().cloned().collect::<Vec<_>>();
            let found = between("features", &rows(&from), &rows(&to));
            assert_eq!(found.into_iter().map(|(_, difference)| difference).next(), wanted, "{from:?} {to:?}");
        }
    }
}
