//! The three shapes of a row: what DynamoDB returned, what it means, and what is to be written. `codec` leads from one to
//! the other.

use std::sync::Arc;

use super::large::Deflated;

/// The value of an attribute as DynamoDB returned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// A string.
    Text(Arc<str>),
    /// A number, in DynamoDB's spelling.
    Number(Box<str>),
    /// A boolean.
    Truth(bool),
    /// Bytes.
    Binary(Arc<[u8]>),
    /// Anything else, as DynamoDB's JSON spells type and value, such as `{"NULL":true}`.
    Other(Box<str>),
}

impl Attribute {
    /// How much of a row it takes, about.
    pub fn bytes(&self) -> usize {
        match self {
            Attribute::Text(text) => text.len(),
            Attribute::Number(text) | Attribute::Other(text) => text.len(),
            Attribute::Truth(_) => 1,
            Attribute::Binary(bytes) => bytes.len(),
        }
    }
}

/// A row's attributes as DynamoDB returned them: nothing is known of them yet. This is what a write that must meet a row
/// "as it was read" is conditional on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRow {
    /// The sort key, which is the item's key; `None` where it is missing or no string.
    pub key: Option<Box<str>>,
    /// The attribute `version`, which should be a number.
    pub version: Option<Attribute>,
    /// The attribute `item`, which should be a string.
    pub item: Option<Attribute>,
    /// The boolean attribute `deleted`, which nobody writes and one SDK reads.
    pub deleted: bool,
    /// The deflated form of what does not fit, where there is one. Rare, and so apart.
    pub large: Option<Box<RawLarge>>,
}

/// The attributes of a deflated form as DynamoDB returned them, see [`super::large`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLarge {
    /// The attribute `flagstore_version`, which should be a number.
    pub version: Attribute,
    /// The attribute `flagstore_item`, which should be binary.
    pub item: Option<Attribute>,
}

/// What the attribute `version` of a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// There is no such attribute.
    Absent,
    /// Something that orders no two writes: text, a boolean, null, or a number that is not whole or over 64 bits.
    Unreadable,
    /// A number.
    Number(i64),
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

/// A row to be written: complete and checked.
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
    /// The payload deflated, where the row would not fit otherwise.
    pub deflated: Option<Deflated>,
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
