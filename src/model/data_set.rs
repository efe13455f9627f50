//! A whole data set: collections of rows to be written, from structures or from an SDK's JSON.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::namespace::{FEATURES, Namespaces};
use super::row::{Item, NewRow};
use super::{Code, Error, Result, codec};

/// The rows of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// The kind, without prefix.
    pub kind: String,
    /// The rows, in the caller's order.
    pub rows: Vec<NewRow>,
    /// Items that were left out because their key is empty, which DynamoDB does not take and nobody can evaluate.
    pub empty_keys: usize,
}

/// Checks a data set given as structures.
pub fn from_items(given: Vec<(String, Vec<Item>)>) -> Result<Vec<Collection>> {
    let mut kinds = HashSet::new();
    let mut collections = Vec::with_capacity(given.len());
    for (kind, items) in given {
        Namespaces::new("").of(&kind)?;
        if !kinds.insert(kind.clone()) {
            return Err(duplicate_kind(&kind));
        }
        let mut keys = HashSet::with_capacity(items.len());
        let mut rows = Vec::with_capacity(items.len());
        let empty_keys = items.iter().filter(|item| item.key.is_empty()).count();
        for item in items.iter().filter(|item| !item.key.is_empty()) {
            if !keys.insert(item.key.as_str()) {
                return Err(duplicate_key(&kind, &item.key));
            }
            rows.push(codec::new_row(&kind, item)?);
        }
        collections.push(Collection { kind, rows, empty_keys });
    }
    Ok(collections)
}

/// Reads the JSON that an SDK or `/sdk/latest-all` has at hand: `{"features": {key: item, …}, "segments": {…}}`,
/// with `flags` for `features`, optionally inside the `{"path": "/", "data": {…}}` of the stream's `put` event.
/// Each item's own text is kept byte for byte.
pub fn from_json(text: &str) -> Result<Vec<Collection>> {
    let top = members(text, "the data set")?;
    let stream_event =
        top.iter().any(|(name, _)| name == "data") && top.iter().all(|(name, _)| name == "data" || name == "path");
    let kinds = if stream_event {
        match top.iter().find(|(name, _)| name == "data") {
            Some((_, data)) => members(data.get(), "the \"data\" of the data set")?,
            None => top,
        }
    } else {
        top
    };
    let mut given = Vec::with_capacity(kinds.len());
    for (name, items) in kinds {
        let kind = if name == "flags" { FEATURES.to_owned() } else { name };
        let items = members(items.get(), &format!("the kind \"{kind}\" of the data set"))?;
        given.push((
            kind.clone(),
            items.into_iter().map(|(key, item)| item_from_json(&kind, key, &item)).collect::<Result<Vec<_>>>()?,
        ));
    }
    from_items(given)
}

fn item_from_json(kind: &str, key: String, item: &RawValue) -> Result<Item> {
    if key.is_empty() {
        // It is left out, whatever it holds.
        return Ok(Item { key, version: 0, deleted: false, item: None });
    }
    let wrong = |code, what: &str| Error::new(code, format!("\"{key}\" of kind \"{kind}\" {what}"));
    let mut version = None;
    let mut deleted = false;
    let members = members(item.get(), "")
        .map_err(|_| wrong(Code::InvalidJson, "is not a JSON object: give the item as the SDK has it"))?;
    for (name, value) in members {
        match name.as_str() {
            "version" => {
                version = Some(version_from_json(value.get()).ok_or_else(|| {
                    wrong(
                        Code::InvalidVersion,
                        "has a version that is not a whole number from 0 to 9223372036854775807",
                    )
                })?)
            }
            "deleted" => deleted = value.get() == "true",
            _ => {}
        }
    }
    let version = version.ok_or_else(|| wrong(Code::InvalidVersion, "has no version"))?;
    Ok(Item { item: Some(item.get().to_owned()), key, version, deleted })
}

/// A version is a whole number; some serialisers write it as `1.0`.
fn version_from_json(text: &str) -> Option<i64> {
    let whole = text
        .split_once('.')
        .map_or(Some(text), |(whole, fraction)| fraction.bytes().all(|digit| digit == b'0').then_some(whole))?;
    whole.parse::<i64>().ok().filter(|version| *version >= 0)
}

fn duplicate_kind(kind: &str) -> Error {
    Error::new(
        Code::DuplicateKey,
        format!("the kind \"{kind}\" is in the data set twice (\"flags\" means \"{FEATURES}\")"),
    )
}

fn duplicate_key(kind: &str, key: &str) -> Error {
    Error::new(Code::DuplicateKey, format!("the key \"{key}\" of kind \"{kind}\" is in the data set twice"))
}

/// The members of a JSON object in their order, each value as its own text; a name that stands twice is an error.
fn members(text: &str, what: &str) -> Result<Vec<(String, Box<RawValue>)>> {
    if !text.trim_start().starts_with('{') {
        return Err(Error::new(Code::InvalidJson, format!("{what} is not a JSON object")));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Members.deserialize(&mut deserializer).and_then(|members| deserializer.end().map(|()| members));
    match read {
        Ok(Ok(members)) => Ok(members),
        Ok(Err(name)) => Err(Error::new(Code::DuplicateKey, format!("{what} names \"{name}\" twice"))),
        // The parser's own message may quote the text, which is a payload; its position is enough to find the place.
        Err(error) => Err(Error::new(
            Code::InvalidJson,
            format!("{what} is not valid JSON at line {}, column {}", error.line(), error.column()),
        )),
    }
}

/// Reads an object into a list, where a map would silently keep the last of two equal names.
struct Members;

type MembersOrDuplicate = std::result::Result<Vec<(String, Box<RawValue>)>, String>;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = MembersOrDuplicate;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = MembersOrDuplicate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
        let mut names = HashSet::new();
        let mut duplicate = None;
        while let Some(name) = map.next_key::<String>()? {
            if names.insert(name.clone()) {
                members.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
                duplicate.get_or_insert(name);
            }
        }
        Ok(duplicate.map_or(Ok(members), Err))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        from_json(text).unwrap_err().code
    }

    #[test]
    fn the_forms_an_sdk_has_at_hand_are_read_and_items_kept_byte_for_byte() {
        let item = r#"{ "key":"a" , "version":3, "x":"\u00e9" }"#;
        for text in [
            format!(r#"{{"flags":{{"a":{item}}},"segments":{{}}}}"#),
            format!(r#" {{"features":{{"a":{item}}},"segments":{{}}}}"#),
            format!(r#"{{"path":"/","data":{{"flags":{{"a":{item}}},"segments":{{}}}}}}"#),
        ] {
            let data = from_json(&text).unwrap();
            assert_eq!((data[0].kind.as_str(), data[1].kind.as_str(), data[1].rows.len()), ("features", "segments", 0));
            let row = &data[0].rows[0];
            assert_eq!((&*row.key, row.version, &*row.item, row.deleted), ("a", 3, item, false));
        }
    }

    #[test]
    fn a_deleted_item_becomes_the_tombstone_every_reader_understands() {
        let data = from_json(r#"{"flags":{"a":{"version":3,"deleted":true}}}"#).unwrap();
        assert!(data[0].rows[0].deleted);
        assert!(data[0].rows[0].item.contains("\"key\":\"$deleted\""));
    }

    #[test]
    fn wrong_data_is_refused_with_its_own_code() {
        assert_eq!(code("[]"), Code::InvalidJson);
        assert_eq!(code("null"), Code::InvalidJson);
        assert_eq!(code(""), Code::InvalidJson);
        assert_eq!(code("{"), Code::InvalidJson);
        assert_eq!(code("{} x"), Code::InvalidJson);
        assert_eq!(code(r#"{"flags":[]}"#), Code::InvalidJson);
        assert_eq!(code(r#"{"flags":{"a":"text"}}"#), Code::InvalidJson);
        assert_eq!(code(r#"{"flags":{},"features":{}}"#), Code::DuplicateKey);
        assert_eq!(code(r#"{"flags":{},"flags":{}}"#), Code::DuplicateKey);
        assert_eq!(code(r#"{"flags":{"a":{"version":1},"a":{"version":1}}}"#), Code::DuplicateKey);
        assert_eq!(code(r#"{"":{"a":{"version":1}}}"#), Code::EmptyKind);
        for version in ["-1", "1.5", "9223372036854775808", "1e3", "\"1\"", "null"] {
            assert_eq!(
                code(&format!(r#"{{"flags":{{"a":{{"version":{version}}}}}}}"#)),
                Code::InvalidVersion,
                "{version}"
            );
        }
        assert_eq!(code(r#"{"flags":{"a":{}}}"#), Code::InvalidVersion);
    }

    #[test]
    fn an_item_without_a_key_is_left_out_and_counted() {
        let data = from_json(r#"{"flags":{"":{"key":""},"a":{"version":1}},"segments":{}}"#).unwrap();
        assert_eq!((data[0].rows.len(), data[0].empty_keys, data[1].empty_keys), (1, 1, 0));
        let nameless = Item { key: String::new(), version: -1, deleted: false, item: None };
        let data = from_items(vec![("features".into(), vec![nameless.clone(), nameless])]).unwrap();
        assert_eq!((data[0].rows.len(), data[0].empty_keys), (0, 2));
    }

    #[test]
    fn no_message_quotes_a_payload() {
        let error = from_json(r#"{"flags":{"a":{"version":1,"secret-payload"}}}"#).unwrap_err();
        assert!(!error.message.contains("secret-payload"), "{error}");
    }
}
