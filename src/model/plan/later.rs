//! What an init does after its writes: what it writes again, deletes and puts back, from what it sees when it looks again.
//!
//! Several inits may run at once, some from older data sets, and between the writes of one the deletions of another may
//! come. So whoever wrote rows that name others looks whether these are there, and whoever deleted rows looks whether
//! somebody needs them after all. Whichever of the two is later sees what the other did.

use std::collections::{HashMap, HashSet};

use super::{Given, Look, Place, Plan, Unless, Why, Write, waves};
use crate::model::codec;
use crate::model::order::{self, Node};
use crate::model::row::{NewRow, RawRow, Version};

/// A row that goes if it is still as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The position of its kind in the data set.
    pub kind: usize,
    /// The row as it was read.
    pub row: RawRow,
}

/// What the second look shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// Rows that were written or there, and are gone or older now; in waves.
    pub again: Vec<Vec<Write>>,
    /// Rows that are newer than the data set, as kind and key: with any, nothing is deleted.
    pub newer: Vec<(usize, Box<str>)>,
    /// The leftovers to delete, in waves: dependents before what they depend on.
    pub deletions: Vec<Vec<Deletion>>,
    /// Leftovers that stay because the data set is older than the table.
    pub kept: Vec<(usize, Box<str>)>,
}

/// Compares the second look with the first. `older` has the rows that already turned out newer than the data set.
pub fn second(given: &[Given], plan: &Plan, first: &Look, second: &Look, older: &[Place]) -> Second {
    let mut found = Second::default();
    let newer: HashSet<Place> = older.iter().copied().collect();
    let passed: HashSet<Place> = older.iter().chain(&plan.does_not_fit).copied().collect();
    let mut again = HashMap::new();
    let mut leftovers = Vec::new();
    for (c, (given, stored)) in given.iter().zip(second).enumerate() {
        for (i, row) in given.collection.rows.iter().enumerate().filter(|(i, _)| !passed.contains(&(c, *i))) {
            match compare(stored.get(&row.key), row) {
                Compared::Fine => {}
                Compared::Newer => found.newer.push((c, row.key.clone())),
                Compared::Lost(why, unless) => drop(again.insert((c, i), (why, unless))),
            }
        }
        let keys = given.keys();
        for (key, row) in stored.iter().filter(|(key, _)| !keys.contains(key.as_ref())) {
            let seen_before = first[c].get(key) == Some(row);
            match codec::read(row) {
                // An init wins over leftovers of any form; but a tombstone that came since is somebody's word.
                Ok(read) if read.deleted() => {
                    if plan.standing.gives_way() && seen_before {
                        leftovers.push((c, row));
                    }
                }
                _ if seen_before => leftovers.push((c, row)),
                _ => found.newer.push((c, key.clone())),
            }
        }
    }
    if newer.is_empty() && found.newer.is_empty() {
        found.deletions = deletions(given, &leftovers);
    } else {
        found.kept = leftovers.into_iter().filter_map(|(c, row)| Some((c, row.key.clone()?))).collect();
    }
    found.again = waves(given)
        .into_iter()
        .map(|wave| {
            let writes = wave.into_iter().filter_map(|place| Some((place, again.remove(&place)?)));
            writes.map(|(place, (why, unless))| Write { place, why, unless }).collect::<Vec<_>>()
        })
        .filter(|wave| !wave.is_empty())
        .collect();
    found
}

enum Compared {
    Fine,
    Newer,
    Lost(Why, Unless),
}

fn compare(stored: Option<&RawRow>, given: &NewRow) -> Compared {
    let Some(stored) = stored else { return Compared::Lost(Why::Missing, Unless::Newer) };
    match codec::version(stored) {
        _ if !codec::is_sound(stored) => Compared::Lost(Why::Unreadable, Unless::Changed(stored.clone())),
        Version::Number(version) if version > given.version => Compared::Newer,
        Version::Number(version) if version == given.version => Compared::Fine,
        _ => Compared::Lost(Why::Newer, Unless::Newer),
    }
}

/// Dependents go before what they depend on: the opposite of the order in which they would be written.
fn deletions(given: &[Given], leftovers: &[(usize, &RawRow)]) -> Vec<Vec<Deletion>> {
    let read: Vec<_> = leftovers.iter().map(|(_, row)| codec::read(row).ok()).collect();
    let nodes: Vec<Node<'_>> = leftovers
        .iter()
        .zip(&read)
        .map(|((c, row), read)| Node {
            kind: &given[*c].collection.kind,
            key: row.key.as_deref().unwrap_or_default(),
            item: read.as_ref().and_then(|read| read.item()).unwrap_or_default(),
        })
        .collect();
    let wave = |wave: Vec<usize>| {
        wave.into_iter().map(|i| Deletion { kind: leftovers[i].0, row: leftovers[i].1.clone() }).collect()
    };
    order::waves(&nodes).into_iter().rev().map(wave).collect()
}

/// A deleted row that is put back, if nothing stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The position of its kind in the data set.
    pub kind: usize,
    /// The row as it was.
    pub row: NewRow,
    /// As it was read.
    pub was: RawRow,
}

/// What was deleted although a row that came meanwhile needs it.
pub fn needed_after_all(given: &[Given], deleted: &[Deletion], second: &Look, third: &Look) -> Vec<Restored> {
    let kind = |c: usize| given[c].collection.kind.as_str();
    let gone: HashMap<(&str, &str), &Deletion> =
        deleted.iter().filter_map(|one| Some(((kind(one.kind), one.row.key.as_deref()?), one))).collect();
    let mut needed: Vec<(usize, &RawRow)> = Vec::new();
    for (c, rows) in third.iter().enumerate() {
        needed.extend(rows.iter().filter(|(key, row)| second[c].get(*key) != Some(row)).map(|(_, row)| (c, row)));
    }
    let ours: HashSet<(usize, &str, Option<i64>)> = given
        .iter()
        .enumerate()
        .flat_map(|(c, given)| given.collection.rows.iter().map(move |row| (c, &*row.key, Some(row.version))))
        .collect();
    let mut restored: Vec<Restored> = Vec::new();
    let mut done = HashSet::new();
    while let Some((c, raw)) = needed.pop() {
        let Ok(row) = codec::read(raw) else { continue };
        if ours.contains(&(c, &*row.key, Some(row.version))) {
            continue;
        }
        let node = Node { kind: kind(c), key: &row.key, item: row.item().unwrap_or_default() };
        for (kind, key) in order::named(node) {
            let Some(one) = gone.get(&(kind, key.as_str())).filter(|one| done.insert((one.kind, key.clone()))) else {
                continue;
            };
            // What it names itself is needed too.
            needed.push((one.kind, &one.row));
            restored.extend(codec::again(&one.row).map(|row| Restored { kind: one.kind, row, was: one.row.clone() }));
        }
    }
    restored
}
