//! What is over DynamoDB's size: deflated, in attributes of its own, beside the form that every SDK reads.
//!
//! Such a row has two forms. `version` and `item` are the older one: what was there before, or a tombstone where nothing
//! was. `flagstore_version` and `flagstore_item` are the newer one, which this library alone knows. The newer wins; within
//! one version the deflated one does, since it is never written beside what should win over it. Whoever puts the row as the
//! schema has it, as every SDK does, takes the deflated form away.

use std::sync::Arc;

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::row::{NewRow, Payload, RawRow};
use super::{codec, size};

/// The version of the deflated form, a number.
pub const VERSION: &str = "flagstore_version";
/// The deflated form, binary: the payload's UTF-8 in zlib's format (RFC 1950), so that a person can read it with any tool.
pub const ITEM: &str = "flagstore_item";

/// The largest payload that is deflated or inflated, in bytes: forty times what a row holds. Deflating text makes it a fifth
/// as a rule; 400 KB of a bomb would become 400 MB.
pub const MAX_ITEM_BYTES: usize = 16 << 20;

/// zlib's usual level: higher ones take twice the time for a hundredth of the size.
const LEVEL: u8 = 6;

/// The payload of a row that does not fit, deflated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deflated {
    /// What is stored of it.
    pub bytes: Arc<[u8]>,
    /// What it leaves of the row for the form beside it, in bytes.
    pub room: usize,
}

/// The form that every SDK reads, beside a deflated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// Its version, which is not over the deflated form's.
    pub version: i64,
    /// Its text.
    pub item: Arc<str>,
    /// Whether it is a tombstone.
    pub deleted: bool,
}

/// How a row stands in the table.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// With the schema's four attributes.
    Plain(&'a NewRow),
    /// Deflated, beside an older form.
    Large(&'a NewRow, &'a Deflated, &'a Older),
}

impl<'a> Form<'a> {
    /// What the row says.
    pub fn row(self) -> &'a NewRow {
        match self {
            Form::Plain(row) | Form::Large(row, ..) => row,
        }
    }
}

/// Deflates the payload of a row in a namespace. `None` if that is too large as well.
pub fn deflate(namespace: &str, row: &NewRow) -> Option<Deflated> {
    if row.item.len() > MAX_ITEM_BYTES {
        return None;
    }
    let bytes = compress_to_vec_zlib(row.item.as_bytes(), LEVEL);
    let rest = size::row_bytes(namespace, &NewRow { item: "".into(), ..row.clone() })
        + (VERSION.len() + size::digits(row.version))
        + (ITEM.len() + bytes.len());
    let room = size::MAX_ROW_BYTES.checked_sub(rest)?;
    Some(Deflated { bytes: bytes.into(), room })
}

/// The payload that a deflated form holds, or the reason why it cannot be had.
pub fn inflate(bytes: &[u8]) -> Result<Arc<str>, &'static str> {
    let text = decompress_to_vec_zlib_with_limit(bytes, MAX_ITEM_BYTES).map_err(|failure| match failure.status {
        TINFLStatus::HasMoreOutput => "its flagstore_item attribute inflates to more than 16 MiB",
        _ => "its flagstore_item attribute is damaged",
    })?;
    String::from_utf8(text).map(Into::into).map_err(|_| "its flagstore_item attribute is not text")
}

/// What stands beside the deflated form of a row that is put in the place of a stored one: what other SDKs see there now,
/// or else a tombstone that does not stop them from writing that version. `None` if that does not fit.
pub fn older(kind: &str, row: &NewRow, deflated: &Deflated, stored: Option<&RawRow>) -> Option<Older> {
    let seen = stored.and_then(|stored| codec::read_schema(stored).ok()).filter(|seen| seen.version <= row.version);
    let tombstone = |version| Older { version, item: codec::tombstone(kind, &row.key, version).into(), deleted: true };
    let older = match seen {
        Some(seen) => match seen.payload {
            Payload::Live(item) => Older { version: seen.version, item, deleted: false },
            Payload::Tombstone => tombstone(seen.version),
        },
        None => tombstone((row.version - 1).max(0)),
    };
    (older.item.len() <= deflated.room).then_some(older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::{Attribute, Item};

    fn row(version: i64, item: &str) -> NewRow {
        let item = Item { key: "k".into(), version, deleted: false, item: Some(item.into()) };
        codec::new_row("features", &item).unwrap()
    }

    fn stored(version: Option<Attribute>, item: Option<&str>) -> RawRow {
        let item = item.map(|item| Attribute::Text(item.into()));
        RawRow { key: Some("k".into()), version, item, ..RawRow::default() }
    }

    /// Text that deflates to about half its length.
    fn noise(length: usize) -> String {
        let mut random = fastrand::Rng::with_seed(1);
        std::iter::repeat_with(|| char::from(b"0123456789abcdef"[random.usize(0..16)])).take(length).collect()
    }

    #[test]
    fn what_is_deflated_comes_back_and_fits_to_the_byte() {
        let text = format!("{{\"é\":\"{}\"}}", noise(500_000));
        let deflated = deflate("p:features", &row(12, &text)).unwrap();
        assert_eq!(inflate(&deflated.bytes).as_deref(), Ok(&*text));
        // 100 + the four attributes of the schema + the two of the deflated form, with all the room taken.
        let fixed = 100 + ("namespace".len() + "p:features".len()) + ("key".len() + 1) + ("version".len() + 2) + 4;
        let own = "flagstore_version".len() + 2 + "flagstore_item".len() + deflated.bytes.len();
        assert_eq!(fixed + own + deflated.room, size::MAX_ROW_BYTES);
        assert_eq!(deflate("features", &row(1, &noise(900_000))), None, "it is too large deflated as well");
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn a_bomb_is_refused_by_its_size_and_so_is_what_would_become_one() {
        let longest = "x".repeat(MAX_ITEM_BYTES);
        let deflated = deflate("features", &row(1, &longest)).unwrap();
        assert_eq!(inflate(&deflated.bytes).map(|text| text.len()), Ok(MAX_ITEM_BYTES));
        let bomb = format!("{longest}x");
        assert_eq!(deflate("features", &row(1, &bomb)), None);
        let bomb = compress_to_vec_zlib(bomb.as_bytes(), LEVEL);
        assert_eq!(inflate(&bomb), Err("its flagstore_item attribute inflates to more than 16 MiB"));
    }

    #[test]
    fn what_is_damaged_says_so() {
        let whole = compress_to_vec_zlib(b"{\"version\":1}", LEVEL);
        let mut changed = whole.clone();
        changed[4] ^= 1;
        for damaged in [&[][..], b"{}", &whole[..whole.len() - 1], &changed] {
            assert_eq!(inflate(damaged), Err("its flagstore_item attribute is damaged"), "{damaged:?}");
        }
        let no_text = compress_to_vec_zlib(&[0xFF, 0xFE], LEVEL);
        assert_eq!(inflate(&no_text), Err("its flagstore_item attribute is not text"));
    }

    #[test]
    fn beside_it_stands_what_others_see_or_a_tombstone_that_lets_them_write() {
        let number = |version: &str| Some(Attribute::Number(version.into()));
        let new = row(7, "{}");
        let deflated = Deflated { bytes: [].into(), room: 1_000 };
        let beside = |stored: Option<&RawRow>| older("features", &new, &deflated, stored).unwrap();
        let tombstone = |version: i64| {
            let item = codec::tombstone("features", "k", version).into();
            Older { version, item, deleted: true }
        };
        let live = |version, item: &str| Older { version, item: item.into(), deleted: false };
        for (stored, wanted) in [
            (None, tombstone(6)),
            (Some(stored(number("5"), Some("{\"a\":1}"))), live(5, "{\"a\":1}")),
            (Some(stored(number("7"), Some("{\"a\":1}"))), live(7, "{\"a\":1}")),
            // A form that is newer, as that of another environment may be, cannot stand beside it.
            (Some(stored(number("8"), Some("{\"a\":1}"))), tombstone(6)),
            (Some(stored(number("5"), Some("null"))), tombstone(5)),
            (Some(stored(None, Some("{\"version\":3}"))), live(3, "{\"version\":3}")),
            (Some(stored(number("5"), Some(""))), tombstone(6)),
            (Some(stored(Some(Attribute::Truth(true)), None)), tombstone(0)),
        ] {
            assert_eq!(beside(stored.as_ref()), wanted, "{stored:?}");
        }
        let first = row(0, "{}");
        assert_eq!(older("features", &first, &deflated, None).unwrap().version, 0);
        let small = Deflated { room: 6, ..deflated };
        let stored = stored(number("5"), Some("{\"a\":1}"));
        assert_eq!(older("features", &new, &small, Some(&stored)), None, "a byte too many");
    }
}
