//! What an init will do, decided before it does anything: from the rows as they were read, the given rows, and whether the
//! store was initialised, to what is written in which order, what stays, and why.
//!
//! [`decide`] is the rule for one row. What is deleted is decided after the writes, in [`later`], from a second look.

pub mod later;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::codec;
use super::content::{Relation, relation};
use super::data_set::Collection;
use super::large;
use super::namespace::{FEATURES, SEGMENTS};
use super::order::{self, Node};
use super::row::{NewRow, RawRow, Row, Version};

/// The rows of one kind that are given, and the keys of those that were set aside because DynamoDB cannot hold them: they
/// count as given, so that their older rows stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// What is to be stored.
    pub collection: Collection,
    /// The keys of what is not.
    pub set_aside: HashSet<Box<str>>,
}

/// The stored rows of each given kind, by key, as one look at the table found them.
pub type Look = Vec<BTreeMap<Box<str>, RawRow>>;

/// A position in a data set: kind, then row.
pub type Place = (usize, usize);

/// What the user chose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether a data set replaces rows that are newer than it.
    pub overwrites_newer: bool,
}

/// What the table holds, seen from the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The same environment's data.
    SameEnvironment,
    /// The same environment's data, and some of them are newer than the data set, which is therefore an old one.
    NewerThanGiven,
    /// Another environment's data: an init wins over them.
    OtherEnvironment,
    /// No full data set, but maybe leftovers of one: an init wins over them.
    NotInitialised,
}

impl Standing {
    /// Whether an init wins over whatever is there, tombstones included.
    pub fn gives_way(self) -> bool {
        matches!(self, Standing::OtherEnvironment | Standing::NotInitialised)
    }
}

/// Why a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// There is none.
    Missing,
    /// The stored one has a smaller version, or none.
    Newer,
    /// Of the same version, it says more than the stored one.
    SaysMore,
    /// Of the same version, it contradicts the stored one.
    Contradicts,
    /// The stored one cannot be read.
    Unreadable,
    /// An init wins over what an uninitialised store holds.
    NotInitialised,
    /// An init wins over another environment's data.
    OtherEnvironment,
    /// The flag was deleted and made anew: the salts differ.
    MadeAnew,
    /// The stored one is newer, and the user chose that it is replaced.
    OverwritesNewer,
}

/// When a row may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unless {
    /// Unless a newer one appeared.
    Newer,
    /// Unless the stored one is not as it was read any more.
    Changed(RawRow),
}

/// What is done with one given row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is there.
    Unchanged,
    /// Nothing: the stored one is newer, and so the data set is older than the table.
    KeepNewer,
    /// Nothing: it is too large plain, and deflated it is too large for the stored one, which stays for other SDKs, to stand
    /// beside it.
    DoesNotFit,
    /// It is written.
    Write(Why, Unless),
}

/// A row that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which one.
    pub place: Place,
    /// Why.
    pub why: Why,
    /// On what condition.
    pub unless: Unless,
}

/// What an init does before it looks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What the table holds.
    pub standing: Standing,
    /// The writes; those of one wave side by side, each wave after the one before.
    pub waves: Vec<Vec<Write>>,
    /// Rows that are there already.
    pub unchanged: usize,
    /// Rows that stay because they are newer: with any, the data set is older than the table.
    pub newer: Vec<Place>,
    /// Rows that stay because the given ones do not fit beside them: they count as given.
    pub does_not_fit: Vec<Place>,
    /// Leftovers that stay because they stop late updates, as kind and key.
    pub tombstones: Vec<(usize, Box<str>)>,
    /// Whether to look again after the writes: there are leftovers, or rows are written that name others, which somebody
    /// with another data set may be deleting at the same time.
    pub looks_again: bool,
}

/// Plans an init.
pub fn plan(given: &[Given], look: &Look, initialised: bool, policy: Policy) -> Plan {
    let standing = standing(given, look, initialised);
    let (tombstones, leaves_something) = leftovers(given, look, standing);
    let mut plan = Plan {
        standing,
        waves: Vec::new(),
        unchanged: 0,
        newer: Vec::new(),
        does_not_fit: Vec::new(),
        tombstones,
        looks_again: leaves_something,
    };
    for wave in waves(given) {
        let mut writes = Vec::new();
        for (c, i) in wave {
            let collection = &given[c].collection;
            let row = &collection.rows[i];
            match decide(&collection.kind, look[c].get(&row.key), row, standing, policy) {
                Step::Unchanged => plan.unchanged += 1,
                Step::KeepNewer => plan.newer.push((c, i)),
                Step::DoesNotFit => plan.does_not_fit.push((c, i)),
                Step::Write(why, unless) => {
                    plan.looks_again = plan.looks_again || !order::named(node(&collection.kind, row)).is_empty();
                    writes.push(Write { place: (c, i), why, unless });
                }
            }
        }
        if !writes.is_empty() {
            plan.waves.push(writes);
        }
    }
    plan
}

/// The rule for one given row.
pub fn decide(kind: &str, stored: Option<&RawRow>, given: &NewRow, standing: Standing, policy: Policy) -> Step {
    match (rule(kind, stored, given, standing, policy), &given.deflated) {
        (Step::Write(..), Some(deflated)) if large::older(kind, given, deflated, stored).is_none() => Step::DoesNotFit,
        (step, _) => step,
    }
}

/// The rule, however much space there is.
fn rule(kind: &str, stored: Option<&RawRow>, given: &NewRow, standing: Standing, policy: Policy) -> Step {
    let Some(raw) = stored else { return Step::Write(Why::Missing, Unless::Newer) };
    let as_read = |why| Step::Write(why, Unless::Changed(raw.clone()));
    let (Ok(stored), version) = (codec::read(raw), codec::version(raw)) else { return as_read(Why::Unreadable) };
    let version = match version {
        Version::Unreadable => return as_read(Why::Unreadable),
        Version::Absent => None,
        Version::Number(version) => Some(version),
    };
    let relation = (version == Some(given.version)).then(|| relation(kind, &stored, given));
    if relation == Some(Relation::Equal) {
        return Step::Unchanged;
    }
    match standing {
        Standing::NotInitialised => return as_read(Why::NotInitialised),
        Standing::OtherEnvironment => return as_read(Why::OtherEnvironment),
        Standing::SameEnvironment | Standing::NewerThanGiven => {}
    }
    // Of two that were made one after the other, an old data set has the one that is gone, and a smaller version with it.
    let may_be_gone = standing == Standing::NewerThanGiven && version.is_some_and(|version| version > given.version);
    if let (FEATURES | SEGMENTS, Some(its), Some(ours), false) = (kind, salt_of(&stored), salt(given), may_be_gone)
        && its != ours
    {
        return as_read(Why::MadeAnew);
    }
    match relation {
        Some(Relation::Equal | Relation::StoredAdds | Relation::BothAdd) => Step::Unchanged,
        Some(Relation::GivenAdds) => Step::Write(Why::SaysMore, Unless::Newer),
        Some(Relation::Contradict) => Step::Write(Why::Contradicts, Unless::Newer),
        None if version.is_none_or(|version| version < given.version) => Step::Write(Why::Newer, Unless::Newer),
        None if policy.overwrites_newer => as_read(Why::OverwritesNewer),
        None => Step::KeepNewer,
    }
}

/// Of the keys that are live on both sides, with a salt on both, most have another salt in another environment. In the
/// same one, a newer row that is not plainly another flag shows that the data set is old.
fn standing(given: &[Given], look: &Look, initialised: bool) -> Standing {
    if !initialised {
        return Standing::NotInitialised;
    }
    let (mut same, mut other, mut newer) = (0_usize, 0_usize, false);
    for (given, stored) in given.iter().zip(look) {
        let collection = &given.collection;
        let salted = matches!(collection.kind.as_str(), FEATURES | SEGMENTS);
        for row in &collection.rows {
            let Some(raw) = stored.get(&row.key) else { continue };
            let Ok(stored) = codec::read(raw) else { continue };
            // A row that is there already, as most are, is read once.
            let its = if stored.item() == Some(&row.item) { salt(row) } else { salt_of(&stored) };
            let another = match (its, salt(row)) {
                (Some(its), Some(ours)) if salted => {
                    let another = its != ours;
                    *(if another { &mut other } else { &mut same }) += 1;
                    another
                }
                _ => false,
            };
            newer |= !another && matches!(codec::version(raw), Version::Number(version) if version > row.version);
        }
    }
    match (other > same, newer) {
        (true, _) => Standing::OtherEnvironment,
        (false, true) => Standing::NewerThanGiven,
        (false, false) => Standing::SameEnvironment,
    }
}

#[derive(Deserialize)]
struct Salted<'a> {
    #[serde(borrow)]
    salt: Option<&'a RawValue>,
}

/// What makes a flag's percentages its own: every flag that is made gets another one.
fn salt(row: &NewRow) -> Option<String> {
    if row.deleted { None } else { salt_in(&row.item) }
}

fn salt_of(row: &Row) -> Option<String> {
    row.item().and_then(salt_in)
}

fn salt_in(item: &str) -> Option<String> {
    if !item.contains("\"salt\"") {
        return None;
    }
    let salt = serde_json::from_str::<Salted>(item).ok()?.salt?;
    serde_json::from_str::<String>(salt.get()).ok().filter(|salt| !salt.is_empty())
}

/// The waves of everything that is given.
fn waves(given: &[Given]) -> Vec<Vec<Place>> {
    let mut places = Vec::new();
    let mut nodes = Vec::new();
    for (c, given) in given.iter().enumerate() {
        for (i, row) in given.collection.rows.iter().enumerate() {
            places.push((c, i));
            nodes.push(node(&given.collection.kind, row));
        }
    }
    order::waves(&nodes).into_iter().map(|wave| wave.into_iter().map(|place| places[place]).collect()).collect()
}

fn node<'a>(kind: &'a str, row: &'a NewRow) -> Node<'a> {
    Node { kind, key: &row.key, item: if row.deleted { "" } else { &row.item } }
}

/// The tombstones that stay, and whether there may be something to delete: looking again for nothing costs read units.
fn leftovers(given: &[Given], look: &Look, standing: Standing) -> (Vec<(usize, Box<str>)>, bool) {
    let mut tombstones = Vec::new();
    let mut leaves_something = false;
    for (c, (given, stored)) in given.iter().zip(look).enumerate() {
        let keys = given.keys();
        for (key, row) in stored.iter().filter(|(key, _)| !keys.contains(key.as_ref())) {
            // An init wins over leftovers of any form.
            if !standing.gives_way() && codec::read(row).is_ok_and(|row| row.deleted()) {
                tombstones.push((c, key.clone()));
            } else {
                leaves_something = true;
            }
        }
    }
    (tombstones, leaves_something)
}

impl Given {
    /// Every key that is given, whether or not it can be stored.
    fn keys(&self) -> HashSet<&str> {
        let rows = self.collection.rows.iter().map(|row| &*row.key);
        rows.chain(self.set_aside.iter().map(|key| &**key)).collect()
    }
}
