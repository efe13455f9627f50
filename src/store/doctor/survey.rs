//! Rows as they stand in the table, those that cannot be read among them.

use std::sync::Arc;

use crate::model::row::{Payload, RawRow, Version};
use crate::model::{codec, size};

/// How many rows are named for each thing that is wrong with some.
const NAMED: usize = 5;
/// From this size on a row is near DynamoDB's limit: the next few targets may be too many.
pub const NEAR: usize = size::MAX_ROW_BYTES / 8 * 7;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Its sort key.
    pub key: String,
    /// Its version, if it has one that is a number.
    pub version: Option<i64>,
    /// Its size by DynamoDB's count.
    pub bytes: usize,
    /// The version that other SDKs read, of a row that is stored deflated.
    pub others_read: Option<i64>,
    /// What it holds.
    pub state: State,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// An item, and its payload.
    Live(Arc<str>),
    /// The item was deleted.
    Tombstone,
    /// It cannot be read, and why.
    Unreadable(&'static str),
}

impl Sighting {
    /// Looks at a row.
    pub fn of(namespace: &str, raw: &RawRow) -> Sighting {
        let deflated = raw.large.as_ref().and_then(|_| codec::read_schema(raw).ok());
        let (version, state) = match (codec::read(raw), codec::version(raw)) {
            (Err(why), Version::Number(version)) => (Some(version), State::Unreadable(why)),
            (Err(why), _) => (None, State::Unreadable(why)),
            (Ok(_), Version::Unreadable) => (
                None,
                State::Unreadable("its version is not a whole number of 64 bits, so that every write replaces it"),
            ),
            (Ok(row), _) => {
                let state = match row.payload {
                    Payload::Live(item) => State::Live(item),
                    Payload::Tombstone => State::Tombstone,
                };
                (Some(row.version), state)
            }
        };
        Sighting {
            key: raw.key.as_deref().unwrap_or_default().to_owned(),
            version,
            bytes: size::stored_bytes(namespace, raw),
            others_read: deflated.map(|row| row.version),
            state,
        }
    }
}

/// The rows of a kind, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub rows: usize,
    /// Those that are tombstones.
    pub tombstones: usize,
    /// Those that other SDKs read in an older form.
    pub deflated: usize,
    /// Those that cannot be read: how many, and the first with what is wrong.
    pub unreadable: (usize, Vec<(String, &'static str)>),
    /// Those that are near the limit: how many, and the first with their sizes.
    pub near: (usize, Vec<(String, usize)>),
}

impl Tally {
    /// One more.
    pub fn add(&mut self, row: &Sighting) {
        self.rows += 1;
        self.tombstones += usize::from(row.state == State::Tombstone);
        self.deflated += usize::from(row.others_read.is_some());
        if let State::Unreadable(why) = row.state {
            note(&mut self.unreadable, &row.key, why);
        }
        if row.bytes >= NEAR {
            note(&mut self.near, &row.key, row.bytes);
        }
    }
}

fn note<T>((count, first): &mut (usize, Vec<(String, T)>), key: &str, what: T) {
    *count += 1;
    if first.len() < NAMED {
        first.push((key.to_owned(), what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::{Attribute, RawLarge};

    #[test]
    fn rows_are_counted_by_what_they_hold_and_the_first_are_named() {
        let row = |key: &str, version: &str, item: &str| RawRow {
            key: Some(key.into()),
            version: Some(Attribute::Number(version.into())),
            item: Some(Attribute::Text(item.into())),
            ..RawRow::default()
        };
        let bytes = Attribute::Binary(miniz_oxide::deflate::compress_to_vec_zlib(b"{}", 6).into());
        let large = RawLarge { version: Attribute::Number("9".into()), item: Some(bytes) };
        let mut rows = vec![
            row("live", "1", "{}"),
            row("gone", "2", "null"),
            row("wide", "3", &"x".repeat(NEAR)),
            row("half", "1.5", "{}"),
            RawRow { large: Some(Box::new(large)), ..row("deflated", "5", "{}") },
        ];
        rows.extend((0..10).map(|number| row(&format!("empty{number}"), "1", "")));
        let sightings: Vec<Sighting> = rows.iter().map(|row| Sighting::of("features", row)).collect();
        let mut tally = Tally::default();
        sightings.iter().for_each(|row| tally.add(row));
        assert_eq!((tally.rows, tally.tombstones, tally.deflated), (15, 1, 1));
        assert_eq!((tally.unreadable.0, tally.unreadable.1.len()), (11, NAMED));
        assert_eq!(tally.unreadable.1[1], ("empty0".to_owned(), "its item attribute is empty"));
        assert_eq!((tally.near.0, &*tally.near.1[0].0), (1, "wide"));
        assert_eq!((sightings[4].version, sightings[4].others_read), (Some(9), Some(5)));
        // 100 + the four attributes, as every SDK counts them.
        assert_eq!(sightings[0].bytes, 100 + 9 + 8 + 3 + 4 + 7 + 1 + 4 + 2);
    }
}
