//! Rows as DynamoDB returns them.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::payloads::is_deleted;
use crate::dynamo::rows;
use crate::model::row::{NewRow, ReadVersion};
use crate::model::tombstone;
use crate::store::big_segments;

type Attributes = HashMap<String, AttributeValue>;

/// A row of any attributes of any type, one a line with a NUL at its end: `S key=flag`, `N version=7`, `SS included=a,b`.
/// A row with a key and a payload that is text can be read, whatever else it holds; what it means is what its
/// attributes say; and written again it reads as the same.
pub fn row(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let attributes: Attributes = text.split('\0').filter_map(attribute).collect();
    let string = |name: &str| attributes.get(name).and_then(|value| value.as_s().ok()).cloned();
    let (key, item) = (string("key"), string("item"));
    let raw = rows::raw_row(attributes.clone());
    assert_eq!((&raw.key, &raw.item), (&key, &item));
    let existing = tombstone::existing(raw.clone());
    let number = attributes.get("version").and_then(|value| value.as_n().ok()).and_then(|text| text.parse().ok());
    assert_eq!(existing.version, number.map_or(ReadVersion::Missing, ReadVersion::Number));
    let read = tombstone::read(raw);
    assert_eq!(existing.row, read.clone().ok());
    let other_type = attributes.contains_key("item") && item.is_none();
    assert_eq!(read.is_err(), key.is_none() || other_type || item.as_deref() == Some(""));
    if let Ok(row) = read {
        let deleted = item.as_deref().is_none_or(is_deleted)
            || attributes.get("deleted").is_some_and(|deleted| deleted.as_bool() == Ok(&true));
        assert_eq!((Some(&*row.key), row.deleted()), (key.as_deref(), deleted));
        assert_eq!(row.item(), item.as_deref().filter(|_| !deleted));
        assert!(row.version >= 0, "the header promises versions of 0 or more");
        assert!(number.is_none_or(|number: i64| number < 0 || number == row.version));
        if let Some(payload) = row.item() {
            let new = NewRow { key: row.key.clone(), version: row.version, item: payload.into(), deleted: false };
            assert_eq!(tombstone::read(rows::raw_row(rows::attributes("features", &new))).as_ref(), Ok(&row));
        }
    }
    let big = rows::big_segment_row(attributes);
    let named = big.included.iter().chain(&big.excluded).cloned().collect::<Vec<_>>();
    let _ = big_segments::synchronized_on(Some(big.clone()));
    let membership = big_segments::membership(Some(big.clone()));
    assert_eq!(membership.is_none(), named.is_empty());
    for (segment, included) in membership.into_iter().flat_map(|membership| membership.entries) {
        assert!(named.contains(&segment) && included == big.included.contains(&segment));
    }
}

fn attribute(line: &str) -> Option<(String, AttributeValue)> {
    let (of_type, rest) = line.split_once(' ')?;
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    let list = || value.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
    let value = match of_type {
        "S" => AttributeValue::S(value.into()),
        "N" => AttributeValue::N(value.into()),
        "B" => AttributeValue::B(Blob::new(value)),
        "BOOL" => AttributeValue::Bool(value == "true"),
        "NULL" => AttributeValue::Null(value == "true"),
        "SS" => AttributeValue::Ss(list()),
        "NS" => AttributeValue::Ns(list()),
        "BS" => AttributeValue::Bs(list().into_iter().map(Blob::new).collect()),
        "L" => AttributeValue::L(list().into_iter().map(AttributeValue::S).collect()),
        "M" => AttributeValue::M(list().into_iter().map(|name| (name.clone(), AttributeValue::S(name))).collect()),
        _ => return None,
    };
    Some((name.to_owned(), value))
}
