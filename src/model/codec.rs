//! What rows mean: the one form of each that is written, and every form that is read.
//!
//! SDKs write a deleted item in five ways and none reads all of them. The full-schema form is the one that
//! every SDK that has an evaluation engine parses, because older ones do not tolerate missing properties.
//!
//! A row that says nothing that can be read is reported and left out by readers, and replaced by writers.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::large::{self, Deflated};
use super::namespace::{FEATURES, SEGMENTS};
use super::row::{Attribute, Item, NewRow, Payload, RawLarge, RawRow, Row, Version};
use super::{Code, Error, Result};

/// The `item` text of a deletion: full schema for flags and segments.
pub fn tombstone(kind: &str, key: &str, version: i64) -> String {
    match kind {
        FEATURES => format!(
            r#"{{"key":"$deleted","on":false,"prerequisites":[],"targets":[],"contextTargets":[],"rules":[],"fallthrough":{{}},"offVariation":null,"variations":[],"clientSide":false,"salt":"","trackEvents":false,"trackEventsFallthrough":false,"debugEventsUntilDate":null,"version":{version},"deleted":true}}"#
        ),
        SEGMENTS => format!(
            r#"{{"key":"$deleted","included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],"salt":"","rules":[],"version":{version},"generation":null,"deleted":true}}"#
        ),
        _ => serde_json::json!({"key": key, "version": version, "deleted": true}).to_string(),
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
    // The deletions of other kinds are their callers' own.
    let of_sdks = item.deleted && matches!(kind, FEATURES | SEGMENTS);
    let text = match item.item.as_deref() {
        Some(given) if !given.is_empty() && !of_sdks => given.to_owned(),
        _ if item.deleted => tombstone(kind, &item.key, item.version),
        _ => {
            return Err(Error::new(
                Code::EmptyItem,
                format!("\"{}\" of kind \"{kind}\" has no payload: give one, or mark the item as deleted", item.key),
            ));
        }
    };
    Ok(NewRow {
        key: item.key.as_str().into(),
        version: item.version,
        item: text.into(),
        deleted: item.deleted,
        deflated: None,
    })
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
                        "version" => inside.version = whole(members.next_value::<&RawValue>()?.get()),
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

/// What a row means, or the reason why it cannot be read. Of a row that has two forms it is the newer one.
pub fn read(raw: &RawRow) -> std::result::Result<Row, &'static str> {
    let Some(large) = raw.large.as_deref().filter(|large| !schema_is_newer(raw, large)) else {
        return read_schema(raw);
    };
    let Version::Number(version) = version_of(Some(&large.version)) else {
        return Err("its flagstore_version attribute is not a whole number");
    };
    let Some(Attribute::Binary(deflated)) = &large.item else {
        return Err("its flagstore_item attribute is missing or not binary");
    };
    let item = large::inflate(deflated)?;
    row(raw, Some(version), Some(&item))
}

/// What of a row other SDKs read means: its attributes of the schema.
pub fn read_schema(raw: &RawRow) -> std::result::Result<Row, &'static str> {
    let item = match &raw.item {
        None => None,
        Some(Attribute::Text(item)) => Some(item),
        Some(_) => return Err("its item attribute is not a string"),
    };
    let version = match version_of(raw.version.as_ref()) {
        Version::Number(version) => Some(version),
        Version::Absent | Version::Unreadable => None,
    };
    row(raw, version, item)
}

/// One form of a row.
fn row(raw: &RawRow, version: Option<i64>, item: Option<&Arc<str>>) -> std::result::Result<Row, &'static str> {
    let Some(key) = &raw.key else {
        return Err("its sort key is missing");
    };
    if item.is_some_and(|item| item.is_empty()) {
        return Err("its item attribute is empty");
    }
    let item = item.filter(|item| ***item != *"null");
    let inside = item.map(|item| inside(item, version.is_none())).unwrap_or_default();
    Ok(Row {
        key: key.clone(),
        // No SDK writes a negative version; one is older than any that is.
        version: version.or(inside.version).unwrap_or(0).max(0),
        payload: match item {
            Some(item) if !inside.deleted && !raw.deleted => Payload::Live(Arc::clone(item)),
            _ => Payload::Tombstone,
        },
    })
}

/// What the version attribute of a row says: of its newer form, where it has two.
pub fn version(raw: &RawRow) -> Version {
    let its = version_of(raw.version.as_ref());
    match raw.large.as_deref() {
        Some(large) if its != Version::Unreadable && !schema_is_newer(raw, large) => version_of(Some(&large.version)),
        _ => its,
    }
}

/// Whether the form that every SDK reads is newer than the deflated one: somebody changed it attribute by attribute, which
/// no SDK does. One without version is older than any.
fn schema_is_newer(raw: &RawRow, large: &RawLarge) -> bool {
    match (version_of(raw.version.as_ref()), version_of(Some(&large.version))) {
        (Version::Number(its), Version::Number(large)) => its > large,
        _ => false,
    }
}

/// What an attribute says as a version.
pub fn version_of(attribute: Option<&Attribute>) -> Version {
    match attribute {
        None => Version::Absent,
        Some(Attribute::Number(text)) => whole(text).map_or(Version::Unreadable, Version::Number),
        Some(_) => Version::Unreadable,
    }
}

/// Whether a row can be read in both respects that writers decide by.
pub fn is_sound(raw: &RawRow) -> bool {
    version(raw) != Version::Unreadable && read(raw).is_ok()
}

/// Whether a row as read is this very row as it was written.
pub fn is_the_same(raw: &RawRow, row: &NewRow) -> bool {
    if version(raw) != Version::Number(row.version) {
        return false;
    }
    match (&row.deflated, &raw.large) {
        (None, None) => raw.item == Some(Attribute::Text(Arc::clone(&row.item))),
        (Some(ours), Some(its)) => its.item == Some(Attribute::Binary(Arc::clone(&ours.bytes))),
        _ => false,
    }
}

/// A live row that can be read, to be written again as it was.
pub fn again(raw: &RawRow) -> Option<NewRow> {
    let row = read(raw).ok()?;
    let item = match row.payload {
        Payload::Live(item) => item,
        Payload::Tombstone => return None,
    };
    let large = raw.large.as_deref().filter(|large| !schema_is_newer(raw, large));
    let deflated = large.and_then(|large| match &large.item {
        // It had room for both of its forms.
        Some(Attribute::Binary(bytes)) => Some(Deflated { bytes: Arc::clone(bytes), room: usize::MAX }),
        _ => None,
    });
    Some(NewRow { key: row.key, version: row.version, item, deleted: false, deflated })
}

/// A whole number, plainly written as a rule, else in any other spelling of its value.
fn whole(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| Decimal::parse(text)?.whole())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(version: Option<&str>, item: Option<&str>) -> RawRow {
        RawRow {
            key: Some("k".into()),
            version: version.map(|version| Attribute::Number(version.into())),
            item: item.map(|item| Attribute::Text(item.into())),
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
            let row = read(&raw(Some("7"), item)).unwrap();
            assert_eq!((row.version, row.deleted(), row.item()), (7, true, None), "{item:?}");
        }
        let marked = RawRow { deleted: true, ..raw(Some("7"), Some("{}")) };
        assert!(read(&marked).unwrap().deleted());
    }

    #[test]
    fn a_live_item_comes_back_byte_for_byte() {
        for item in [r#"{"deleted":false,"x":"é"}"#, "mock,1,false", " {\"a\" : \"deleted\"} ", "deleted", "NULL"] {
            let row = read(&raw(Some("3"), Some(item))).unwrap();
            assert_eq!((row.version, row.item()), (3, Some(item)));
        }
    }

    #[test]
    fn a_missing_version_falls_back_to_the_payload_then_to_zero() {
        assert_eq!(read(&raw(None, Some(r#"{"version":9}"#))).unwrap().version, 9);
        assert_eq!(read(&raw(Some("1.5"), Some(r#"{"version":9.0,"deleted":true}"#))).unwrap().version, 9);
        assert_eq!(read(&raw(None, Some("opaque"))).unwrap().version, 0);
        assert_eq!(read(&raw(Some("-5"), Some("opaque"))).unwrap().version, 0);
        assert_eq!(read(&raw(None, Some(r#"{"version":-5}"#))).unwrap().version, 0);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(read(&RawRow { key: None, ..raw(Some("1"), Some("{}")) }).is_err());
        assert!(read(&raw(Some("1"), Some(""))).is_err());
        for other in
            [Attribute::Number("1".into()), Attribute::Truth(true), Attribute::Other("{\"B\":\"eA==\"}".into())]
        {
            assert!(read(&RawRow { item: Some(other), ..raw(Some("1"), None) }).is_err());
        }
    }

    #[test]
    fn a_version_is_absent_a_number_or_unreadable() {
        let with = |version| version_of(Some(version));
        fn version_of(attribute: Option<Attribute>) -> Version {
            version(&RawRow { version: attribute, ..RawRow::default() })
        }
        assert_eq!(version_of(None), Version::Absent);
        for (text, number) in [("7", 7), ("-5", -5), ("1E+2", 100), ("12.0", 12), ("9223372036854775807", i64::MAX)] {
            assert_eq!(with(Attribute::Number(text.into())), Version::Number(number), "{text}");
        }
        for unreadable in [
            Attribute::Number("1.5".into()),
            Attribute::Number("9223372036854775808".into()),
            Attribute::Number("99999999999999999999999999999999999999".into()),
            Attribute::Text("7".into()),
            Attribute::Truth(true),
            Attribute::Other("{\"NULL\":true}".into()),
        ] {
            assert_eq!(with(unreadable.clone()), Version::Unreadable, "{unreadable:?}");
        }
    }

    #[test]
    fn of_two_forms_the_newer_is_read_and_other_sdks_read_the_schema_s() {
        let number = |version: &str| Attribute::Number(version.into());
        let deflated =
            |text: &str| Some(Attribute::Binary(miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 6).into()));
        let with = |version: Option<&str>, large: Attribute, item| RawRow {
            large: Some(Box::new(RawLarge { version: large, item })),
            ..raw(version, Some("plain"))
        };
        for (row, wanted) in [
            (with(Some("5"), number("7"), deflated("large")), Ok((7, Some("large")))),
            (with(Some("7"), number("7"), deflated("large")), Ok((7, Some("large")))),
            (with(Some("8"), number("7"), deflated("large")), Ok((8, Some("plain")))),
            (with(Some("8"), number("7"), None), Ok((8, Some("plain")))),
            (with(None, number("7"), deflated("large")), Ok((7, Some("large")))),
            (with(Some("5"), number("7"), deflated(r#"{"deleted":true}"#)), Ok((7, None))),
            (with(Some("5"), number("7"), deflated("")), Err("its item attribute is empty")),
            (
                with(Some("5"), number("7"), Some(Attribute::Text("large".into()))),
                Err("its flagstore_item attribute is missing or not binary"),
            ),
            (
                with(Some("5"), Attribute::Text("7".into()), deflated("large")),
                Err("its flagstore_version attribute is not a whole number"),
            ),
        ] {
            let read = read(&row);
            assert_eq!(read.as_ref().map(|row| (row.version, row.item())).map_err(|why| *why), wanted, "{row:?}");
            let schema = read_schema(&row).unwrap();
            assert_eq!(schema.item(), Some("plain"));
            if let Ok((number, _)) = wanted {
                assert_eq!(version(&row), Version::Number(number));
            }
            assert_eq!(is_sound(&row), wanted.is_ok());
        }
    }

    #[test]
    fn a_large_row_is_written_again_in_both_its_forms() {
        let item = Item { key: "k".into(), version: 7, deleted: false, item: Some("x".repeat(500_000)) };
        let new = new_row("features", &item).unwrap();
        let new = NewRow { deflated: large::deflate("features", &new), ..new };
        let bytes = new.deflated.as_ref().unwrap().bytes.clone();
        let stored = RawRow {
            large: Some(Box::new(RawLarge {
                version: Attribute::Number("7".into()),
                item: Some(Attribute::Binary(bytes.clone())),
            })),
            ..raw(Some("5"), Some("plain"))
        };
        assert!(is_the_same(&stored, &new));
        assert!(!is_the_same(&RawRow { large: None, ..stored.clone() }, &new));
        assert!(!is_the_same(&stored, &NewRow { deflated: None, ..new.clone() }));
        let again = again(&stored).unwrap();
        assert_eq!((again.version, again.as_read()), (7, new.as_read()));
        let deflated = again.deflated.clone().unwrap();
        assert_eq!(deflated.bytes, bytes);
        let older = large::older("features", &again, &deflated, Some(&stored)).unwrap();
        assert_eq!((older.version, &*older.item), (5, "plain"));
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
