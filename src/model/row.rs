//! The three shapes of a row: what DynamoDB returned, what it means, and what is to be written.

use std::sync::Arc;

/// A row's attributes as DynamoDB returned them: nothing is known of them yet.
///
/// `None` stands for an attribute that is missing or of another type than the schema's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRow {
    /// The sort key, which is the item's key.
    pub key: Option<String>,
    /// The text of the number attribute `version`.
    pub version: Option<String>,
    /// The string attribute `item`.
    pub item: Option<String>,
    /// The boolean attribute `deleted`, which nobody writes and one SDK reads.
    pub deleted: bool,
    /// Whether `item` is there with a type other than string.
    pub item_of_other_type: bool,
}

/// A row understood: a flag or segment with its payload, or the tombstone of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The item's key: the sort key, never the key inside the payload.
    pub key: Box<str>,
    /// The version, which decides which of two writes wins.
    pub version: i64,
    /// The payload of a live item; a tombstone has none.
    pub payload: Payload,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The SDK's own text, byte for byte.
    Live(Arc<str>),
    /// The item was deleted.
    Tombstone,
}

impl Row {
    /// Whether the item was deleted.
    pub fn deleted(&self) -> bool {
        self.payload == Payload::Tombstone
    }

    /// The payload of a live item.
    pub fn item(&self) -> Option<&str> {
        match &self.payload {
            Payload::Live(text) => Some(text),
            Payload::Tombstone => None,
        }
    }

    /// Bytes this row keeps in memory, for the cache's bound.
    pub fn memory(&self) -> usize {
        size_of::<Row>() + self.key.len() + self.item().map_or(0, str::len)
    }
}

/// The version of a row as it was read, for writes that are conditional on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadVersion {
    /// The attribute held this number.
    Number(i64),
    /// The row was there without a usable version.
    Missing,
}

/// A row of an existing data set, as `init` needs it: what it means, and how to say "still as it was read".
#[derive(Debug, Clone)]
pub struct Existing {
    /// The version attribute itself.
    pub version: ReadVersion,
    /// What the row means, or `None` where it cannot be read; such a row is replaced or removed.
    pub row: Option<Row>,
}

/// A row to be written: complete, checked, small enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// The sort key.
    pub key: Box<str>,
    /// The version.
    pub version: i64,
    /// The `item` attribute, a tombstone's text included.
    pub item: Arc<str>,
    /// Whether it is a tombstone.
    pub deleted: bool,
}

impl NewRow {
    /// What a reader will make of it.
    pub fn as_read(&self) -> Row {
        Row {
            key: self.key.clone(),
            version: self.version,
            payload: if self.deleted { Payload::Tombstone } else { Payload::Live(Arc::clone(&self.item)) },
        }
    }
}

/// An item as the caller hands it over, before any rule was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The item's key.
    pub key: String,
    /// The item's version.
    pub version: i64,
    /// Whether this is a deletion.
    pub deleted: bool,
    /// The payload; a deletion may go without.
    pub item: Option<String>,
}
