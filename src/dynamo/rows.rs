//! The attributes of rows that are written or asked for.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::model::row::NewRow;

/// The partition key.
pub const NAMESPACE: &str = "namespace";
/// The sort key.
pub const KEY: &str = "key";
/// The version, a number.
pub const VERSION: &str = "version";
/// The payload, a string.
pub const ITEM: &str = "item";

type Attributes = HashMap<String, AttributeValue>;

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
