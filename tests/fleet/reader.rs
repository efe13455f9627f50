//! A process that follows the table with consistent reads and never writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flagstore::model::row::Row;
use flagstore::store::{Rows, Store};

use crate::Fleet;
use crate::launchdarkly::{Place, places};
use crate::verdict::{Event, What};

/// A flag of a version without something that it needs, with the ends of the first and the starts of the last look.
type Bare = HashMap<(Place, i64, Place), (u64, u64)>;

/// Looks until the writers are done, and once more.
pub fn follow(fleet: &Fleet, store: &Arc<Store>) -> Vec<Event> {
    let (mut events, mut bare) = (Vec::new(), Bare::new());
    loop {
        let over = fleet.over.load(Ordering::Relaxed);
        look(fleet, store, &mut events, &mut bare);
        if over {
            break;
        }
    }
    events.extend(bare.into_iter().map(as_event));
    events
}

/// Flags first: what they need was there before them, and goes after them.
fn look(fleet: &Fleet, store: &Arc<Store>, events: &mut Vec<Event>, bare: &mut Bare) {
    let started = fleet.now();
    let flags = store.all("features").expect("readable").rows;
    let flags_read = fleet.now();
    let segments = store.all("segments").expect("readable").rows;
    let ended = fleet.now();
    for (place, _) in places() {
        let (rows, started, ended) =
            if place.0 == "features" { (&flags, started, flags_read) } else { (&segments, flags_read, ended) };
        let version = row(rows, &place).map(|row| row.version);
        events.push(Event { what: What::Seen { place, version }, started, ended });
    }
    let alive =
        |place: &Place| row(if place.0 == "features" { &flags } else { &segments }, place).filter(|row| !row.deleted());
    let mut missing = Bare::new();
    for (place, _) in places() {
        let Some(row) = alive(&place) else { continue };
        let (_, thing) = fleet.source.at_version(&place, row.version);
        for needed in thing.needs.iter().filter(|needed| alive(needed).is_none()) {
            let found = (place.clone(), row.version, needed.clone());
            let since = bare.get(&found).map_or(ended, |(since, _)| *since);
            missing.insert(found, (since, started));
        }
    }
    let mended = std::mem::replace(bare, missing);
    events.extend(mended.into_iter().filter(|(found, _)| !bare.contains_key(found)).map(as_event));
}

fn row<'a>(rows: &'a Rows, place: &Place) -> Option<&'a Row> {
    rows.iter().find(|row| *row.key == *place.1)
}

fn as_event(((place, version, missing), (started, ended)): ((Place, i64, Place), (u64, u64))) -> Event {
    Event { what: What::Bare { place, version, missing }, started, ended }
}
