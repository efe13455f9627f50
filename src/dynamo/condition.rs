//! The conditions of writes, in DynamoDB's words.

use std::borrow::Cow;
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
    pub expression: Cow<'static, str>,
    /// The names behind its placeholders.
    pub names: HashMap<String, String>,
    /// The values behind its placeholders.
    pub values: Option<HashMap<String, AttributeValue>>,
}

/// The name behind each placeholder that an expression may use.
const NAMES: [(&str, &str); 5] = [
    ("#namespace", rows::NAMESPACE),
    ("#version", rows::VERSION),
    ("#item", rows::ITEM),
    ("#large_version", rows::LARGE_VERSION),
    ("#large_item", rows::LARGE_ITEM),
];

impl Condition {
    /// Covers what every SDK's condition covers: a row without version may be overwritten too. Beyond that it looks at the
    /// deflated form, which only this library's rows have, and which a write takes away.
    pub fn for_put(when: When<'_>, version: i64) -> Result<Condition> {
        let version = || vec![(":version", AttributeValue::N(version.to_string()))];
        Ok(match when {
            When::Newer => Condition::new(
                "(attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version < :version) AND (attribute_not_exists(#large_version) OR #large_version < :version)",
                version(),
            ),
            When::NotOlder => Condition::new(
                "(attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version <= :version) AND (attribute_not_exists(#large_version) OR #large_version <= :version)",
                version(),
            ),
            When::Absent => Condition::new("attribute_not_exists(#namespace)", vec![]),
            When::AsRead(read) => return Condition::as_read(read),
        })
    }

    /// The row is there and as it was read. A comparison holds between values of one type only.
    pub fn as_read(read: &RawRow) -> Result<Condition> {
        let large = read.large.as_deref();
        let mut compared = vec![
            ("#version", ":version", read.version.as_ref()),
            ("#item", ":item", read.item.as_ref()),
            ("#large_version", ":large_version", large.map(|large| &large.version)),
        ];
        compared.extend(large.map(|large| ("#large_item", ":large_item", large.item.as_ref())));
        let mut expression = "attribute_exists(#namespace)".to_owned();
        let mut values = Vec::new();
        for (name, placeholder, attribute) in compared {
            match attribute {
                Some(attribute) => {
                    expression.push_str(&format!(" AND {name} = {placeholder}"));
                    values.push((placeholder, value(attribute)?));
                }
                None => expression.push_str(&format!(" AND attribute_not_exists({name})")),
            }
        }
        Ok(Condition::new(expression, values))
    }

    /// DynamoDB refuses a placeholder that the expression has no use for.
    fn new(expression: impl Into<Cow<'static, str>>, values: Vec<(&str, AttributeValue)>) -> Condition {
        let expression = expression.into();
        let names = NAMES
            .into_iter()
            .filter(|(placeholder, _)| expression.contains(placeholder))
            .map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()))
            .collect();
        let values: HashMap<_, _> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Condition { expression, names, values: Some(values).filter(|values| !values.is_empty()) }
    }
}

fn value(attribute: &Attribute) -> Result<AttributeValue> {
    Ok(match attribute {
        Attribute::Text(text) => AttributeValue::S(text.to_string()),
        Attribute::Number(number) => AttributeValue::N(number.to_string()),
        Attribute::Truth(truth) => AttributeValue::Bool(*truth),
        Attribute::Binary(bytes) => AttributeValue::B(Blob::new(&**bytes)),
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
    use crate::model::row::RawLarge;

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
            assert_eq!(
                condition.expression,
                format!("attribute_exists(#namespace) AND {expression} AND attribute_not_exists(#large_version)")
            );
            let values: HashMap<_, _> = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            assert_eq!(condition.values.unwrap_or_default(), values);
            for (placeholder, _) in condition.names {
                assert!(condition.expression.contains(&placeholder));
            }
        }
    }

    #[test]
    fn a_deflated_form_is_as_it_was_read_too_and_every_put_looks_at_its_version() {
        let number = |number: &str| Attribute::Number(number.into());
        let row = |item| RawRow {
            large: Some(Box::new(RawLarge { version: number("9"), item })),
            ..read(Some(number("7")), None)
        };
        let condition = Condition::as_read(&row(Some(Attribute::Binary([0, 255].into())))).expect("a condition");
        let before = "attribute_exists(#namespace) AND #version = :version AND attribute_not_exists(#item)";
        assert_eq!(
            condition.expression,
            format!("{before} AND #large_version = :large_version AND #large_item = :large_item")
        );
        let values = condition.values.expect("values");
        assert_eq!(values[":large_version"], AttributeValue::N("9".into()));
        assert_eq!(values[":large_item"], AttributeValue::B(Blob::new([0, 255])));
        assert_eq!(condition.names["#large_version"], "flagstore_version");
        assert_eq!(condition.names["#large_item"], "flagstore_item");
        let condition = Condition::as_read(&row(None)).expect("a condition");
        assert_eq!(
            condition.expression,
            format!("{before} AND #large_version = :large_version AND attribute_not_exists(#large_item)")
        );
        for (when, compared) in
            [(When::Newer, "#large_version < :version"), (When::NotOlder, "#large_version <= :version")]
        {
            let condition = Condition::for_put(when, 3).expect("a condition");
            let ending = format!(" AND (attribute_not_exists(#large_version) OR {compared})");
            assert!(condition.expression.ends_with(&ending), "{}", condition.expression);
            assert_eq!((condition.names.len(), condition.values.map(|values| values.len())), (3, Some(1)));
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
