//! Payloads and data sets: what their JSON means.

use std::collections::HashMap;

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::model::content::{Relation, relation};
use crate::model::data_set::{self, Collection};
use crate::model::order::{self, Node};
use crate::model::row::{Attribute, Item, NewRow, Payload, RawRow, Row};
use crate::model::{Code, codec, size};

/// A payload reads as deleted exactly when it is `null` or an object whose last member `deleted` is `true`; else it
/// comes back byte for byte. A deletion under any key reads back as deleted with its version, even without the version
/// attribute, and changes nothing where a tombstone of its version stands.
pub fn tombstone(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for version in [None, Some(7)] {
        let read = codec::read(&raw("key", version, Some(text)));
        if text.is_empty() {
            assert!(read.is_err());
            continue;
        }
        let row = read.expect("a row with key and item can be read");
        assert_eq!((row.deleted(), row.item()), if is_deleted(text) { (true, None) } else { (false, Some(text)) });
        assert!(version.is_none_or(|version| row.version == version));
        assert!(row.version >= 0, "the header promises versions of 0 or more");
    }
    let key = if text.is_empty() || text.len() > 1024 { "key" } else { text };
    for kind in ["features", "segments", "things"] {
        // Any version will do; this one is a part of the input.
        let version = i64::MAX >> (text.len() % 64);
        let item = Item { key: key.into(), version, deleted: true, item: None };
        let new = codec::new_row(kind, &item).expect("a deletion needs no more");
        let row = codec::read(&raw(key, None, Some(&new.item))).expect("what is written can be read");
        assert_eq!((&*row.key, row.version, row.deleted()), (key, version, true), "{}", new.item);
        assert_eq!(relation(kind, &row, &new), Relation::Equal);
    }
}

fn raw(key: &str, version: Option<i64>, item: Option<&str>) -> RawRow {
    RawRow {
        key: Some(key.into()),
        version: version.map(|version| Attribute::Number(version.to_string().into())),
        item: item.map(|item| Attribute::Text(item.into())),
        ..RawRow::default()
    }
}

/// The same question asked of another reader, which takes what JSON's grammar allows, however deep or large.
pub(super) fn is_deleted(text: &str) -> bool {
    if let Ok(Value::Object(members)) = serde_json::from_str(text) {
        assert_eq!(members.get("deleted") == Some(&Value::Bool(true)), deleted_in(text));
    }
    text == "null" || deleted_in(text)
}

fn deleted_in(text: &str) -> bool {
    let members = serde_json::from_str::<HashMap<String, Box<RawValue>>>(text).unwrap_or_default();
    members.get("deleted").is_some_and(|deleted| deleted.get() == "true")
}

/// Two payloads, with a NUL between them: their relation is the same seen from both sides, equality survives another
/// serialisation, and never holds where something is left of one that is not left of the other once all that SDKs leave
/// out is gone. Who adds something goes on to hold what the other had.
pub fn content(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (a, b) = text.split_once('\0').unwrap_or((text, text));
    assert_eq!(related("things", a, b) == Relation::Equal, a == b, "payloads of other kinds are opaque");
    assert_eq!(related("segments", a, a), Relation::Equal);
    let there = related("features", a, b);
    let back = match related("features", b, a) {
        Relation::GivenAdds => Relation::StoredAdds,
        Relation::StoredAdds => Relation::GivenAdds,
        same => same,
    };
    assert_eq!(there, back, "another relation from the other side");
    if let (Relation::Equal, true, Ok(a), Ok(b)) = (there, a != b, serde_json::from_str(a), serde_json::from_str(b)) {
        assert_eq!(essence(&a), essence(&b));
    }
    if let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(a) {
        // A number that is no integer may lose its last digit on the way, and another text is compared in depth only so far.
        if !has_fraction(&value) && depth(&value) < 60 {
            assert_eq!(
                related("features", a, &value.to_string()),
                Relation::Equal,
                "another serialisation of the same"
            );
        }
    }
}

fn related(kind: &str, stored: &str, given: &str) -> Relation {
    let row = Row { key: "k".into(), version: 1, payload: Payload::Live(stored.into()) };
    relation(kind, &row, &NewRow { key: "k".into(), version: 1, item: given.into(), deleted: false, deflated: None })
}

fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// What is left of a flag or segment without the members that say nothing: null, false, empty.
fn essence(flag: &Value) -> Value {
    let Value::Object(members) = flag else { return flag.clone() };
    let kept = members.iter().filter_map(|(name, value)| {
        let kept = match name.as_str() {
            "variations" | "clientSideAvailability" => Some(exact(value)).filter(|value| !is_no_list(value)),
            _ => member(name, value),
        };
        kept.map(|value| (name.clone(), value))
    });
    kept.collect()
}

fn member(name: &str, value: &Value) -> Option<Value> {
    let kept = match value {
        Value::Object(members) => Value::Object(object(members)),
        Value::Array(items) if name == "values" => Value::Array(items.iter().map(exact).collect()),
        Value::Array(items) => Value::Array(items.iter().map(element).collect()),
        other => exact(other),
    };
    let says_nothing = match &kept {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || (name == "kind" && text == "rollout"),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    (!says_nothing).then_some(kept)
}

fn object(members: &Map<String, Value>) -> Map<String, Value> {
    members.iter().filter_map(|(name, value)| Some((name.clone(), member(name, value)?))).collect()
}

/// Nobody leaves elements out of an array; the members of one that is an object, they do.
fn element(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(object(members)),
        other => exact(other),
    }
}

fn is_no_list(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// The value with each number in one form.
fn exact(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(format!("number {}", digits(number))),
        Value::Array(items) => Value::Array(items.iter().map(exact).collect()),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), exact(value))).collect(),
        other => other.clone(),
    }
}

fn digits(number: &Number) -> String {
    // Rust writes out every digit of a float, and no point behind a whole one.
    if number.is_f64() { format!("{}", number.as_f64().unwrap() + 0.0) } else { number.to_string() }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

/// The JSON data set: what is taken is what stands there, byte for byte, and reads back as it was; each row has a place
/// in the order, segments before flags, flags after their prerequisites. What is refused has a code that says so.
pub fn init_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let data = match data_set::from_json(text) {
        Ok(data) => data,
        Err(error) => {
            let codes = [
                Code::InvalidJson,
                Code::InvalidVersion,
                Code::DuplicateKey,
                Code::EmptyKey,
                Code::EmptyKind,
                Code::KeyTooLong,
            ];
            assert!(codes.contains(&error.code), "{error:?}");
            return;
        }
    };
    for collection in &data {
        for row in &collection.rows {
            stands_there_and_reads_back(text, &collection.kind, row);
        }
    }
    each_row_has_its_place(&data);
    let items = data.iter().map(|collection| (collection.kind.clone(), collection.rows.iter().map(item).collect()));
    assert_eq!(data_set::from_items(items.collect()).as_ref(), Ok(&data), "both forms agree");
}

fn item(row: &NewRow) -> Item {
    Item { key: row.key.to_string(), version: row.version, deleted: row.deleted, item: Some(row.item.to_string()) }
}

fn stands_there_and_reads_back(text: &str, kind: &str, row: &NewRow) {
    assert!(row.version >= 0 && !row.key.is_empty());
    if !(row.deleted && ["features", "segments"].contains(&kind)) {
        assert!(text.contains(&*row.item));
    }
    assert!(size::row_bytes(kind, row) > row.key.len() + row.item.len());
    let read = codec::read(&raw(&row.key, Some(row.version), Some(&row.item))).expect("what is written can be read");
    assert_eq!(read, row.as_read());
    assert_eq!(relation(kind, &read, row), Relation::Equal);
}

fn each_row_has_its_place(data: &[Collection]) {
    let rows: Vec<(&str, &NewRow)> =
        data.iter().flat_map(|collection| collection.rows.iter().map(|row| (collection.kind.as_str(), row))).collect();
    let nodes: Vec<_> = rows.iter().map(|(kind, row)| Node { kind, key: &row.key, item: &row.item }).collect();
    let waves = order::waves(&nodes);
    let mut wave_of = HashMap::new();
    for (number, wave) in waves.iter().enumerate() {
        for place in wave {
            assert_eq!(wave_of.insert(*place, number), None, "a row has two places");
        }
    }
    assert_eq!(wave_of.len(), rows.len());
    let of = |kind: &str| -> Vec<usize> {
        wave_of.iter().filter(|(place, _)| rows[**place].0 == kind).map(|(_, wave)| *wave).collect()
    };
    let (last_segment, first_flag) = (of("segments").into_iter().max(), of("features").into_iter().min());
    assert!(last_segment < first_flag || first_flag.is_none());
    for (place, wave) in &wave_of {
        // The last wave may hold flags that wait for each other.
        if rows[*place].0 == "features" && wave + 1 < waves.len() {
            for prerequisite in prerequisites(&rows[*place].1.item) {
                let found = rows.iter().position(|(kind, row)| *kind == "features" && *row.key == *prerequisite);
                assert!(found.is_none_or(|found| wave_of[&found] < *wave), "{prerequisite} comes too late");
            }
        }
    }
}

fn prerequisites(flag: &str) -> Vec<String> {
    let flag = serde_json::from_str::<Value>(flag).unwrap_or_default();
    let list = flag["prerequisites"].as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|prerequisite| prerequisite["key"].as_str().map(Into::into)).collect()
}
