//! The order in which a data set becomes visible: segments, then flags after their prerequisites.
//!
//! A reader that meets a flag before the segment or prerequisite it names would evaluate it wrongly. Rows are
//! therefore written in waves: everything inside one wave may be written at once, each wave after the one before.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::data_set::Collection;
use super::namespace::{FEATURES, SEGMENTS};

/// A position in a data set: collection, then item.
pub type Place = (usize, usize);

/// The waves of a data set, first one first. Collections other than segments and flags keep their own order
/// between the two, each a wave.
pub fn waves(data: &[&Collection]) -> Vec<Vec<Place>> {
    let everything = |wanted: &'static dyn Fn(&str) -> bool| {
        data.iter()
            .enumerate()
            .filter(move |(_, collection)| wanted(&collection.kind))
            .map(|(c, collection)| (0..collection.rows.len()).map(|i| (c, i)).collect::<Vec<_>>())
    };
    let mut waves: Vec<Vec<Place>> = everything(&|kind| kind == SEGMENTS).collect();
    waves.extend(everything(&|kind| kind != SEGMENTS && kind != FEATURES));
    for (c, collection) in data.iter().enumerate().filter(|(_, collection)| collection.kind == FEATURES) {
        waves.extend(flag_waves(collection).into_iter().map(|wave| wave.into_iter().map(|i| (c, i)).collect()));
    }
    waves.retain(|wave| !wave.is_empty());
    waves
}

/// Flags by their depth under prerequisites. Flags in a cycle, which no SDK can evaluate anyway, come last.
fn flag_waves(flags: &Collection) -> Vec<Vec<usize>> {
    let places: HashMap<&str, usize> = flags.rows.iter().enumerate().map(|(i, row)| (&*row.key, i)).collect();
    let mut waiting_for = vec![0_usize; flags.rows.len()];
    let mut waited_on_by: Vec<Vec<usize>> = vec![Vec::new(); flags.rows.len()];
    for (flag, row) in flags.rows.iter().enumerate() {
        for prerequisite in prerequisites(&row.item) {
            if let Some(&place) = places.get(prerequisite.as_str()) {
                waiting_for[flag] += 1;
                waited_on_by[place].push(flag);
            }
        }
    }
    let mut wave: Vec<usize> = (0..waiting_for.len()).filter(|&flag| waiting_for[flag] == 0).collect();
    let mut placed = vec![false; waiting_for.len()];
    let mut waves = Vec::new();
    while !wave.is_empty() {
        let mut next = Vec::new();
        for &flag in &wave {
            placed[flag] = true;
            for &dependent in &waited_on_by[flag] {
                waiting_for[dependent] -= 1;
                if waiting_for[dependent] == 0 {
                    next.push(dependent);
                }
            }
        }
        waves.push(std::mem::replace(&mut wave, next));
    }
    waves.push((0..placed.len()).filter(|&flag| !placed[flag]).collect());
    waves
}

/// The one property of a flag that decides its place.
#[derive(Deserialize)]
struct Flag<'a> {
    #[serde(borrow)]
    prerequisites: Option<&'a RawValue>,
}

/// The keys of a flag's prerequisites; none where the payload is not a flag's.
fn prerequisites(item: &str) -> Vec<String> {
    // Most flags have none, and typed SDKs write the empty list; reading only flags that name one keeps init linear
    // in what matters. An escaped property name would be missed, and no serialiser escapes ASCII letters.
    if !item.contains("\"prerequisites\"") {
        return Vec::new();
    }
    // What lies around the list is passed over, however deep it is nested.
    let list = serde_json::from_str::<Flag>(item).ok().and_then(|flag| flag.prerequisites);
    let Some(Ok(list)) = list.map(|list| serde_json::from_str::<Vec<Value>>(list.get())) else {
        return Vec::new();
    };
    list.iter().filter_map(|entry| entry.get("key").and_then(Value::as_str)).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::NewRow;

    fn flag(key: &str, prerequisites: &[&str]) -> NewRow {
        let list: Vec<_> = prerequisites.iter().map(|key| serde_json::json!({"key": key, "variation": 0})).collect();
        let item = serde_json::json!({"key": key, "prerequisites": list}).to_string();
        NewRow { key: key.into(), version: 1, item: item.into(), deleted: false }
    }

    fn collection(kind: &str, rows: Vec<NewRow>) -> Collection {
        Collection { kind: kind.into(), rows }
    }

    fn keys(data: &[Collection]) -> Vec<Vec<&str>> {
        waves(&data.iter().collect::<Vec<_>>())
            .iter()
            .map(|wave| wave.iter().map(|&(c, i)| &*data[c].rows[i].key).collect())
            .collect()
    }

    #[test]
    fn segments_come_first_and_flags_after_their_prerequisites() {
        let data = [
            collection(
                "features",
                vec![flag("top", &["middle", "base"]), flag("middle", &["base"]), flag("base", &[])],
            ),
            collection("things", vec![flag("thing", &[])]),
            collection("segments", vec![flag("segment", &[])]),
        ];
        assert_eq!(keys(&data), [vec!["segment"], vec!["thing"], vec!["base"], vec!["middle"], vec!["top"]]);
    }

    #[test]
    fn a_flag_keeps_its_place_however_deep_it_is_nested() {
        let mut deep = flag("deep", &["base"]);
        let nested = "[".repeat(500) + &"]".repeat(500);
        deep.item = format!("{{\"rules\":{nested},\"prerequisites\":[{{\"key\":\"base\"}}]}}").into();
        assert_eq!(keys(&[collection("features", vec![deep, flag("base", &[])])]), [vec!["base"], vec!["deep"]]);
    }

    #[test]
    fn cycles_missing_prerequisites_and_payloads_that_are_no_flags_lose_nothing() {
        let mut opaque = flag("opaque", &[]);
        opaque.item = "\"prerequisites\", not JSON".into();
        let data = [collection(
            "features",
            vec![flag("a", &["b"]), flag("b", &["a"]), flag("self", &["self"]), flag("orphan", &["gone"]), opaque],
        )];
        assert_eq!(keys(&data), [vec!["orphan", "opaque"], vec!["a", "b", "self"]]);
    }
}
