//! What must hold of everything that a fleet did and saw. Nothing here asks how the store does it.

use std::collections::BTreeMap;

use crate::launchdarkly::{LaunchDarkly, Place, places};

/// Something that was done or seen between two moments.
#[derive(Debug, Clone)]
pub struct Event {
    pub what: What,
    pub started: u64,
    pub ended: u64,
}

/// What was done or seen.
#[derive(Debug, Clone)]
pub enum What {
    /// An upsert that was acknowledged.
    Upserted { place: Place, version: i64 },
    /// An init with the payload of a position; whether it succeeded.
    Initialised { position: usize, succeeded: bool },
    /// A consistent read: the version that stood there, a tombstone's too.
    Seen { place: Place, version: Option<i64> },
    /// A flag or segment of this version without something that it needs, over several looks from `started` to `ended`.
    #[allow(dead_code, reason = "what is missing is for whoever reads the verdict")]
    Bare { place: Place, version: i64, missing: Place },
}

/// The first thing that must not be, or nothing.
pub fn verdict(source: &LaunchDarkly, events: &[Event]) -> Option<String> {
    lost(source, events).or_else(|| bare(source, events))
}

/// What is known to have stood at a place at the end of an event.
#[derive(Debug, Clone, Copy)]
struct Known {
    version: i64,
    started: u64,
    ended: u64,
}

/// By place, in the order in which they ended: what was acknowledged or seen.
fn known(source: &LaunchDarkly, events: &[Event]) -> BTreeMap<Place, Vec<Known>> {
    let mut known: BTreeMap<Place, Vec<Known>> = BTreeMap::new();
    let mut add = |place: &Place, version, event: &Event| {
        let entry = Known { version, started: event.started, ended: event.ended };
        known.entry(place.clone()).or_default().push(entry);
    };
    for event in events {
        match &event.what {
            What::Upserted { place, version } | What::Seen { place, version: Some(version) } => {
                add(place, *version, event);
            }
            What::Initialised { position, succeeded: true } => {
                source.payload(*position).for_each(|(place, thing)| add(place, thing.version, event));
            }
            _ => {}
        }
    }
    known.values_mut().for_each(|known| known.sort_by_key(|entry| entry.ended));
    known
}

/// Where a version went down or a row went away although nobody said so. An init may remove what its payload has not, and
/// replace what was made anew by what was there before, unless somebody had already been told something newer than the
/// payload when it began: then it is an old payload.
fn lost(source: &LaunchDarkly, events: &[Event]) -> Option<String> {
    let known = known(source, events);
    let inits: Vec<(&Event, usize)> = events
        .iter()
        .filter_map(|event| match event.what {
            What::Initialised { position, .. } => Some((event, position)),
            _ => None,
        })
        .filter(|(event, position)| !knowably_old(source, &known, *position, event.started))
        .collect();
    let mut floors: BTreeMap<&Place, (usize, Option<Known>)> = BTreeMap::new();
    let mut seen: Vec<(&Event, &Place, Option<i64>)> = events
        .iter()
        .filter_map(|event| match &event.what {
            What::Seen { place, version } => Some((event, place, *version)),
            _ => None,
        })
        .collect();
    seen.sort_by_key(|(event, ..)| event.started);
    for (event, place, version) in seen {
        let Some(known) = known.get(place) else { continue };
        let (next, floor) = floors.entry(place).or_default();
        while let Some(entry) = known.get(*next).filter(|entry| entry.ended < event.started) {
            if floor.is_none_or(|floor| entry.version >= floor.version) {
                *floor = Some(*entry);
            }
            *next += 1;
        }
        let Some(floor) = floor.filter(|floor| version.is_none_or(|version| version < floor.version)) else { continue };
        let (_, known) = source.at_version(place, floor.version);
        let said_so = inits.iter().any(|(init, position)| {
            let given = source.given(*position, place);
            let another = given.is_none_or(|given| !known.deleted && given.salt != known.salt);
            another && init.started < event.ended && init.ended > floor.started
        });
        if !said_so {
            return Some(format!("{place:?} was at {floor:?}, and then {event:?}"));
        }
    }
    None
}

/// Whether something newer than a payload was known to stand in the table at a moment, other than what was made anew: that
/// one of two is the older nobody can tell by its version alone.
fn knowably_old(source: &LaunchDarkly, known: &BTreeMap<Place, Vec<Known>>, position: usize, moment: u64) -> bool {
    source.payload(position).any(|(place, thing)| {
        let known = known.get(place).into_iter().flatten().take_while(|entry| entry.ended < moment);
        known.into_iter().any(|entry| {
            let (_, there) = source.at_version(place, entry.version);
            entry.version > thing.version && (there.deleted || there.salt == thing.salt)
        })
    })
}

/// What went without something that it needs for longer than an init took that could have mended it.
fn bare(source: &LaunchDarkly, events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| {
        let What::Bare { place, version, .. } = &event.what else { return None };
        let (came, _) = source.at_version(place, *version);
        let init = events.iter().find(|init| {
            let What::Initialised { position, succeeded: true } = init.what else { return false };
            position >= came && init.started > event.started && init.ended < event.ended
        });
        init.map(|init| format!("{event:?}, although there was {init:?}"))
    })
}

/// How a table differs from the newest payload: what is live there, with its version and salt, against what should be.
pub fn unlike(source: &LaunchDarkly, live: &BTreeMap<Place, (i64, String)>) -> Option<String> {
    places().find_map(|(place, _)| {
        let wanted = source.given(source.last(), &place).map(|thing| (thing.version, thing.salt.clone()));
        let found = live.get(&place).cloned();
        (found != wanted).then(|| format!("{place:?} is {found:?} and should be {wanted:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(started: u64, ended: u64, what: What) -> Event {
        Event { what, started, ended }
    }

    fn flag(number: usize) -> Place {
        ("features", format!("flag{number}"))
    }

    fn seen(at: u64, place: &Place, version: Option<i64>) -> Event {
        event(at, at + 1, What::Seen { place: place.clone(), version })
    }

    fn upserted(at: u64, place: &Place, version: i64) -> Event {
        event(at, at + 1, What::Upserted { place: place.clone(), version })
    }

    fn initialised(started: u64, ended: u64, position: usize) -> Event {
        event(started, ended, What::Initialised { position, succeeded: true })
    }

    #[test]
    fn a_version_that_goes_down_or_away_is_noticed() {
        let (source, place) = (LaunchDarkly::new(1, 500), flag(0));
        let found = |events: &[Event]| verdict(&source, events).is_some();
        assert!(!found(&[upserted(10, &place, 5), seen(9, &place, Some(4)), seen(20, &place, Some(5))]));
        assert!(found(&[upserted(10, &place, 5), seen(20, &place, Some(4))]));
        assert!(found(&[upserted(10, &place, 5), seen(20, &place, None)]));
        assert!(found(&[seen(10, &place, Some(5)), seen(20, &place, Some(4))]));
    }

    #[test]
    fn an_init_may_remove_what_its_payload_has_not_unless_it_is_known_to_be_old() {
        let source = LaunchDarkly::new(1, 500);
        let place = flag(11);
        assert!(source.given(0, &place).is_none());
        let gone = [upserted(10, &place, 1), initialised(20, 30, 0), seen(40, &place, None)];
        assert_eq!(verdict(&source, &gone), None);
        let newer = upserted(5, &flag(0), 9);
        let old = [&[newer][..], &gone[..]].concat();
        assert!(verdict(&source, &old).is_some());
    }

    #[test]
    fn what_lacks_something_for_longer_than_an_init_is_noticed() {
        let (source, place) = (LaunchDarkly::new(1, 500), flag(0));
        let what = What::Bare { place, version: 1, missing: ("segments", "segment0".into()) };
        let bare = event(10, 50, what);
        assert_eq!(verdict(&source, &[bare.clone(), initialised(5, 40, 0), initialised(20, 60, 0)]), None);
        assert!(verdict(&source, &[bare, initialised(20, 40, 0)]).is_some());
    }
}
