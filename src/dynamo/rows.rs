//! The attributes of rows that are written or asked for.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::model::large::Form;

/// The partition key.
pub const NAMESPACE: &str = "namespace";
/// The sort key.
pub const KEY: &str = "key";
/// The version, a number.
pub const VERSION: &str = "version";
/// The payload, a string.
pub const ITEM: &str = "item";
/// The version of a deflated form, and its payload.
pub use crate::model::large::{ITEM as LARGE_ITEM, VERSION as LARGE_VERSION};

type Attributes = HashMap<String, AttributeValue>;

/// The attributes of a row to be written: exactly the schema's four, and two more where it has a deflated form.
pub fn attributes(namespace: &str, form: Form<'_>) -> Attributes {
    let mut attributes = key(namespace, &form.row().key);
    let (version, item) = match form {
        Form::Plain(row) => (row.version, &row.item),
        Form::Large(row, deflated, older) => {
            attributes.insert(LARGE_VERSION.to_owned(), AttributeValue::N(row.version.to_string()));
            attributes.insert(LARGE_ITEM.to_owned(), AttributeValue::B(Blob::new(&*deflated.bytes)));
            (older.version, &older.item)
        }
    };
    attributes.insert(VERSION.to_owned(), AttributeValue::N(version.to_string()));
    attributes.insert(ITEM.to_owned(), AttributeValue::S(item.to_string()));
    attributes
}

/// The key of a row.
pub fn key(namespace: &str, key: &str) -> Attributes {
    HashMap::from([
        (NAMESPACE.to_owned(), AttributeValue::S(namespace.to_owned())),
        (KEY.to_owned(), AttributeValue::S(key.to_owned())),
    ])
}
