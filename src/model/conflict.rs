//! What a conditional write makes of the row that it met.

use super::codec;
use super::row::{RawRow, Version};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The stored row wins.
    StoredWins,
    /// The stored row cannot be read: it is replaced, if it is still as it was read.
    Replace,
    /// Nothing stands against the write any more: it is tried again on its ordinary condition.
    Again,
}

/// Judges the row that a write of `version` met. Within one version an init's content wins, an upsert's does not.
pub fn verdict(stored: Option<&RawRow>, version: i64, same_version_wins: bool) -> Verdict {
    let Some(stored) = stored else { return Verdict::Again };
    if !codec::is_sound(stored) {
        return Verdict::Replace;
    }
    match codec::version(stored) {
        Version::Number(stored) if stored > version || (stored == version && !same_version_wins) => Verdict::StoredWins,
        _ => Verdict::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::{Attribute, RawLarge};

    #[test]
    fn a_newer_row_wins_and_an_unreadable_one_is_replaced() {
        let number = |version: &str| Some(Attribute::Number(version.into()));
        let text = |text: &str| Some(Attribute::Text(text.into()));
        let (upsert, init) = (false, true);
        for (version, item, of, wanted) in [
            (number("8"), text("{}"), upsert, Verdict::StoredWins),
            (number("8"), text("{}"), init, Verdict::StoredWins),
            (number("8"), None, upsert, Verdict::StoredWins),
            (number("7"), text("{}"), upsert, Verdict::StoredWins),
            (number("7"), text("{}"), init, Verdict::Again),
            (number("6"), text("{}"), upsert, Verdict::Again),
            (None, text("{}"), upsert, Verdict::Again),
            (number("8"), text(""), upsert, Verdict::Replace),
            (number("8"), Some(Attribute::Other("{\"NULL\":true}".into())), init, Verdict::Replace),
            (number("9223372036854775808"), text("{}"), upsert, Verdict::Replace),
            (number("7.5"), text("{}"), init, Verdict::Replace),
            (text("8"), text("{}"), upsert, Verdict::Replace),
            (Some(Attribute::Truth(true)), text("{}"), init, Verdict::Replace),
        ] {
            let stored = RawRow { key: Some("k".into()), version, item, ..RawRow::default() };
            assert_eq!(verdict(Some(&stored), 7, of), wanted, "{stored:?}");
        }
        assert_eq!(verdict(None, 7, upsert), Verdict::Again);
    }

    #[test]
    fn the_newer_of_two_forms_decides() {
        let number = |version: &str| Attribute::Number(version.into());
        let deflated = Attribute::Binary(miniz_oxide::deflate::compress_to_vec_zlib(b"{}", 6).into());
        let damaged = Attribute::Binary([1].into());
        let (upsert, init) = (false, true);
        for (version, large, item, of, wanted) in [
            ("5", "8", &deflated, upsert, Verdict::StoredWins),
            ("5", "7", &deflated, upsert, Verdict::StoredWins),
            ("5", "7", &deflated, init, Verdict::Again),
            ("5", "6", &deflated, upsert, Verdict::Again),
            ("8", "6", &deflated, upsert, Verdict::StoredWins),
            ("8", "6", &damaged, upsert, Verdict::StoredWins),
            ("5", "8", &damaged, upsert, Verdict::Replace),
            ("5", "7.5", &deflated, upsert, Verdict::Replace),
        ] {
            let large = RawLarge { version: number(large), item: Some(item.clone()) };
            let stored = RawRow {
                key: Some("k".into()),
                version: Some(number(version)),
                item: Some(Attribute::Text("{}".into())),
                large: Some(Box::new(large)),
                ..RawRow::default()
            };
            assert_eq!(verdict(Some(&stored), 7, of), wanted, "{stored:?}");
        }
    }
}
