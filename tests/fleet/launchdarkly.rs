//! What LaunchDarkly would say: one environment's flags and segments, change after change, all of it out of a seed.
//!
//! A position is a number of changes. Whoever connects at a position gets the whole payload as it was there, and then
//! one change after the other.

use std::collections::BTreeMap;

use flagstore::model::data_set::{self, Collection};
use flagstore::model::row::Item;
use serde_json::{Value, json};

/// A kind and a key.
pub type Place = (&'static str, String);

/// Flags, and segments.
pub const KINDS: [&str; 2] = ["segments", "features"];
/// Few, so that writers meet.
const FLAGS: usize = 12;
const SEGMENTS: usize = 6;
/// From this number on, flags and segments come and go; the others stay for good.
const LASTING: usize = 3;

/// A flag or segment at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    pub version: i64,
    pub deleted: bool,
    /// Another one each time it is made anew.
    pub salt: String,
    /// What must be there for this one to mean what it says.
    pub needs: Vec<Place>,
}

/// Everything that is or was there.
type State = BTreeMap<Place, Thing>;

/// One environment.
pub struct LaunchDarkly {
    changes: Vec<(Place, Thing)>,
    states: Vec<State>,
    /// The first position of each version of each place.
    came: BTreeMap<Place, BTreeMap<i64, usize>>,
}

impl LaunchDarkly {
    /// As many changes as are wanted.
    pub fn new(seed: u64, changes: usize) -> LaunchDarkly {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut state: State = places()
            .filter(|(_, number)| *number < LASTING)
            .map(|(place, _)| {
                let salt = format!("{}-0", place.1);
                (place, Thing { version: 1, deleted: false, salt, needs: Vec::new() })
            })
            .collect();
        let came = state.keys().map(|place| (place.clone(), BTreeMap::from([(1, 0)]))).collect();
        let mut source = LaunchDarkly { changes: Vec::new(), states: vec![state.clone()], came };
        while source.changes.len() < changes {
            let Some((place, thing)) = change(&state, &mut random) else { continue };
            state.insert(place.clone(), thing.clone());
            source.came.entry(place.clone()).or_default().insert(thing.version, source.states.len());
            source.changes.push((place, thing));
            source.states.push(state.clone());
        }
        source
    }

    /// The position after the last change.
    pub fn last(&self) -> usize {
        self.changes.len()
    }

    /// The change that leads from a position to the next.
    pub fn change_at(&self, position: usize) -> &(Place, Thing) {
        &self.changes[position]
    }

    /// A flag or segment in the payload of a position; none if it is not there, or not any more.
    pub fn given(&self, position: usize, place: &Place) -> Option<&Thing> {
        self.states[position].get(place).filter(|thing| !thing.deleted)
    }

    /// The payload of a position.
    pub fn payload(&self, position: usize) -> impl Iterator<Item = (&Place, &Thing)> {
        self.states[position].iter().filter(|(_, thing)| !thing.deleted)
    }

    /// The payload of a position, as a store takes it.
    pub fn data_set(&self, position: usize) -> Vec<Collection> {
        let kinds = KINDS.iter().map(|kind| {
            let items = self.payload(position).filter(|(place, _)| place.0 == *kind);
            ((*kind).to_owned(), items.map(|(place, thing)| item(place, thing)).collect())
        });
        data_set::from_items(kinds.collect()).expect("a data set")
    }

    /// A flag or segment at a version, and the first position that has it.
    pub fn at_version(&self, place: &Place, version: i64) -> (usize, &Thing) {
        let came = self.came.get(place).and_then(|versions| versions.get(&version));
        let position = *came.expect("a version of this environment");
        (position, &self.states[position][place])
    }
}

/// What a store is given for it.
pub fn item(place: &Place, thing: &Thing) -> Item {
    let payload = (!thing.deleted).then(|| payload(place, thing).to_string());
    Item { key: place.1.clone(), version: thing.version, deleted: thing.deleted, item: payload }
}

fn payload(place: &Place, thing: &Thing) -> Value {
    let of_kind =
        |kind: &'static str| thing.needs.iter().filter(move |(its, _)| *its == kind).map(|(_, key)| key.clone());
    let segments: Vec<String> = of_kind("segments").collect();
    let prerequisites: Vec<Value> = of_kind("features").map(|key| json!({"key": key, "variation": 0})).collect();
    let rules = json!([{"clauses": [{"op": "segmentMatch", "attribute": "", "values": segments, "negate": false}]}]);
    json!({"key": place.1, "version": thing.version, "salt": thing.salt, "prerequisites": prerequisites, "rules": rules})
}

/// Every place, each with its number within its kind.
pub fn places() -> impl Iterator<Item = (Place, usize)> {
    let flags = (0..FLAGS).map(|number| (("features", format!("flag{number}")), number));
    (0..SEGMENTS).map(|number| (("segments", format!("segment{number}")), number)).chain(flags)
}

/// Something that could happen next: an update, a deletion of what nobody needs, or a creation.
fn change(state: &State, random: &mut fastrand::Rng) -> Option<(Place, Thing)> {
    let all: Vec<(Place, usize)> = places().collect();
    let (place, number) = all[random.usize(0..all.len())].clone();
    let there = state.get(&place);
    let version = there.map_or(0, |thing| thing.version) + 1;
    let alive = |place: &Place| state.get(place).is_some_and(|thing| !thing.deleted);
    let needed = state.values().any(|thing| !thing.deleted && thing.needs.contains(&place));
    if alive(&place) && number >= LASTING && !needed && random.u8(0..4) == 0 {
        let salt = String::new();
        return Some((place, Thing { version, deleted: true, salt, needs: Vec::new() }));
    }
    let salt = match there {
        Some(thing) if !thing.deleted => thing.salt.clone(),
        _ => format!("{}-{version}", place.1),
    };
    // Segments need segments of smaller numbers, flags need segments and flags of smaller numbers: no circles.
    let below =
        all.iter().filter(
            |((kind, _), its)| {
                if *kind == place.0 { *its < number } else { *kind == "segments" && place.0 == "features" }
            },
        );
    let candidates: Vec<&Place> = below.map(|(place, _)| place).filter(|place| alive(place)).collect();
    let wanted = if candidates.is_empty() { 0 } else { random.usize(0..3) };
    let mut needs: Vec<Place> = (0..wanted).map(|_| candidates[random.usize(0..candidates.len())].clone()).collect();
    needs.sort();
    needs.dedup();
    Some((place, Thing { version, deleted: false, salt, needs }))
}

#[test]
fn an_environment_never_needs_what_it_has_not() {
    let source = LaunchDarkly::new(7, 500);
    let (mut deletions, mut anew) = (0, 0);
    for position in 0..=source.last() {
        for (place, thing) in source.payload(position) {
            assert!(
                thing.needs.iter().all(|needed| source.given(position, needed).is_some()),
                "{place:?} at {position}"
            );
        }
        if position < source.last() {
            let (place, thing) = source.change_at(position);
            deletions += usize::from(thing.deleted);
            anew += usize::from(!thing.deleted && thing.version > 1 && source.given(position, place).is_none());
        }
    }
    assert!(deletions > 20 && anew > 10, "{deletions} deletions, {anew} made anew");
}
