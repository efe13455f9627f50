//! The answers that carry rows, read without a map for each: what `all` and every uncached `get` would spend most on.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::BigSegmentRow;
use crate::model::row::RawRow;

/// The answer to GetItem.
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

    /// Whether this is the row that was asked for. Endpoints that leave the keys out are believed.
    fn is(&self, namespace: &str, key: &str) -> bool;

    /// What the store makes of it.
    fn into_row(self) -> Self::Row;
}

/// A row's attributes that the schema has a use for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Spelled {
    namespace: Option<Attribute>,
    key: Option<Attribute>,
    version: Option<Attribute>,
    item: Option<Attribute>,
    deleted: Option<Attribute>,
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

/// An attribute's value by its type; none of these for a type that the schema has no use for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct Attribute {
    #[serde(rename = "S")]
    text: Option<String>,
    #[serde(rename = "N")]
    number: Option<String>,
    #[serde(rename = "BOOL")]
    truth: Option<bool>,
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
            Some(last) => last.key.and_then(|key| key.text).map(Some).ok_or("a page ends at a key of another schema"),
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

fn are(keys: [(&Option<Attribute>, &str); 2]) -> bool {
    keys.iter().all(|(key, wanted)| key.as_ref().is_none_or(|key| key.text.as_deref() == Some(wanted)))
}

impl Spelling for Spelled {
    type Row = RawRow;

    fn is(&self, namespace: &str, key: &str) -> bool {
        are([(&self.namespace, namespace), (&self.key, key)])
    }

    fn into_row(self) -> RawRow {
        // A missing item is a tombstone of sorts; one of another type belongs to somebody else.
        let item_of_other_type = self.item.as_ref().is_some_and(|item| item.text.is_none());
        RawRow {
            key: self.key.and_then(|key| key.text),
            version: self.version.and_then(|version| version.number),
            item: self.item.and_then(|item| item.text),
            deleted: self.deleted.is_some_and(|deleted| deleted.truth == Some(true)),
            item_of_other_type,
        }
    }
}

impl Spelling for SpelledBigSegments {
    type Row = BigSegmentRow;

    fn is(&self, namespace: &str, key: &str) -> bool {
        are([(&self.namespace, namespace), (&self.key, key)])
    }

    fn into_row(self) -> BigSegmentRow {
        let set = |texts: Option<Texts>| texts.and_then(|texts| texts.texts).unwrap_or_default();
        BigSegmentRow {
            synchronized_on: self.synchronized_on.and_then(|number| number.number),
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
            version: Some("12".into()),
            item: Some("{\"a\":\"\\n\"}".into()),
            deleted: true,
            item_of_other_type: false,
        };
        assert_eq!(row.into_row(), wanted);
    }

    #[test]
    fn other_types_are_not_taken_for_the_schemas() {
        let row = one(r#"{"Item":{"key":{"N":"1"},"version":{"S":"1"},"item":{"B":"eA=="},"deleted":{"S":"true"}}}"#);
        let row = row.row().expect("a row");
        assert!(!row.is("features", "1"), "a number is no key of this schema");
        assert_eq!(row.into_row(), RawRow { item_of_other_type: true, ..RawRow::default() });
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
