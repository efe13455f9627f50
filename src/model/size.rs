//! DynamoDB's limit on a row, by the formula every SDK uses.

use super::namespace::Namespaces;
use super::row::{Attribute, NewRow, RawRow};
use super::{Result, large};

/// The largest row that is written, in bytes: 400 KB in DynamoDB's decimal sense.
pub const MAX_ROW_BYTES: usize = 400_000;

/// What the SDKs add for DynamoDB's own overhead.
const OVERHEAD_BYTES: usize = 100;

/// The size of a row: names and values of its attributes in UTF-8, and a fixed overhead.
pub fn row_bytes(namespace: &str, row: &NewRow) -> usize {
    OVERHEAD_BYTES
        + "namespace".len()
        + namespace.len()
        + "key".len()
        + row.key.len()
        + "version".len()
        + digits(row.version)
        + "item".len()
        + row.item.len()
}

/// The size of a row as it stands in the table, counted in the same way. Attributes that the schema does not have are not
/// known here.
pub fn stored_bytes(namespace: &str, row: &RawRow) -> usize {
    let large = row.large.as_deref();
    let attributes = [
        ("version", row.version.as_ref()),
        ("item", row.item.as_ref()),
        (large::VERSION, large.map(|large| &large.version)),
        (large::ITEM, large.and_then(|large| large.item.as_ref())),
    ];
    let length = |(name, value): (&str, Option<&Attribute>)| value.map_or(0, |value| name.len() + value.bytes());
    let keys = "namespace".len() + namespace.len() + "key".len() + row.key.as_deref().map_or(0, str::len);
    OVERHEAD_BYTES + keys + attributes.into_iter().map(length).sum::<usize>()
}

/// The length of a version's text.
pub fn digits(version: i64) -> usize {
    version.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1
}

/// The size of a row that is over the limit, or `None` where it fits.
pub fn too_large(namespaces: &Namespaces, kind: &str, row: &NewRow) -> Result<Option<usize>> {
    let bytes = row_bytes(&namespaces.of(kind)?, row);
    Ok((bytes > MAX_ROW_BYTES).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(item_bytes: usize, version: i64) -> NewRow {
        NewRow { key: "k".into(), version, item: "x".repeat(item_bytes).into(), deleted: false, deflated: None }
    }

    #[test]
    fn the_formula_counts_names_values_and_overhead() {
        // 100 + "namespace"+"features" + "key"+"k" + "version"+"10" + "item"+5
        assert_eq!(row_bytes("features", &row(5, 10)), 100 + 9 + 8 + 3 + 1 + 7 + 2 + 4 + 5);
        assert_eq!(row_bytes("features", &row(0, 0)), 100 + 9 + 8 + 3 + 1 + 7 + 1 + 4);
    }

    #[test]
    fn exactly_the_limit_is_allowed() {
        let fixed = row_bytes("features", &row(0, 1));
        let namespaces = Namespaces::new("");
        assert_eq!(too_large(&namespaces, "features", &row(MAX_ROW_BYTES - fixed, 1)).unwrap(), None);
        assert_eq!(
            too_large(&namespaces, "features", &row(MAX_ROW_BYTES - fixed + 1, 1)).unwrap(),
            Some(MAX_ROW_BYTES + 1)
        );
    }
}
