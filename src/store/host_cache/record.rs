//! What a file of the host's cache holds: one row, or that there is none, or all rows of a kind; with the moment it was
//! true, its place, and a checksum over everything.
//!
//! A file that is not exactly that, to the last bit, is none: half-written, truncated, overwritten, of another version
//! of this library, or of another place whose name has the same hash.

use sha2::{Digest, Sha256};

use super::age::Stamp;
use crate::model::row::{Payload, Row};

/// The first bytes of a file; the number changes with the form.
const MAGIC: &[u8; 12] = b"flagstore/1\n";
/// So much of SHA-256 guards against accidents. The directory's permissions guard against people.
const CHECKSUM_BYTES: usize = 16;

/// The place of a row, or of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The kind.
    pub kind: &'a str,
    /// The key; `None` for the list of all rows of the kind.
    pub key: Option<&'a str>,
}

/// What was found at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// A moment at which it was true: when the reading of it began, or when the writing of it had ended.
    pub as_of: Stamp,
    /// No reading that began before this moment replaces it. Later than `as_of` where a write came by that may have left
    /// another value.
    pub seen_writes: Stamp,
    /// The rows: of a list all of them, of a row that one, or none.
    pub rows: Vec<Row>,
}

impl Record {
    /// What is true as of a moment.
    pub fn as_of(as_of: Stamp, rows: Vec<Row>) -> Record {
        Record { as_of, seen_writes: as_of, rows }
    }

    /// Whether it only stands in.
    pub fn is_doubted(&self) -> bool {
        self.as_of != self.seen_writes
    }

    /// The bytes of its file.
    pub fn to_bytes(&self, place: &Place<'_>) -> Vec<u8> {
        let payload: usize = self.rows.iter().map(|row| row.key.len() + row.item().map_or(0, str::len) + 24).sum();
        let mut bytes = Vec::with_capacity(MAGIC.len() + CHECKSUM_BYTES + 128 + payload);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
        let start = bytes.len();
        for stamp in [&self.as_of, &self.seen_writes] {
            put_number(&mut bytes, stamp.wall);
            put_number(&mut bytes, stamp.boot);
            bytes.extend_from_slice(&stamp.boot_id);
        }
        put_text(&mut bytes, Some(place.kind));
        put_text(&mut bytes, place.key);
        put_number(&mut bytes, self.rows.len() as u64);
        for row in &self.rows {
            put_text(&mut bytes, Some(&row.key));
            bytes.extend_from_slice(&row.version.to_le_bytes());
            put_text(&mut bytes, row.item());
        }
        let checksum = checksum(&bytes[start..]);
        bytes[MAGIC.len()..start].copy_from_slice(&checksum);
        bytes
    }

    /// What a file says of a place, if it is whole and of that place.
    pub fn from_bytes(bytes: &[u8], place: &Place<'_>) -> Option<Record> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (given, body) = rest.split_at_checked(CHECKSUM_BYTES)?;
        if *given != checksum(body) {
            return None;
        }
        let mut body = Body(body);
        let (as_of, seen_writes) = (body.stamp()?, body.stamp()?);
        if body.text()? != Some(place.kind) || body.text()? != place.key {
            return None;
        }
        let count = body.number()?;
        let mut rows = Vec::new();
        for _ in 0..count {
            let key = body.text()??.into();
            let version = i64::from_le_bytes(body.take(8)?.try_into().ok()?);
            let payload = body.text()?.map_or(Payload::Tombstone, |item| Payload::Live(item.into()));
            rows.push(Row { key, version, payload });
        }
        body.0.is_empty().then_some(Record { as_of, seen_writes, rows })
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&Sha256::digest(body)[..CHECKSUM_BYTES]);
    checksum
}

fn put_number(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

/// The length, which is the largest number for no text, and the text.
fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    put_number(bytes, text.map_or(u64::MAX, |text| text.len() as u64));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// What is left to read.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp { wall: self.number()?, boot: self.number()?, boot_id: self.take(16)?.try_into().ok()? })
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        match self.number()? {
            u64::MAX => Some(None),
            length => Some(Some(std::str::from_utf8(self.take(usize::try_from(length).ok()?)?).ok()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let as_of = Stamp { wall: 5, boot: 6, boot_id: [7; 16] };
        let live = Row { key: "a".into(), version: 3, payload: Payload::Live("{\"é\":1}".into()) };
        let gone = Row { key: "b".into(), version: 9, payload: Payload::Tombstone };
        Record { as_of, seen_writes: Stamp { boot: 8, ..as_of }, rows: vec![live, gone] }
    }

    const PLACE: Place<'_> = Place { kind: "features", key: None };

    #[test]
    fn what_was_written_is_read() {
        let bytes = record().to_bytes(&PLACE);
        assert_eq!(Record::from_bytes(&bytes, &PLACE), Some(record()));
        let none = Record { rows: Vec::new(), ..record() };
        let place = Place { kind: "features", key: Some("k") };
        assert_eq!(Record::from_bytes(&none.to_bytes(&place), &place), Some(none));
    }

    #[test]
    fn a_file_that_is_damaged_anywhere_is_none() {
        let bytes = record().to_bytes(&PLACE);
        for at in 0..bytes.len() {
            assert_eq!(Record::from_bytes(&bytes[..at], &PLACE), None, "cut at {at}");
            for flip in [1, 0x80] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                assert_eq!(Record::from_bytes(&damaged, &PLACE), None, "another byte at {at}");
            }
        }
        assert_eq!(Record::from_bytes(&[&bytes[..], b"x"].concat(), &PLACE), None, "longer");
        assert_eq!(Record::from_bytes(&bytes, &Place { kind: "segments", key: None }), None, "of another kind");
        assert_eq!(Record::from_bytes(&bytes, &Place { key: Some(""), ..PLACE }), None, "a row is no list");
    }

    #[test]
    fn a_body_that_lies_with_a_right_checksum_is_none() {
        let mut bytes = record().to_bytes(&PLACE);
        let start = MAGIC.len() + CHECKSUM_BYTES;
        // The kind's length: beyond the end, and beyond what an address can hold.
        for length in [1_000_u64, u64::MAX - 1] {
            bytes[start + 64..start + 72].copy_from_slice(&length.to_le_bytes());
            let right = checksum(&bytes[start..]);
            bytes[MAGIC.len()..start].copy_from_slice(&right);
            assert_eq!(Record::from_bytes(&bytes, &PLACE), None);
        }
    }
}
