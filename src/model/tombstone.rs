//! Deletions: the one form that is written, and every form that is read.
//!
//! SDKs write a deleted item in five ways and none reads all of them. The full-schema form is the one that
//! every SDK that has an evaluation engine parses, because older ones do not tolerate missing properties.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::namespace::{FEATURES, SEGMENTS};
use super::row::{Existing, Item, NewRow, Payload, RawRow, ReadVersion, Row};
use super::{Code, Error, Result};

/// The `item` text of a deletion: full schema for flags and segments, what the caller gave for other kinds.
fn text(kind: &str, item: &Item) -> Result<String> {
    let version = item.version;
    match (kind, &item.item) {
        (FEATURES, _) => Ok(format!(
            r#"{{"key":"$deleted","on":false,"prerequisites":[],"targets":[],"contextTargets":[],"rules":[],"fallthrough":{{}},"offVariation":null,"variations":[],"clientSide":false,"salt":"","trackEvents":false,"trackEventsFallthrough":false,"debugEventsUntilDate":null,"version":{version},"deleted":true}}"#
        )),
        (SEGMENTS, _) => Ok(format!(
            r#"{{"key":"$deleted","included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],"salt":"","rules":[],"version":{version},"generation":null,"deleted":true}}"#
        )),
        (_, Some(given)) if !given.is_empty() => Ok(given.clone()),
        (_, _) => serde_json::to_string(&serde_json::json!({"key": item.key, "version": version, "deleted": true}))
            .map_err(|_| {
                Error::new(Code::InvalidJson, format!("the key of a deletion of kind \"{kind}\" is not text"))
            }),
    }
}

/// Turns what a caller handed over into a row to be written.
pub fn new_row(kind: &str, item: &Item) -> Result<NewRow> {
    super::namespace::check_key(kind, &item.key)?;
    if item.version < 0 {
        return Err(Error::new(
            Code::InvalidVersion,
            format!("the version {} of \"{}\" of kind \"{kind}\" is negative", item.version, item.key),
        ));
    }
    let text = if item.deleted {
        text(kind, item)?
    } else {
        match &item.item {
            Some(given) if !given.is_empty() => given.clone(),
            _ => {
                return Err(Error::new(
                    Code::EmptyItem,
                    format!(
                        "\"{}\" of kind \"{kind}\" has no payload: give one, or mark the item as deleted",
                        item.key
                    ),
                ));
            }
        }
    };
    Ok(NewRow { key: item.key.as_str().into(), version: item.version, item: text.into(), deleted: item.deleted })
}

/// What of a payload's JSON matters to a reader of the row.
#[derive(Default)]
struct Inside {
    deleted: bool,
    version: Option<i64>,
}

/// Passes over everything else, however deep, and whatever its numbers: a deletion holds all the same.
impl<'de> Deserialize<'de> for Inside {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Inside;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Inside, A::Error> {
                let mut inside = Inside::default();
                while let Some(name) = members.next_key::<String>()? {
                    match name.as_str() {
                        "deleted" => inside.deleted = members.next_value::<&RawValue>()?.get() == "true",
                        "version" => inside.version = members.next_value::<&RawValue>()?.get().parse().ok(),
                        _ => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(inside)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Looks into a payload, unless it plainly cannot be a tombstone. Payloads of unknown kinds need not be JSON.
fn inside(item: &str, version_needed: bool) -> Inside {
    // A live flag of the typed SDKs says `"deleted":false`, so the word alone decides nothing; but where it is
    // missing there is no tombstone, and parsing a large flag on every read would cost more than the read.
    if !version_needed && !item.contains("deleted") && !item.contains("\\u00") {
        return Inside::default();
    }
    serde_json::from_str(item).unwrap_or_default()
}

/// What a row means, or the reason why it cannot be read.
pub fn read(raw: RawRow) -> std::result::Result<Row, &'static str> {
    let Some(key) = raw.key else {
        return Err("its sort key is missing");
    };
    if raw.item_of_other_type {
        return Err("its item attribute is not a string");
    }
    let version = raw.version.as_deref().and_then(parse_version);
    let (deleted, inner_version) = match raw.item.as_deref() {
        None | Some("null") => (true, None),
        Some("") => return Err("its item attribute is empty"),
        Some(item) => {
            let inside = inside(item, version.is_none());
            (inside.deleted || raw.deleted, inside.version)
        }
    };
    Ok(Row {
        key: key.into(),
        // No SDK writes a negative version; one is older than any that is.
        version: version.or(inner_version).unwrap_or(0).max(0),
        payload: match raw.item {
            Some(item) if !deleted => Payload::Live(item.into()),
            _ => Payload::Tombstone,
        },
    })
}

/// A row of an existing data set, for `init`.
pub fn existing(raw: RawRow) -> Existing {
    let version = raw.version.as_deref().and_then(parse_version).map_or(ReadVersion::Missing, ReadVersion::Number);
    Existing { version, row: read(raw).ok() }
}

/// DynamoDB numbers are decimal text, whole ones without a point.
fn parse_version(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(version: Option<&str>, item: Option<&str>) -> RawRow {
        RawRow {
            key: Some("k".into()),
            version: version.map(Into::into),
            item: item.map(Into::into),
            ..RawRow::default()
        }
    }

    fn deletion(kind: &str, item: Option<&str>) -> NewRow {
        let item = Item { key: "k\"1".into(), version: 7, deleted: true, item: item.map(Into::into) };
        new_row(kind, &item).unwrap()
    }

    #[test]
    fn every_form_of_tombstone_reads_as_deleted_with_its_version() {
        let flag = deletion("features", None).item;
        let segment = deletion("segments", None).item;
        for item in [
            Some(&*flag),
            Some(&*segment),
            Some(r#"{"key":"k","version":7,"deleted":true}"#),
            Some(r#"{"version":7,"deleted":true}"#),
            Some(r#"{ "deleted" : true }"#),
            Some(r#"{"d\u0065leted":true}"#),
            Some("null"),
            None,
            Some(r#"{"deleted":true,"variations":[1e999]}"#),
            Some(&format!(r#"{{"deleted":true,"variations":[{}{}]}}"#, "[".repeat(500), "]".repeat(500))),
        ] {
            let row = read(raw(Some("7"), item)).unwrap();
            assert_eq!((row.version, row.deleted(), row.item()), (7, true, None), "{item:?}");
        }
        let marked = RawRow { deleted: true, ..raw(Some("7"), Some("{}")) };
        assert!(read(marked).unwrap().deleted());
    }

    #[test]
    fn a_live_item_comes_back_byte_for_byte() {
        for item in [r#"{"deleted":false,"x":"é"}"#, "mock,1,false", " {\"a\" : \"deleted\"} ", "deleted", "NULL"] {
            let row = read(raw(Some("3"), Some(item))).unwrap();
            assert_eq!((row.version, row.item()), (3, Some(item)));
        }
    }

    #[test]
    fn a_missing_version_falls_back_to_the_payload_then_to_zero() {
        assert_eq!(read(raw(None, Some(r#"{"version":9}"#))).unwrap().version, 9);
        assert_eq!(read(raw(Some("x"), Some(r#"{"version":9,"deleted":true}"#))).unwrap().version, 9);
        assert_eq!(read(raw(None, Some("opaque"))).unwrap().version, 0);
        assert_eq!(read(raw(Some("-5"), Some("opaque"))).unwrap().version, 0);
        assert_eq!(read(raw(None, Some(r#"{"version":-5}"#))).unwrap().version, 0);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(read(RawRow { key: None, ..raw(Some("1"), Some("{}")) }).is_err());
        assert!(read(RawRow { item_of_other_type: true, ..raw(Some("1"), None) }).is_err());
        assert!(read(raw(Some("1"), Some(""))).is_err());
    }

    #[test]
    fn other_kinds_keep_their_own_tombstones() {
        assert_eq!(&*deletion("mock1", Some("DELETED:7")).item, "DELETED:7");
        assert_eq!(&*deletion("mock1", None).item, r#"{"deleted":true,"key":"k\"1","version":7}"#);
    }

    #[test]
    fn a_live_item_needs_a_payload_and_a_version() {
        let item = Item { key: "k".into(), version: 1, deleted: false, item: None };
        assert_eq!(new_row("features", &item).unwrap_err().code, Code::EmptyItem);
        let item = Item { version: -1, item: Some("{}".into()), ..item };
        assert_eq!(new_row("features", &item).unwrap_err().code, Code::InvalidVersion);
    }
}
