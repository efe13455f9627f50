//! The order in which a data set becomes visible: segments after those they name, then flags after their prerequisites.
//!
//! A reader that meets a flag before the segment or prerequisite it names would evaluate it wrongly. Rows are
//! therefore written in waves: everything inside one wave may be written at once, each wave after the one before. What
//! is deleted goes in the opposite order.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::namespace::{FEATURES, SEGMENTS};

/// A row that has a place in the order.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its payload; that of a tombstone names nothing.
    pub item: &'a str,
}

/// The waves of rows, by their positions, first one first. Kinds other than segments and flags keep their own order
/// between the two, each a wave.
pub fn waves(rows: &[Node<'_>]) -> Vec<Vec<usize>> {
    let of = |kind: &str| (0..rows.len()).filter(|&i| rows[i].kind == kind).collect::<Vec<_>>();
    let mut waves = layers(rows, &of(SEGMENTS), named_segments);
    let mut others: Vec<&str> = Vec::new();
    for row in rows {
        if !matches!(row.kind, SEGMENTS | FEATURES) && others.last() != Some(&row.kind) && !others.contains(&row.kind) {
            others.push(row.kind);
        }
    }
    waves.extend(others.into_iter().map(of));
    waves.extend(layers(rows, &of(FEATURES), prerequisites));
    waves.retain(|wave| !wave.is_empty());
    waves
}

/// Rows of one kind by their depth under what they name. Rows in a cycle, which no SDK can evaluate anyway, come last.
fn layers(rows: &[Node<'_>], members: &[usize], named: fn(&str) -> Vec<String>) -> Vec<Vec<usize>> {
    let places: HashMap<&str, usize> = members.iter().enumerate().map(|(place, &row)| (rows[row].key, place)).collect();
    let mut waiting_for = vec![0_usize; members.len()];
    let mut waited_on_by: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (place, &row) in members.iter().enumerate() {
        for name in named(rows[row].item) {
            if let Some(&on) = places.get(name.as_str()) {
                waiting_for[place] += 1;
                waited_on_by[on].push(place);
            }
        }
    }
    let mut layer: Vec<usize> = (0..members.len()).filter(|&place| waiting_for[place] == 0).collect();
    let mut placed = vec![false; members.len()];
    let mut layers = Vec::new();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for &place in &layer {
            placed[place] = true;
            for &dependent in &waited_on_by[place] {
                waiting_for[dependent] -= 1;
                if waiting_for[dependent] == 0 {
                    next.push(dependent);
                }
            }
        }
        layers.push(std::mem::replace(&mut layer, next));
    }
    layers.push((0..placed.len()).filter(|&place| !placed[place]).collect());
    layers.into_iter().map(|layer| layer.into_iter().map(|place| members[place]).collect()).collect()
}

/// What a flag or segment names, as kind and key.
pub fn named(node: Node<'_>) -> Vec<(&'static str, String)> {
    if !matches!(node.kind, FEATURES | SEGMENTS) {
        return Vec::new();
    }
    let segments = named_segments(node.item).into_iter().map(|key| (SEGMENTS, key));
    let flags = if node.kind == FEATURES { prerequisites(node.item) } else { Vec::new() };
    segments.chain(flags.into_iter().map(|key| (FEATURES, key))).collect()
}

/// The members of a flag or segment that name others. What lies around them is passed over, however deep it is nested.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    prerequisites: Option<&'a RawValue>,
    #[serde(borrow)]
    rules: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Rule<'a> {
    #[serde(borrow)]
    clauses: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Clause {
    op: Option<String>,
    values: Option<Vec<Value>>,
}

/// The keys of a flag's prerequisites; none where the payload is not a flag's.
fn prerequisites(item: &str) -> Vec<String> {
    // Most flags have none, and typed SDKs write the empty list; reading only flags that name one keeps init linear
    // in what matters. An escaped property name would be missed, and no serialiser escapes ASCII letters.
    if !item.contains("\"prerequisites\"") {
        return Vec::new();
    }
    let list = serde_json::from_str::<Body>(item).ok().and_then(|flag| flag.prerequisites);
    let Some(Ok(list)) = list.map(|list| serde_json::from_str::<Vec<Value>>(list.get())) else {
        return Vec::new();
    };
    list.iter().filter_map(|entry| entry.get("key").and_then(Value::as_str)).map(Into::into).collect()
}

/// The keys of the segments that the clauses of a flag's or segment's rules name.
fn named_segments(item: &str) -> Vec<String> {
    // As above: most rules name none.
    if !item.contains("\"segmentMatch\"") {
        return Vec::new();
    }
    let rules = serde_json::from_str::<Body>(item).ok().and_then(|body| body.rules);
    let rules = rules.and_then(|rules| serde_json::from_str::<Vec<&RawValue>>(rules.get()).ok()).unwrap_or_default();
    let clauses = rules.into_iter().filter_map(|rule| serde_json::from_str::<Rule>(rule.get()).ok()?.clauses).flatten();
    clauses
        .filter_map(|clause| serde_json::from_str::<Clause>(clause.get()).ok())
        .filter(|clause| clause.op.as_deref() == Some("segmentMatch"))
        .flat_map(|clause| clause.values.unwrap_or_default())
        .filter_map(|value| value.as_str().map(ToOwned::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Rows = Vec<(&'static str, &'static str, String)>;

    fn flag(key: &'static str, prerequisites: &[&str]) -> (&'static str, &'static str, String) {
        let list: Vec<_> = prerequisites.iter().map(|key| json!({"key": key, "variation": 0})).collect();
        ("features", key, json!({"key": key, "prerequisites": list}).to_string())
    }

    fn segment(key: &'static str, names: &[&str]) -> (&'static str, &'static str, String) {
        ("segments", key, json!({"rules": [{"clauses": [{"op": "segmentMatch", "values": names}]}]}).to_string())
    }

    fn keys(rows: &Rows) -> Vec<Vec<&'static str>> {
        let nodes: Vec<Node> = rows.iter().map(|(kind, key, item)| Node { kind, key, item }).collect();
        waves(&nodes).iter().map(|wave| wave.iter().map(|&row| rows[row].1).collect()).collect()
    }

    #[test]
    fn segments_come_first_and_everything_after_what_it_names() {
        let rows = vec![
            flag("top", &["middle", "base"]),
            flag("middle", &["base"]),
            flag("base", &[]),
            ("things", "thing", "{}".into()),
            segment("outer", &["inner"]),
            segment("inner", &[]),
        ];
        let wanted = [vec!["inner"], vec!["outer"], vec!["thing"], vec!["base"], vec!["middle"], vec!["top"]];
        assert_eq!(keys(&rows), wanted);
    }

    #[test]
    fn a_flag_keeps_its_place_however_deep_it_is_nested() {
        let nested = "[".repeat(500) + &"]".repeat(500);
        let deep = format!("{{\"rules\":{nested},\"prerequisites\":[{{\"key\":\"base\"}}]}}");
        assert_eq!(keys(&vec![("features", "deep", deep), flag("base", &[])]), [vec!["base"], vec!["deep"]]);
    }

    #[test]
    fn cycles_missing_prerequisites_and_payloads_that_are_no_flags_lose_nothing() {
        let rows = vec![
            flag("a", &["b"]),
            flag("b", &["a"]),
            flag("self", &["self"]),
            flag("orphan", &["gone"]),
            ("features", "opaque", "\"prerequisites\", not JSON".into()),
        ];
        assert_eq!(keys(&rows), [vec!["orphan", "opaque"], vec!["a", "b", "self"]]);
    }

    #[test]
    fn what_a_row_names_is_read_past_what_is_none_of_it() {
        let item = json!({
            "prerequisites": [{"key": "p"}, {"variation": 1}, "x"],
            "rules": ["x", {"clauses": [{"op": "in", "values": ["no"]}, 5, {"op": "segmentMatch", "values": ["s", 1]}]}],
        })
        .to_string();
        let node = |kind| Node { kind, key: "k", item: &item };
        assert_eq!(named(node("features")), [("segments", "s".into()), ("features", "p".into())]);
        assert_eq!(named(node("segments")), [("segments", "s".into())]);
        assert_eq!(named(node("things")), []);
    }
}
