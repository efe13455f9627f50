//! Rows as DynamoDB returns them.

use std::collections::HashMap;

use aws_smithy_types::base64;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use super::payloads::is_deleted;
use crate::dynamo::answers::{One, Spelled, SpelledBigSegments, Spelling};
use crate::dynamo::condition::Condition;
use crate::model::codec;
use crate::model::decimal::Decimal;
use crate::model::large;
use crate::model::row::{Attribute, NewRow, RawLarge, RawRow, Version};
use crate::store::big_segments;

type Attributes = HashMap<String, Value>;

/// A row of any attributes of any type, one a line with a NUL at its end: `S key=flag`, `N version=7`, `SS included=a,b`,
/// `Z flagstore_item={}` for deflated text.
/// A row with a key and a payload that is text can be read, whatever else it holds; what it means is what the attributes
/// of its newer form say; and written again it reads as the same.
pub fn row(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let attributes: Attributes = text.split('\0').filter_map(attribute).collect();
    let of_type = |name: &str, of_type: &str| attributes.get(name).and_then(|value| value.get(of_type)).cloned();
    let string = |name: &str| of_type(name, "S").and_then(|text| text.as_str().map(ToOwned::to_owned));
    let whole = |name: &str| of_type(name, "N").and_then(|text| Decimal::parse(text.as_str()?)?.whole());
    let Some(raw) = spelled::<Spelled>(&attributes) else { return };
    let key = string("key");
    assert_eq!((raw.key.as_deref(), raw.item.is_some()), (key.as_deref(), attributes.contains_key("item")));
    // Whatever a row holds, a write can be conditional on it.
    assert!(Condition::as_read(&raw).is_ok());

    let has_large = attributes.contains_key(large::VERSION);
    let is_older = |(its, deflated): (i64, i64)| its > deflated;
    let is_large = has_large && !whole("version").zip(whole(large::VERSION)).is_some_and(is_older);
    let (name, number) = if is_large { (large::ITEM, whole(large::VERSION)) } else { ("item", whole("version")) };
    let item = if is_large { inflated(of_type(name, "B")) } else { string(name) };

    let absent = !attributes.contains_key("version");
    let unreadable = !absent && whole("version").is_none();
    let version = match (number, is_large) {
        _ if unreadable => Version::Unreadable,
        (Some(number), _) => Version::Number(number),
        (None, false) if absent => Version::Absent,
        (None, _) => Version::Unreadable,
    };
    assert_eq!(codec::version(&raw), version);
    let read = codec::read(&raw);
    let wrong_type = if is_large { item.is_none() || number.is_none() } else { item.is_none() && raw.item.is_some() };
    assert_eq!(read.is_err(), key.is_none() || wrong_type || item.as_deref() == Some(""), "{read:?}");
    assert_eq!(codec::is_sound(&raw), read.is_ok() && version != Version::Unreadable);
    if let Ok(row) = read {
        let marked = of_type("deleted", "BOOL") == Some(Value::Bool(true));
        let deleted = item.as_deref().is_none_or(is_deleted) || marked;
        assert_eq!((Some(&*row.key), row.deleted()), (key.as_deref(), deleted));
        assert_eq!(row.item(), item.as_deref().filter(|_| !deleted));
        assert!(row.version >= 0, "the header promises versions of 0 or more");
        assert!(number.is_none_or(|number: i64| number < 0 || number == row.version));
        let again = codec::again(&raw);
        assert_eq!(again.as_ref().map(NewRow::as_read), Some(row.clone()).filter(|_| !deleted));
        if let Some(new) = again {
            let written = as_written(&new, &raw);
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

/// What a deflated form says, if that can be had.
fn inflated(spelled: Option<Value>) -> Option<String> {
    let bytes = base64::decode(spelled?.as_str()?).ok()?;
    large::inflate(&bytes).ok().map(|text| text.to_string())
}

/// The row that stands in the table after `new` was put where `raw` had been.
fn as_written(new: &NewRow, raw: &RawRow) -> RawRow {
    let number = |version: i64| Attribute::Number(version.to_string().into());
    let plain = |version, item| RawRow {
        key: Some(new.key.clone()),
        version: Some(number(version)),
        item: Some(Attribute::Text(item)),
        ..RawRow::default()
    };
    let Some(deflated) = &new.deflated else { return plain(new.version, new.item.clone()) };
    let older = large::older("features", new, deflated, Some(raw)).expect("there is room");
    assert!(older.version <= new.version, "{older:?}");
    let item = Some(Attribute::Binary(deflated.bytes.clone()));
    RawRow {
        large: Some(Box::new(RawLarge { version: number(new.version), item })),
        ..plain(older.version, older.item)
    }
}

/// Any bytes as a deflated form: they are text of a bounded length, which is deflated and inflated to the same, or refused.
pub fn large(data: &[u8]) {
    let Ok(text) = large::inflate(data) else { return };
    assert!(text.len() <= large::MAX_ITEM_BYTES);
    let new = NewRow { key: "k".into(), version: 1, item: text.clone(), deleted: false, deflated: None };
    // What a few bytes become may be too much for a row again where they are not deflated as well as they were.
    if let Some(again) = large::deflate("features", &new) {
        assert_eq!(large::inflate(&again.bytes), Ok(text));
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
        "Z" => json!(base64::encode(compress_to_vec_zlib(value.as_bytes(), 1))),
        "BOOL" | "NULL" => json!(value == "true"),
        "SS" | "NS" => json!(list().collect::<Vec<_>>()),
        "BS" => json!(list().map(base64::encode).collect::<Vec<_>>()),
        "L" => json!(list().map(|text| json!({"S": text})).collect::<Vec<_>>()),
        "M" => json!(list().map(|name| (name, json!({"S": name}))).collect::<HashMap<_, _>>()),
        _ => return None,
    };
    let of_type = if of_type == "Z" { "B" } else { of_type };
    Some((name.to_owned(), json!({of_type: typed})))
}
