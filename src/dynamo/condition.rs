//! The conditions of writes, in DynamoDB's words.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{When, rows};
use crate::model::row::ReadVersion;

type Attributes = HashMap<String, AttributeValue>;

/// A condition expression with its placeholders.
pub struct Condition {
    /// The expression.
    pub expression: &'static str,
    /// The names behind its placeholders.
    pub names: HashMap<String, String>,
    /// The values behind its placeholders.
    pub values: Option<Attributes>,
}

impl Condition {
    /// Covers what every SDK's condition covers: a row without version may be overwritten too.
    pub fn for_put(when: When, version: i64) -> Condition {
        let expression = match when {
            When::Newer => "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version < :version",
            When::NotOlder => {
                "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version <= :version"
            }
            When::AsRead(read) => return Condition::as_read(read),
        };
        Condition::new(expression, Some(version))
    }

    /// The row is there and as it was read.
    pub fn as_read(read: ReadVersion) -> Condition {
        match read {
            ReadVersion::Number(version) => {
                Condition::new("attribute_exists(#namespace) AND #version = :version", Some(version))
            }
            ReadVersion::Missing => {
                Condition::new("attribute_exists(#namespace) AND attribute_not_exists(#version)", None)
            }
        }
    }

    fn new(expression: &'static str, version: Option<i64>) -> Condition {
        let names = [("#namespace", rows::NAMESPACE), ("#version", rows::VERSION)];
        Condition {
            expression,
            names: names.map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned())).into(),
            values: version
                .map(|version| HashMap::from([(":version".to_owned(), AttributeValue::N(version.to_string()))])),
        }
    }
}
