//! Between DynamoDB's attribute maps and rows.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

#[cfg(any(test, fuzzing))]
use super::BigSegmentRow;
use crate::model::row::NewRow;
#[cfg(any(test, fuzzing))]
use crate::model::row::RawRow;

/// The partition key.
pub const NAMESPACE: &str = "namespace";
/// The sort key.
pub const KEY: &str = "key";
/// The version, a number.
pub const VERSION: &str = "version";
/// The payload, a string.
pub const ITEM: &str = "item";

type Attributes = HashMap<String, AttributeValue>;

#[cfg(any(test, fuzzing))]
/// Takes the schema's attributes out of a map, whatever else it holds.
pub fn raw_row(mut attributes: Attributes) -> RawRow {
    let mut text = |name| match attributes.remove(name) {
        Some(AttributeValue::S(text)) => Some(text),
        _ => None,
    };
    let key = text(KEY);
    let (item, item_of_other_type) = match attributes.remove(ITEM) {
        Some(AttributeValue::S(text)) => (Some(text), false),
        // A missing item is a tombstone of sorts; one of another type belongs to somebody else.
        other => (None, other.is_some()),
    };
    let version = match attributes.remove(VERSION) {
        Some(AttributeValue::N(number)) => Some(number),
        _ => None,
    };
    let deleted = matches!(attributes.remove("deleted"), Some(AttributeValue::Bool(true)));
    RawRow { key, version, item, deleted, item_of_other_type }
}

/// The attributes of a row to be written: exactly the schema's four.
pub fn attributes(namespace: &str, row: &NewRow) -> Attributes {
    HashMap::from([
        (NAMESPACE.to_owned(), AttributeValue::S(namespace.to_owned())),
        (KEY.to_owned(), AttributeValue::S(row.key.to_string())),
        (VERSION.to_owned(), AttributeValue::N(row.version.to_string())),
        (ITEM.to_owned(), AttributeValue::S(row.item.to_string())),
    ])
}

/// The key of a row.
pub fn key(namespace: &str, key: &str) -> Attributes {
    HashMap::from([
        (NAMESPACE.to_owned(), AttributeValue::S(namespace.to_owned())),
        (KEY.to_owned(), AttributeValue::S(key.to_owned())),
    ])
}

#[cfg(any(test, fuzzing))]
/// Takes the attributes of big segments out of a map.
pub fn big_segment_row(mut attributes: Attributes) -> BigSegmentRow {
    let synchronized_on = match attributes.remove("synchronizedOn") {
        Some(AttributeValue::N(number)) => Some(number),
        _ => None,
    };
    let mut set = |name| match attributes.remove(name) {
        Some(AttributeValue::Ss(texts)) => texts,
        _ => Vec::new(),
    };
    BigSegmentRow { synchronized_on, included: set("included"), excluded: set("excluded") }
}
