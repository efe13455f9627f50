//! The answers that carry rows, read without a map for each: what `all` and every uncached `get` would spend most on.
//! Rows that come with a failed condition are read here too, so that no two readers have to agree.

use std::fmt;
use std::sync::Arc;

use aws_smithy_types::base64;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BigSegmentRow;
use crate::model::row::{Attribute, RawLarge, RawRow};

/// The answer to GetItem, and the refusal of a write whose condition did not hold.
#[derive(Debug, Deserialize)]
#[serde(bound = "R: DeserializeOwned")]
pub struct One<R> {
    #[serde(rename = "Item")]
    row: Option<R>,
    #[serde(rename = "ConsumedCapacity")]
    capacity: Option<Capacity>,
}

/// The answer to Query.
#[derive(Debug, Deserialize)]
pub struct Several {
    #[serde(rename = "Items")]
    rows: Option<Vec<Spelled>>,
    #[serde(rename = "LastEvaluatedKey")]
    last: Option<Spelled>,
    #[serde(rename = "ConsumedCapacity")]
    capacity: Option<Capacity>,
}

/// The answer to PutItem and DeleteItem.
#[derive(Debug, Deserialize)]
pub struct Done {
    #[serde(rename = "ConsumedCapacity")]
    capacity: Option<Capacity>,
}

#[derive(Debug, Deserialize)]
struct Capacity {
    #[serde(rename = "CapacityUnits")]
    units: Option<f64>,
}

/// A row that is spelled out in an answer.
pub trait Spelling: DeserializeOwned + Default + PartialEq {
    /// What the store makes of it.
    type Row;

    /// The two keys.
    fn keys(&self) -> (Option<&Attribute>, Option<&Attribute>);

    /// What the store makes of it.
    fn into_row(self) -> Self::Row;

    /// Whether this is the row that was asked for. Endpoints that leave the keys out are believed.
    fn is(&self, namespace: &str, key: &str) -> bool {
        let is = |attribute: Option<&Attribute>, wanted: &str| {
            attribute.is_none_or(|value| matches!(value, Attribute::Text(text) if **text == *wanted))
        };
        let (its_namespace, its_key) = self.keys();
        is(its_namespace, namespace) && is(its_key, key)
    }
}

/// A row's attributes that the schema has a use for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Spelled {
    namespace: Option<Attribute>,
    key: Option<Attribute>,
    version: Option<Attribute>,
    item: Option<Attribute>,
    deleted: Option<Attribute>,
    #[serde(rename = "flagstore_version")]
    large_version: Option<Attribute>,
    #[serde(rename = "flagstore_item")]
    large_item: Option<Attribute>,
}

/// The attributes of the rows that big segments live in.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct SpelledBigSegments {
    namespace: Option<Attribute>,
    key: Option<Attribute>,
    #[serde(rename = "synchronizedOn")]
    synchronized_on: Option<Attribute>,
    included: Option<Texts>,
    excluded: Option<Texts>,
}

/// A set of strings; nothing for any other type.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Texts {
    #[serde(rename = "SS")]
    texts: Option<Vec<String>>,
}

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;

        impl<'de> Visitor<'de> for Typed {
            type Value = Attribute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute's type and value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Attribute, A::Error> {
                let mut attribute = Attribute::Other("{}".into());
                while let Some(of_type) = members.next_key::<Box<str>>()? {
                    attribute = match &*of_type {
                        "S" => Attribute::Text(members.next_value::<String>()?.into()),
                        "N" => Attribute::Number(members.next_value()?),
                        "BOOL" => Attribute::Truth(members.next_value()?),
                        _ => {
                            let value = members.next_value::<Box<RawValue>>()?;
                            if let Some(bytes) = bytes(&of_type, &value) {
                                attribute = Attribute::Binary(bytes);
                                continue;
                            }
                            let of_type = serde_json::to_string(&of_type).unwrap_or_default();
                            Attribute::Other(format!("{{{of_type}:{value}}}").into())
                        }
                    };
                }
                Ok(attribute)
            }
        }

        deserializer.deserialize_map(Typed)
    }
}

/// The bytes of a binary attribute. A spelling of them that is not base64 is kept as it is.
fn bytes(of_type: &str, value: &RawValue) -> Option<Arc<[u8]>> {
    if of_type != "B" {
        return None;
    }
    let spelled = serde_json::from_str::<&str>(value.get()).ok()?;
    base64::decode(spelled).ok().map(Into::into)
}

impl<R: Spelling> One<R> {
    /// The row, if there is one.
    pub fn row(self) -> Option<R> {
        self.row.filter(|row| *row != R::default())
    }

    /// The capacity that reading took.
    pub fn units(&self) -> Option<f64> {
        self.capacity.as_ref()?.units
    }
}

impl Done {
    /// The capacity that writing took.
    pub fn units(&self) -> Option<f64> {
        self.capacity.as_ref()?.units
    }
}

impl Several {
    /// The sort key after which the next page starts, unless this was the last; an error if it is of another schema.
    pub fn next(&mut self) -> Result<Option<String>, &'static str> {
        match self.last.take().filter(|last| *last != Spelled::default()) {
            None => Ok(None),
            Some(last) => match last.key {
                Some(Attribute::Text(key)) => Ok(Some(key.to_string())),
                _ => Err("a page ends at a key of another schema"),
            },
        }
    }

    /// The rows.
    pub fn rows(self) -> Option<Vec<RawRow>> {
        Some(self.rows?.into_iter().map(Spelled::into_row).collect())
    }

    /// The capacity that reading took.
    pub fn units(&self) -> Option<f64> {
        self.capacity.as_ref()?.units
    }
}

impl Spelling for Spelled {
    type Row = RawRow;

    fn keys(&self) -> (Option<&Attribute>, Option<&Attribute>) {
        (self.namespace.as_ref(), self.key.as_ref())
    }

    fn into_row(self) -> RawRow {
        RawRow {
            key: match self.key {
                Some(Attribute::Text(key)) => Some((*key).into()),
                _ => None,
            },
            version: self.version,
            item: self.item,
            deleted: self.deleted == Some(Attribute::Truth(true)),
            large: self.large_version.map(|version| Box::new(RawLarge { version, item: self.large_item })),
        }
    }
}

impl Spelling for SpelledBigSegments {
    type Row = BigSegmentRow;

    fn keys(&self) -> (Option<&Attribute>, Option<&Attribute>) {
        (self.namespace.as_ref(), self.key.as_ref())
    }

    fn into_row(self) -> BigSegmentRow {
        let set = |texts: Option<Texts>| texts.and_then(|texts| texts.texts).unwrap_or_default();
        BigSegmentRow {
            synchronized_on: match self.synchronized_on {
                Some(Attribute::Number(number)) => Some(number.into()),
                _ => None,
            },
            included: set(self.included),
            excluded: set(self.excluded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> One<Spelled> {
        serde_json::from_str(text).expect("an answer")
    }

    #[test]
    fn a_row_is_read_with_its_types_and_whatever_else_it_holds() {
        let answer = one(
            r#"{"ConsumedCapacity":{"CapacityUnits":0.5,"TableName":"flags"},"Item":{"namespace":{"S":"p:features"},"key":{"S":"k\u00e9"},
               "version":{"N":"12"},"item":{"S":"{\"a\":\"\\n\"}"},"ttl":{"N":"1"},"more":{"M":{"S":{"L":[{"NULL":true}]}}},"deleted":{"BOOL":true}}}"#,
        );
        assert_eq!(answer.units(), Some(0.5));
        let row = answer.row().expect("a row");
        assert!(row.is("p:features", "ké") && !row.is("features", "ké") && !row.is("p:features", "k"));
        let wanted = RawRow {
            key: Some("ké".into()),
            version: Some(Attribute::Number("12".into())),
            item: Some(Attribute::Text("{\"a\":\"\\n\"}".into())),
            deleted: true,
            large: None,
        };
        assert_eq!(row.into_row(), wanted);
    }

    #[test]
    fn a_deflated_form_is_read_with_its_bytes_and_what_is_no_base64_is_kept() {
        let large = |text: &str| one(text).row().expect("a row").into_row().large.map(|large| *large);
        let binary = |bytes: &[u8]| Some(Attribute::Binary(bytes.into()));
        let version = Attribute::Number("9".into());
        assert_eq!(
            large(r#"{"Item":{"flagstore_version":{"N":"9"},"flagstore_item":{"B":"AP8="}}}"#),
            Some(RawLarge { version: version.clone(), item: binary(&[0, 255]) })
        );
        assert_eq!(
            large(r#"{"Item":{"flagstore_version":{"N":"9"},"flagstore_item":{"B":"?"}}}"#),
            Some(RawLarge { version, item: Some(Attribute::Other(r#"{"B":"?"}"#.into())) })
        );
        assert_eq!(large(r#"{"Item":{"flagstore_item":{"B":"AP8="}}}"#), None, "without a version it is none");
    }

    #[test]
    fn other_types_are_not_taken_for_the_schema_s_and_kept_as_they_were_read() {
        let row = one(
            r#"{"Item":{"key":{"N":"1"},"version":{"S":"1"},"item":{"M":{"a":{"L":[ ]}}},"deleted":{"S":"true"}}}"#,
        );
        let row = row.row().expect("a row");
        assert!(!row.is("features", "1"), "a number is no key of this schema");
        let wanted = RawRow {
            version: Some(Attribute::Text("1".into())),
            item: Some(Attribute::Other(r#"{"M":{"a":{"L":[ ]}}}"#.into())),
            ..RawRow::default()
        };
        assert_eq!(row.into_row(), wanted);
    }

    #[test]
    fn big_segments_are_sets_and_a_number() {
        let read = |text: &str| {
            serde_json::from_str::<One<SpelledBigSegments>>(text).expect("an answer").row().expect("a row").into_row()
        };
        let row = read(
            r#"{"Item":{"synchronizedOn":{"N":"17"},"included":{"SS":["a.g1"]},"excluded":{"L":[{"S":"b.g1"}]}}}"#,
        );
        assert_eq!(
            row,
            BigSegmentRow { synchronized_on: Some("17".into()), included: vec!["a.g1".into()], excluded: vec![] }
        );
        assert_eq!(read(r#"{"Item":{"synchronizedOn":{"S":"17"}}}"#), BigSegmentRow::default());
    }

    #[test]
    fn no_row_is_none() {
        for none in ["{}", r#"{"Item":{}}"#, r#"{"Item":null,"ConsumedCapacity":null}"#] {
            assert_eq!(one(none).row(), None, "{none}");
        }
        assert!(serde_json::from_str::<One<Spelled>>(r#"{"Item":[]}"#).is_err());
    }

    #[test]
    fn a_page_says_where_the_next_starts() {
        let page = |text: &str| serde_json::from_str::<Several>(text).expect("a page");
        let last =
            r#"{"Items":[{"key":{"S":"a"}},{}],"Count":2,"LastEvaluatedKey":{"namespace":{"S":"n"},"key":{"S":"a"}}}"#;
        assert_eq!(page(last).next(), Ok(Some("a".into())));
        assert_eq!(page(last).rows().expect("rows").len(), 2);
        assert_eq!(page(r#"{"Items":[],"LastEvaluatedKey":{}}"#).next(), Ok(None));
        assert!(page(r#"{"Items":[],"LastEvaluatedKey":{"id":{"S":"a"},"key":{"N":"1"}}}"#).next().is_err());
        assert!(page(r#"{"Count":0}"#).rows().is_none());
    }
}
