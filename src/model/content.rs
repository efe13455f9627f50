//! Whether two rows of one version hold the same thing, so that `init` need not write it again.
//!
//! Every SDK serialises differently: some drop unknown properties, some drop nulls, some write every default.
//! Within one version the flag is the same all the same, and rewriting it would cost write units at each
//! restart of a fleet that mixes languages.

use serde_json::{Map, Number, Value};

use super::namespace::{FEATURES, SEGMENTS};
use super::row::{NewRow, Payload, Row};

/// Members whose content is the user's own or where absence has a meaning of its own: compared as they are.
const COMPARED_LITERALLY: [&str; 2] = ["variations", "clientSideAvailability"];
/// What a clause compares with is the user's own too; but an empty list may be left out.
const VALUES: &str = "values";

/// Whether writing `new` over `stored` would change nothing for any reader.
pub fn unchanged(kind: &str, stored: &Row, new: &NewRow) -> bool {
    if stored.version != new.version || stored.deleted() != new.deleted {
        return false;
    }
    match &stored.payload {
        Payload::Tombstone => true,
        Payload::Live(text) => {
            **text == *new.item || (matches!(kind, FEATURES | SEGMENTS) && same_json(text, &new.item))
        }
    }
}

fn same_json(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
        (Ok(Value::Object(a)), Ok(Value::Object(b))) => same_members(&a, &b, true),
        _ => false,
    }
}

/// Compares objects; a member that is null, false or empty equals one that is not there.
fn same_members(a: &Map<String, Value>, b: &Map<String, Value>, top: bool) -> bool {
    let matched = a.iter().all(|(name, left)| match b.get(name) {
        Some(right) if top && COMPARED_LITERALLY.contains(&name.as_str()) => literally_same(left, right),
        Some(right) if name == VALUES && left.is_array() && right.is_array() => literally_same(left, right),
        Some(right) => same_value(left, right),
        None => is_default(name, left, top),
    });
    matched && b.iter().all(|(name, right)| a.contains_key(name) || is_default(name, right, top))
}

fn is_default(name: &str, value: &Value, top: bool) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ if top && COMPARED_LITERALLY.contains(&name) => false,
        Value::Bool(set) => !set,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.iter().all(|(name, value)| is_default(name, value, false)),
        Value::Number(_) => false,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_members(a, b, false),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_element(a, b)),
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (a, b) => a == b || (is_default("", a, false) && is_default("", b, false)),
    }
}

/// Nobody leaves elements out of an array; the members of an element, they do.
fn same_element(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_members(a, b, false),
        (a, b) => literally_same(a, b),
    }
}

fn literally_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, left)| b.get(name).is_some_and(|right| literally_same(left, right)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| literally_same(a, b)),
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (a, b) => a == b,
    }
}

/// JSON has one number type: `1` and `1.0` are the same.
fn same_number(a: &Number, b: &Number) -> bool {
    a == b || whole(a).is_some_and(|a| whole(b) == Some(a))
}

/// A whole number to its last digit: many integers beyond 2^53 become the same float.
fn whole(number: &Number) -> Option<i128> {
    let float = || number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e30);
    number.as_i128().or_else(|| float().map(|float| float as i128))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(version: i64, text: &str) -> Row {
        Row { key: "k".into(), version, payload: Payload::Live(text.into()) }
    }

    fn new(version: i64, text: &str) -> NewRow {
        NewRow { key: "k".into(), version, item: text.into(), deleted: false }
    }

    #[test]
    fn what_differs_only_in_serialisation_is_unchanged() {
        for (a, b) in [
            (r#"{"a":1,"b":"é"}"#, r#"{"b": "\u00e9", "a": 1.0}"#),
            (r#"{"on":false,"offVariation":null,"rules":[]}"#, r#"{}"#),
            (r#"{"rules":[{"clauses":[{"negate":false}]}]}"#, r#"{"rules":[{"clauses":[{}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":null}]}]}"#, r#"{"rules":[{"clauses":[{"values":[]}]}]}"#),
            (r#"{"a":9007199254740992}"#, r#"{"a":9007199254740992.0}"#),
            (r#"{"fallthrough":{}}"#, r#"{"x":{"y":[],"z":""}}"#),
            (r#"{"variations":[]}"#, r#"{}"#),
        ] {
            assert!(unchanged("features", &live(1, a), &new(1, b)), "{a} {b}");
            assert!(unchanged("segments", &live(1, b), &new(1, a)), "{b} {a}");
            assert!(!unchanged("other", &live(1, a), &new(1, b)), "{a} {b}");
        }
    }

    #[test]
    fn a_real_difference_is_a_change() {
        for (a, b) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992}"#),
            (r#"{"a":9007199254740993}"#, r#"{"a":9007199254740992.0}"#),
            (r#"{"a":18446744073709551615}"#, r#"{"a":18446744073709551616.0}"#),
            (r#"{"on":true}"#, r#"{}"#),
            (r#"{"rules":[{"clauses":[{"values":[false]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[null]}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":[""]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[false]}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":[{"a":null}]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[{}]}]}]}"#),
            (r#"{"a":[[]]}"#, r#"{"a":[null]}"#),
            (r#"{"variation":0}"#, r#"{}"#),
            (r#"{"variations":[{"a":null}]}"#, r#"{"variations":[{}]}"#),
            (r#"{"variations":[false]}"#, r#"{"variations":[null]}"#),
            (r#"{"clientSideAvailability":{"usingMobileKey":false}}"#, r#"{}"#),
            (r#"{"rules":[{"clauses":[{"values":["a"]}]}]}"#, r#"{"rules":[{"clauses":[{"values":["b"]}]}]}"#),
            (r#"{"rules":[{}]}"#, r#"{}"#),
            ("[]", "{}"),
        ] {
            assert!(!unchanged("features", &live(1, a), &new(1, b)), "{a} {b}");
            assert!(!unchanged("features", &live(1, b), &new(1, a)), "{b} {a}");
        }
    }

    #[test]
    fn tombstones_of_one_version_are_all_the_same() {
        let stored = Row { key: "k".into(), version: 3, payload: Payload::Tombstone };
        let tombstone = NewRow { deleted: true, ..new(3, "anything") };
        assert!(unchanged("mock1", &stored, &tombstone));
        assert!(!unchanged("mock1", &stored, &NewRow { version: 4, ..tombstone }));
        assert!(!unchanged("features", &stored, &new(3, "{}")));
        assert!(!unchanged("features", &live(3, "{}"), &NewRow { deleted: true, ..new(3, "{}") }));
    }

    #[test]
    fn the_version_decides_before_the_content() {
        assert!(!unchanged("features", &live(1, "{}"), &new(2, "{}")));
    }
}
