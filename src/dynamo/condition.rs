//! The conditions of writes, in DynamoDB's words.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::base64;
use serde_json::Value;

use super::{When, rows};
use crate::model::row::{Attribute, RawRow};
use crate::model::{Code, Error, Result};

/// A condition expression with its placeholders.
#[derive(Debug, PartialEq)]
pub struct Condition {
    /// The expression.
    pub expression: &'static str,
    /// The names behind its placeholders.
    pub names: HashMap<String, String>,
    /// The values behind its placeholders.
    pub values: Option<HashMap<String, AttributeValue>>,
}

impl Condition {
    /// Covers what every SDK's condition covers: a row without version may be overwritten too.
    pub fn for_put(when: When<'_>, version: i64) -> Result<Condition> {
        let version = || vec![(":version", AttributeValue::N(version.to_string()))];
        Ok(match when {
            When::Newer => Condition::new(
                "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version < :version",
                version(),
            ),
            When::NotOlder => Condition::new(
                "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version <= :version",
                version(),
            ),
            When::Absent => Condition::new("attribute_not_exists(#namespace)", vec![]),
            When::AsRead(read) => return Condition::as_read(read),
        })
    }

    /// The row is there and as it was read. A comparison holds between values of one type only.
    pub fn as_read(read: &RawRow) -> Result<Condition> {
        let (version, item) = (read.version.as_ref().map(value), read.item.as_ref().map(value));
        let expression = match (&version, &item) {
            (Some(_), Some(_)) => "attribute_exists(#namespace) AND #version = :version AND #item = :item",
            (Some(_), None) => "attribute_exists(#namespace) AND #version = :version AND attribute_not_exists(#item)",
            (None, Some(_)) => "attribute_exists(#namespace) AND attribute_not_exists(#version) AND #item = :item",
            (None, None) => {
                "attribute_exists(#namespace) AND attribute_not_exists(#version) AND attribute_not_exists(#item)"
            }
        };
        let mut values = Vec::new();
        for (placeholder, value) in [(":version", version), (":item", item)] {
            values.extend(value.transpose()?.map(|value| (placeholder, value)));
        }
        Ok(Condition::new(expression, values))
    }

    /// DynamoDB refuses a placeholder that the expression has no use for.
    fn new(expression: &'static str, values: Vec<(&str, AttributeValue)>) -> Condition {
        let names = [("#namespace", rows::NAMESPACE), ("#version", rows::VERSION), ("#item", rows::ITEM)]
            .into_iter()
            .filter(|(placeholder, _)| expression.contains(placeholder))
            .map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()));
        let values: HashMap<_, _> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Condition { expression, names: names.collect(), values: Some(values).filter(|values| !values.is_empty()) }
    }
}

fn value(attribute: &Attribute) -> Result<AttributeValue> {
    Ok(match attribute {
        Attribute::Text(text) => AttributeValue::S(text.to_string()),
        Attribute::Number(number) => AttributeValue::N(number.to_string()),
        Attribute::Truth(truth) => AttributeValue::Bool(*truth),
        Attribute::Other(json) => serde_json::from_str(json).ok().as_ref().and_then(from_json).ok_or_else(|| {
            Error::new(
                Code::UnexpectedResponse,
                "a row has an attribute of a type that DynamoDB does not have: check that the endpoint is DynamoDB",
            )
        })?,
    })
}

/// A value from its spelling in DynamoDB's JSON.
fn from_json(typed: &Value) -> Option<AttributeValue> {
    let (of_type, value) = typed.as_object()?.iter().next()?;
    let text = || value.as_str().map(ToOwned::to_owned);
    let blob = |value: &Value| base64::decode(value.as_str()?).ok().map(Blob::new);
    let texts = || value.as_array()?.iter().map(|text| text.as_str().map(ToOwned::to_owned)).collect::<Option<_>>();
    Some(match of_type.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "B" => AttributeValue::B(blob(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(texts()?),
        "NS" => AttributeValue::Ns(texts()?),
        "BS" => AttributeValue::Bs(value.as_array()?.iter().map(blob).collect::<Option<_>>()?),
        "L" => AttributeValue::L(value.as_array()?.iter().map(from_json).collect::<Option<_>>()?),
        "M" => {
            let members = value.as_object()?.iter().map(|(name, value)| Some((name.clone(), from_json(value)?)));
            AttributeValue::M(members.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Option<Attribute>, item: Option<Attribute>) -> RawRow {
        RawRow { version, item, ..RawRow::default() }
    }

    #[test]
    fn a_row_is_as_it_was_read_in_its_version_and_its_item() {
        let text = |text: &str| Attribute::Text(text.into());
        let other = |json: &str| Attribute::Other(json.into());
        for (version, item, expression, values) in [
            (
                Some(Attribute::Number("7".into())),
                Some(text("{}")),
                "#version = :version AND #item = :item",
                vec![(":version", AttributeValue::N("7".into())), (":item", AttributeValue::S("{}".into()))],
            ),
            (
                Some(text("7")),
                None,
                "#version = :version AND attribute_not_exists(#item)",
                vec![(":version", AttributeValue::S("7".into()))],
            ),
            (
                None,
                Some(other(r#"{"B":"eA=="}"#)),
                "attribute_not_exists(#version) AND #item = :item",
                vec![(":item", AttributeValue::B(Blob::new("x")))],
            ),
            (
                Some(Attribute::Truth(true)),
                Some(other(r#"{"M":{"a":{"L":[{"NULL":true},{"SS":["b"]}]}}}"#)),
                "#version = :version AND #item = :item",
                vec![
                    (":version", AttributeValue::Bool(true)),
                    (
                        ":item",
                        AttributeValue::M(HashMap::from([(
                            "a".into(),
                            AttributeValue::L(vec![AttributeValue::Null(true), AttributeValue::Ss(vec!["b".into()])]),
                        )])),
                    ),
                ],
            ),
            (None, None, "attribute_not_exists(#version) AND attribute_not_exists(#item)", vec![]),
        ] {
            let condition = Condition::as_read(&read(version, item)).expect("a condition");
            assert_eq!(condition.expression, format!("attribute_exists(#namespace) AND {expression}"));
            let values: HashMap<_, _> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(condition.values.unwrap_or_default(), values);
            for (placeholder, _) in condition.names {
                assert!(condition.expression.contains(&placeholder));
            }
        }
    }

    #[test]
    fn a_type_that_dynamodb_does_not_have_is_an_error() {
        for json in ["{}", r#"{"X":1}"#, r#"{"B":"?"}"#] {
            let row = read(None, Some(Attribute::Other(json.into())));
            assert_eq!(Condition::as_read(&row).expect_err("no such type").code, Code::UnexpectedResponse, "{json}");
        }
    }
}
