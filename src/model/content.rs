//! How the contents of two rows of one version relate, so that `init` writes what a reader would miss and nothing else.
//!
//! Within one version a flag is the same flag, and every SDK serialises it differently. Rewriting it would cost write
//! units at each restart of a fleet that mixes languages, and a poorer form would replace a richer one. What SDKs leave
//! out, and what is made of it here:
//!
//! * members that are null, false or empty, and a rollout's `"kind":"rollout"`: such a member equals none at all;
//! * `clientSideAvailability`, ids of rules, and all members that a typed model does not know: who has them has more;
//! * digits of numbers that no float holds: the number that is more than the float's own has more;
//! * inside variations and clauses' values, which are the user's own, members that are null: who has them has more. All
//!   else there is compared as it is, to the last digit.
//!
//! A member that every SDK of every age keeps (`ALWAYS_KEPT`) is missing only where it was taken away: that contradicts.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::namespace::{FEATURES, SEGMENTS};
use super::row::{NewRow, Payload, Row};

/// How two contents relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Both say the same.
    Equal,
    /// The given one says more, and contradicts nothing.
    GivenAdds,
    /// The stored one says more, and contradicts nothing.
    StoredAdds,
    /// Each lacks something of the other; what both say is equal.
    BothAdd,
    /// They differ.
    Contradict,
}

use Relation::{BothAdd, Contradict, Equal, GivenAdds, StoredAdds};

impl Relation {
    fn and(self, other: Relation) -> Relation {
        match (self, other) {
            (Contradict, _) | (_, Contradict) => Contradict,
            (Equal, one) | (one, Equal) => one,
            (a, b) if a == b => a,
            _ => BothAdd,
        }
    }
}

/// Members of flags and segments that no serialiser drops while they say something, wherever they stand.
const ALWAYS_KEPT: [&str; 27] = [
    "attribute",
    "bucketBy",
    "clauses",
    "deleted",
    "excluded",
    "fallthrough",
    "generation",
    "included",
    "key",
    "kind",
    "negate",
    "offVariation",
    "on",
    "op",
    "prerequisites",
    "rollout",
    "rules",
    "salt",
    "seed",
    "targets",
    "trackEvents",
    "unbounded",
    "values",
    "variation",
    "variations",
    "version",
    "weight",
];

/// Nothing that an SDK understands is nested deeper. Beyond, texts are compared as they are.
const DEEPEST: usize = 64;

/// Whose words an object holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// LaunchDarkly's, at the top of a flag or segment.
    Top,
    /// LaunchDarkly's, further inside.
    Inside,
    /// `clientSideAvailability`, where a missing member is not one that is false.
    Availability,
    /// The user's own.
    User,
}

/// How the content of a given row relates to that of a stored one of the same version.
pub fn relation(kind: &str, stored: &Row, given: &NewRow) -> Relation {
    match (&stored.payload, given.deleted) {
        (Payload::Tombstone, true) => Equal,
        (Payload::Live(text), false) if **text == *given.item => Equal,
        (Payload::Live(text), false) if matches!(kind, FEATURES | SEGMENTS) => {
            match (object(text), object(&given.item)) {
                (Some(stored), Some(given)) => objects(&stored, &given, Words::Top, 0),
                _ => Contradict,
            }
        }
        _ => Contradict,
    }
}

type Object<'t> = HashMap<String, &'t RawValue>;

/// Of two members of one name the last counts, as for every parser.
fn object(text: &str) -> Option<Object<'_>> {
    text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
}

fn objects(stored: &Object<'_>, given: &Object<'_>, words: Words, depth: usize) -> Relation {
    let mut relation = Equal;
    for (name, stored) in stored {
        relation = relation.and(match given.get(name) {
            Some(given) => values(name, stored.get(), given.get(), words, depth),
            None => alone(name, stored.get(), words, StoredAdds),
        });
    }
    for (name, given) in given.iter().filter(|(name, _)| !stored.contains_key(*name)) {
        relation = relation.and(alone(name, given.get(), words, GivenAdds));
    }
    relation
}

/// A member that only one side has.
fn alone(name: &str, value: &str, words: Words, adds: Relation) -> Relation {
    match words {
        Words::Top | Words::Inside if says_nothing(name, value, words) => Equal,
        Words::Top | Words::Inside if ALWAYS_KEPT.contains(&name) => Contradict,
        Words::User if value != "null" => Contradict,
        _ => adds,
    }
}

fn says_nothing(name: &str, value: &str, words: Words) -> bool {
    match value {
        "null" => return true,
        "false" | "\"\"" => return !is_literal(name, words),
        "\"rollout\"" => return name == "kind" && words == Words::Inside,
        _ => {}
    }
    match value.as_bytes().first() {
        Some(b'[') => value[1..].trim_start().starts_with(']'),
        Some(b'{') => {
            !is_literal(name, words)
                && object(value).is_some_and(|members| {
                    members.iter().all(|(name, value)| says_nothing(name, value.get(), Words::Inside))
                })
        }
        _ => false,
    }
}

/// Members whose value says something even where it is false or empty.
fn is_literal(name: &str, words: Words) -> bool {
    words == Words::Top && matches!(name, "variations" | "clientSideAvailability")
}

fn values(name: &str, stored: &str, given: &str, words: Words, depth: usize) -> Relation {
    if stored == given {
        return Equal;
    }
    if matches!(words, Words::Top | Words::Inside) {
        match (says_nothing(name, stored, words), says_nothing(name, given, words)) {
            (true, true) => return Equal,
            (true, false) => return alone(name, given, words, GivenAdds),
            (false, true) => return alone(name, stored, words, StoredAdds),
            (false, false) => {}
        }
    }
    let words = match (words, name) {
        (Words::Top, "variations") | (Words::Top | Words::Inside, "values") => Words::User,
        (Words::Top, "clientSideAvailability") => Words::Availability,
        (Words::Top, _) => Words::Inside,
        (words, _) => words,
    };
    inside(stored, given, words, depth)
}

/// Two values that both say something.
fn inside(stored: &str, given: &str, words: Words, depth: usize) -> Relation {
    if stored == given {
        return Equal;
    }
    if depth == DEEPEST {
        return Contradict;
    }
    match (stored.as_bytes().first(), given.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => match (object(stored), object(given)) {
            (Some(stored), Some(given)) => objects(&stored, &given, words, depth + 1),
            _ => Contradict,
        },
        (Some(b'['), Some(b'[')) => arrays(stored, given, words, depth + 1),
        (Some(b'"'), Some(b'"')) => match (string(stored), string(given)) {
            (Some(stored), Some(given)) if stored == given => Equal,
            _ => Contradict,
        },
        _ => numbers(stored, given),
    }
}

/// Nobody leaves elements out of an array; the members of an element, they do.
fn arrays(stored: &str, given: &str, words: Words, depth: usize) -> Relation {
    let elements = |text| serde_json::from_str::<Vec<&RawValue>>(text).ok();
    let (Some(stored), Some(given)) = (elements(stored), elements(given)) else { return Contradict };
    if stored.len() != given.len() {
        return Contradict;
    }
    stored.iter().zip(&given).fold(Equal, |relation, (stored, given)| {
        if relation == Contradict { Contradict } else { relation.and(inside(stored.get(), given.get(), words, depth)) }
    })
}

/// `None` for text with half a surrogate pair, which no Rust string holds; it is compared as it is written.
fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// JSON has one number type: `1` and `1.0` are the same. Many whole numbers beyond 2^53 become the same float, as a
/// serialiser that knows only floats writes it.
fn numbers(stored: &str, given: &str) -> Relation {
    let (Some(stored_number), Some(given_number)) = (Decimal::parse(stored), Decimal::parse(given)) else {
        return Contradict;
    };
    if stored_number == given_number {
        return Equal;
    }
    let (Ok(float), Ok(other)) = (stored.parse::<f64>(), given.parse::<f64>()) else { return Contradict };
    if !float.is_finite() || float.to_bits() != other.to_bits() {
        return Contradict;
    }
    match more_than(&stored_number, float).cmp(&more_than(&given_number, float)) {
        std::cmp::Ordering::Less => GivenAdds,
        std::cmp::Ordering::Greater => StoredAdds,
        std::cmp::Ordering::Equal => BothAdd,
    }
}

/// How many digits a number has that is more than its float; 0 for what a float is written as: its shortest and its whole
/// form, and with up to 17 digits behind a point, where one language's shortest is not another's.
fn more_than(number: &Decimal, float: f64) -> usize {
    let own = [format!("{float}"), format!("{float:.0}")];
    let is_own = own.iter().any(|text| Decimal::parse(text).as_ref() == Some(number));
    if is_own || (number.has_fraction() && number.precision() <= 17) { 0 } else { number.precision() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, stored: &str, given: &str) -> Relation {
        let stored = Row { key: "k".into(), version: 1, payload: Payload::Live(stored.into()) };
        relation(
            kind,
            &stored,
            &NewRow { key: "k".into(), version: 1, item: given.into(), deleted: false, deflated: None },
        )
    }

    /// Every relation seen from both sides.
    fn check(a: &str, b: &str, wanted: Relation) {
        let seen_from_the_other_side = match wanted {
            GivenAdds => StoredAdds,
            StoredAdds => GivenAdds,
            same => same,
        };
        for kind in ["features", "segments"] {
            assert_eq!(of(kind, a, b), wanted, "{a} {b}");
            assert_eq!(of(kind, b, a), seen_from_the_other_side, "{b} {a}");
        }
        assert_eq!(of("things", a, b), if a == b { Equal } else { Contradict }, "other kinds are opaque");
    }

    #[test]
    fn what_differs_only_in_serialisation_is_equal() {
        for (a, b) in [
            (r#"{"a":1,"b":"é"}"#, r#"{"b": "\u00e9", "a": 1.0}"#),
            (r#"{"on":false,"offVariation":null,"rules":[]}"#, r#"{}"#),
            (r#"{"rules":[{"clauses":[{"negate":false}]}]}"#, r#"{"rules":[{"clauses":[{}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":null}]}]}"#, r#"{"rules":[{"clauses":[{"values":[ ]}]}]}"#),
            (r#"{"fallthrough":{"rollout":{"kind":"rollout"}}}"#, r#"{"fallthrough":{"rollout":{}}}"#),
            (r#"{"rules":[{"rollout":{"kind":"rollout","seed":1}}]}"#, r#"{"rules":[{"rollout":{"seed":1}}]}"#),
            (r#"{"fallthrough":{}}"#, r#"{"x":{"y":[],"z":""}}"#),
            (r#"{"variations":[]}"#, r#"{}"#),
            (r#"{"variations":[1,1.0,1e0,0.1,100]}"#, r#"{"variations":[1.0,1,1,0.10,1E+2]}"#),
            (r#"{"variations":["\/"]}"#, r#"{"variations":["/"]}"#),
            (r#"{"variations":["\ud800"]}"#, r#"{"variations" : [ "\ud800" ]}"#),
            (r#"{"variations":[{"a":1,"b":2}]}"#, r#"{"variations":[{"b":2,"a":1}]}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        ] {
            check(a, b, Equal);
        }
    }

    #[test]
    fn what_a_serialiser_drops_is_more_where_it_stands() {
        for (poorer, richer) in [
            (r#"{}"#, r#"{"clientSideAvailability":{"usingMobileKey":false}}"#),
            (
                r#"{"clientSideAvailability":{"usingMobileKey":true}}"#,
                r#"{"clientSideAvailability":{"usingMobileKey":true,"usingEnvironmentId":false}}"#,
            ),
            (r#"{"rules":[{"weight":1}]}"#, r#"{"rules":[{"id":"a","weight":1}]}"#),
            (r#"{"on":true}"#, r#"{"on":true,"unheardOf":{"x":1}}"#),
            (r#"{"on":true}"#, r#"{"on":true,"samplingRatio":0}"#),
            (r#"{"unheardOf":null}"#, r#"{"unheardOf":1}"#),
            (r#"{"variations":[{}]}"#, r#"{"variations":[{"a":null}]}"#),
            (r#"{"rules":[{"clauses":[{"values":[{}]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[{"a":null}]}]}]}"#),
            (r#"{"variations":[9007199254740992]}"#, r#"{"variations":[9007199254740993]}"#),
            (r#"{"variations":[9.007199254740992E15]}"#, r#"{"variations":[9007199254740993]}"#),
            (r#"{"variations":[123456789012345680000]}"#, r#"{"variations":[123456789012345678901]}"#),
            (r#"{"variations":[18446744073709551616]}"#, r#"{"variations":[18446744073709551617]}"#),
        ] {
            check(poorer, richer, GivenAdds);
        }
    }

    #[test]
    fn each_may_lack_something_of_the_other() {
        check(r#"{"on":true,"x":1}"#, r#"{"on":true,"y":1}"#, BothAdd);
        check(r#"{"variations":[{"a":null},{}]}"#, r#"{"variations":[{},{"a":null}]}"#, BothAdd);
        check(r#"{"x":1,"variations":[9007199254740992]}"#, r#"{"variations":[9007199254740993]}"#, BothAdd);
        // Java's shortest form of the smallest float, and everybody else's.
        check(r#"{"a":4.9E-324}"#, r#"{"a":5e-324}"#, BothAdd);
        // Neither is what a float is written as, and which of them has lost digits cannot be told.
        check(r#"{"a":123456789012345677}"#, r#"{"a":123456789012345678}"#, BothAdd);
    }

    #[test]
    fn a_real_difference_contradicts() {
        for (a, b) in [
            (r#"{"a":1}"#, r#"{"a":2}"#),
            (r#"{"on":true}"#, r#"{}"#),
            (r#"{"on":true}"#, r#"{"on":false,"more":1}"#),
            (r#"{"x":true}"#, r#"{"x":"true"}"#),
            (r#"{"offVariation":0}"#, r#"{"offVariation":null}"#),
            (r#"{"rules":[{"clauses":[{"values":[false]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[null]}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":[""]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[false]}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":["a"]}]}]}"#, r#"{"rules":[{"clauses":[{"values":["b"]}]}]}"#),
            (r#"{"rules":[{"clauses":[{"values":[[]]}]}]}"#, r#"{"rules":[{"clauses":[{"values":[null]}]}]}"#),
            (r#"{"fallthrough":{"rollout":{"kind":"experiment"}}}"#, r#"{"fallthrough":{"rollout":{}}}"#),
            (r#"{"fallthrough":{"rollout":{"seed":0}}}"#, r#"{"fallthrough":{"rollout":{}}}"#),
            (r#"{"targets":[{"values":["a","b"]}]}"#, r#"{"targets":[{"values":["b","a"]}]}"#),
            (r#"{"a":[[]]}"#, r#"{"a":[null]}"#),
            (r#"{"variation":0}"#, r#"{}"#),
            (r#"{"variations":[{"a":false}]}"#, r#"{"variations":[{}]}"#),
            (r#"{"variations":[{"a":""}]}"#, r#"{"variations":[{"a":null}]}"#),
            (r#"{"variations":[false]}"#, r#"{"variations":[null]}"#),
            (r#"{"variations":[1]}"#, r#"{"variations":[0.9999999999999999]}"#),
            (r#"{"variations":[0.99999999999999989]}"#, r#"{"variations":[0.99999999999999978]}"#),
            (r#"{"variations":[1e400]}"#, r#"{"variations":[1e401]}"#),
            (r#"{"variations":["\u00e9"]}"#, r#"{"variations":["e\u0301"]}"#),
            (r#"{"variations":[1]}"#, r#"{"variations":["1"]}"#),
            (r#"{"rules":[{}]}"#, r#"{}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":1}"#),
            ("[]", "{}"),
            ("{", "{}"),
        ] {
            check(a, b, Contradict);
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = |depth: usize, space: &str| {
            format!("{{\"a\":{}1{space}{},\"b\":{space}1}}", "[".repeat(depth), "]".repeat(depth))
        };
        check(&deep(50, ""), &deep(50, " "), Equal);
        check(&deep(100_000, "").replace(' ', ""), &deep(100_000, " "), Contradict);
    }

    #[test]
    fn tombstones_are_all_the_same_and_no_live_item() {
        let stored = Row { key: "k".into(), version: 3, payload: Payload::Tombstone };
        let live = NewRow { key: "k".into(), version: 3, item: "{}".into(), deleted: false, deflated: None };
        let tombstone = NewRow { deleted: true, ..live.clone() };
        assert_eq!(relation("mock1", &stored, &tombstone), Equal);
        assert_eq!(relation("features", &stored, &live), Contradict);
        let stored = Row { payload: Payload::Live("{}".into()), ..stored };
        assert_eq!(relation("features", &stored, &tombstone), Contradict);
    }
}
