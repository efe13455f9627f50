//! Rows as DynamoDB returns them.

use std::collections::HashMap;

use aws_smithy_types::base64;
use serde_json::{Value, json};

use super::payloads::is_deleted;
use crate::dynamo::answers::{One, Spelled, SpelledBigSegments, Spelling};
use crate::dynamo::condition::Condition;
use crate::model::codec;
use crate::model::decimal::Decimal;
use crate::model::row::{Attribute, NewRow, RawRow, Version};
use crate::store::big_segments;

type Attributes = HashMap<String, Value>;

/// A row of any attributes of any type, one a line with a NUL at its end: `S key=flag`, `N version=7`, `SS included=a,b`.
/// A row with a key and a payload that is text can be read, whatever else it holds; what it means is what its
/// attributes say; and written again it reads as the same.
pub fn row(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let attributes: Attributes = text.split('\0').filter_map(attribute).collect();
    let of_type = |name: &str, of_type: &str| attributes.get(name).and_then(|value| value.get(of_type)).cloned();
    let string = |name: &str| of_type(name, "S").and_then(|text| text.as_str().map(ToOwned::to_owned));
    let (key, item) = (string("key"), string("item"));
    let Some(raw) = spelled::<Spelled>(&attributes) else { return };
    assert_eq!((raw.key.as_deref(), raw.item.is_some()), (key.as_deref(), attributes.contains_key("item")));
    let number = of_type("version", "N").and_then(|text| Decimal::parse(text.as_str()?)?.whole());
    let version = number.map_or(Version::Unreadable, Version::Number);
    let version = if attributes.contains_key("version") { version } else { Version::Absent };
    assert_eq!(codec::version(&raw), version);
    // Whatever a row holds, a write can be conditional on it.
    assert!(Condition::as_read(&raw).is_ok());
    let read = codec::read(&raw);
    let other_type = attributes.contains_key("item") && item.is_none();
    assert_eq!(read.is_err(), key.is_none() || other_type || item.as_deref() == Some(""));
    assert_eq!(codec::is_sound(&raw), read.is_ok() && version != Version::Unreadable);
    if let Ok(row) = read {
        let marked = of_type("deleted", "BOOL") == Some(Value::Bool(true));
        let deleted = item.as_deref().is_none_or(is_deleted) || marked;
        assert_eq!((Some(&*row.key), row.deleted()), (key.as_deref(), deleted));
        assert_eq!(row.item(), item.as_deref().filter(|_| !deleted));
        assert!(row.version >= 0, "the header promises versions of 0 or more");
        assert!(number.is_none_or(|number: i64| number < 0 || number == row.version));
        assert_eq!(codec::again(&raw).map(|again| again.as_read()), Some(row.clone()).filter(|_| !deleted));
        if let Some(payload) = row.item() {
            let new = NewRow { key: row.key.clone(), version: row.version, item: payload.into(), deleted: false };
            let written = RawRow {
                key: Some(new.key.clone()),
                version: Some(Attribute::Number(new.version.to_string().into())),
                item: Some(Attribute::Text(new.item.clone())),
                deleted: false,
            };
            assert!(codec::is_the_same(&written, &new));
            assert_eq!(codec::read(&written).as_ref(), Ok(&row));
        }
    }
    let Some(big) = spelled::<SpelledBigSegments>(&attributes) else { return };
    let named = big.included.iter().chain(&big.excluded).cloned().collect::<Vec<_>>();
    let _ = big_segments::synchronized_on(Some(big.clone()));
    let membership = big_segments::membership(Some(big.clone()));
    assert_eq!(membership.is_none(), named.is_empty());
    for (segment, included) in membership.into_iter().flat_map(|membership| membership.entries) {
        assert!(named.contains(&segment) && included == big.included.contains(&segment));
    }
}

/// The row as an answer spells it; none where it has no attribute that there is a use for.
fn spelled<R: Spelling>(attributes: &Attributes) -> Option<R::Row> {
    let answer = json!({"Item": attributes}).to_string();
    let answer: One<R> = serde_json::from_str(&answer).expect("attributes of DynamoDB's types can be read");
    Some(answer.row()?.into_row())
}

fn attribute(line: &str) -> Option<(String, Value)> {
    let (of_type, rest) = line.split_once(' ')?;
    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
    let list = || value.split(',');
    let typed = match of_type {
        "S" | "N" => json!(value),
        "B" => json!(base64::encode(value)),
        "BOOL" | "NULL" => json!(value == "true"),
        "SS" | "NS" => json!(list().collect::<Vec<_>>()),
        "BS" => json!(list().map(base64::encode).collect::<Vec<_>>()),
        "L" => json!(list().map(|text| json!({"S": text})).collect::<Vec<_>>()),
        "M" => json!(list().map(|name| (name, json!({"S": name}))).collect::<HashMap<_, _>>()),
        _ => return None,
    };
    Some((name.to_owned(), json!({of_type: typed})))
}
