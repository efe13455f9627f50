//! Writing what is over DynamoDB's size: deflated, where the option says so, beside the form that other SDKs read.
//!
//! What stands beside it has to be known, so such a row is read first and written only if it is still as it was read. Rows
//! that fit go the shorter way of `upsert.rs`, whose conditions look at deflated forms too.

use super::Store;
use super::upsert::{Conditions, Put, ROUNDS, changed_by_others};
use crate::dynamo::{Effort, When, Written};
use crate::model::conflict::{Verdict, verdict};
use crate::model::large::{self, Deflated, Form, Older};
use crate::model::options::LogLevel;
use crate::model::row::{NewRow, RawRow};
use crate::model::{Result, size};
use crate::runtime;

impl Store {
    /// The row as it can be stored. `Err` with its size, which was reported, if it cannot be.
    pub(super) async fn fitted(&self, kind: &str, row: NewRow) -> Result<std::result::Result<NewRow, usize>> {
        if size::too_large(&self.namespaces, kind, &row)?.is_none() {
            return Ok(Ok(row));
        }
        let deflated =
            if self.options.compress_large { deflated(self.namespaces.of(kind)?, row.clone()).await } else { None };
        Ok(match deflated {
            Some(deflated) => Ok(NewRow { deflated: Some(deflated), ..row }),
            None => Err(self.report_too_large(kind, &row)),
        })
    }

    /// Writes a row that is stored deflated, whatever it meets: a newer row stays, in whichever of its forms it is newer.
    pub(super) async fn put_deflated(
        &self,
        kind: &str,
        row: &NewRow,
        deflated: &Deflated,
        how: Conditions<'_>,
        effort: Effort<'_>,
    ) -> Result<Put> {
        let namespace = self.namespaces.of(kind)?;
        let mut stored = match how.first {
            When::AsRead(read) => Some(read.clone()),
            _ => self.table.get(&namespace, &row.key, true, effort).await?,
        };
        // What an init decided of the row as it read it is not decided again.
        let mut decided = matches!(how.first, When::AsRead(_));
        for _ in 0..ROUNDS {
            let verdict = match decided {
                true => Verdict::Again,
                false => verdict(stored.as_ref(), row.version, how.then == When::NotOlder),
            };
            decided = false;
            if let (Verdict::StoredWins, Some(stored)) = (verdict, &stored) {
                return Ok(Put::Newer(stored.clone()));
            }
            let Some(older) = large::older(kind, row, deflated, stored.as_ref()) else {
                self.report_too_large(kind, row);
                return Ok(Put::TooLarge);
            };
            let when = stored.as_ref().map_or(When::Absent, When::AsRead);
            match self.table.put(&namespace, Form::Large(row, deflated, &older), when, effort).await? {
                Written::Done => {
                    self.report_deflated(&namespace, row, deflated, &older);
                    return Ok(Put::Done { over_unreadable: verdict == Verdict::Replace });
                }
                Written::Conflict(Some(met)) => stored = Some(met),
                Written::Conflict(None) => stored = self.table.get(&namespace, &row.key, true, effort).await?,
            }
        }
        Err(changed_by_others(&namespace, &row.key))
    }

    /// Puts a row back as it was, in the form that it had, if nothing stands in its place.
    pub(super) async fn put_back(&self, kind: &str, row: &NewRow, was: &RawRow, effort: Effort<'_>) -> Result<Written> {
        let namespace = self.namespaces.of(kind)?;
        let older = row.deflated.as_ref().and_then(|deflated| large::older(kind, row, deflated, Some(was)));
        let form = match (&row.deflated, &older) {
            (Some(deflated), Some(older)) => Form::Large(row, deflated, older),
            _ => Form::Plain(row),
        };
        self.table.put(&namespace, form, When::Absent, effort).await
    }

    /// An event for an item that DynamoDB cannot hold. Gives its size.
    pub(super) fn report_too_large(&self, kind: &str, row: &NewRow) -> usize {
        let namespace = self.namespaces.of(kind).unwrap_or_default();
        let bytes = size::row_bytes(&namespace, row);
        let remedy = if self.options.compress_large {
            "deflated it is too large as well; make it smaller, or move targets to a segment"
        } else {
            "make it smaller, or open the store with \"compress_large\", which stores it where this library alone reads it"
        };
        self.events.emit(LogLevel::Error, || {
            format!(
                "The item \"{}\" in \"{namespace}\" was too large to store in DynamoDB and was dropped: {bytes} bytes, the limit is {}; an older row stays as it was; {remedy}",
                row.key,
                size::MAX_ROW_BYTES
            )
        });
        bytes
    }

    /// Who looks at the table, or reads it with another SDK, sees something else than this library.
    fn report_deflated(&self, namespace: &str, row: &NewRow, deflated: &Deflated, older: &Older) {
        let others = if older.deleted { "as deleted" } else { "in its older form" };
        self.events.emit(LogLevel::Info, || {
            format!(
                "the item \"{}\" in \"{namespace}\" has {} bytes and was stored deflated, in {}: other SDKs than this library read it {others}, with version {}",
                row.key,
                row.item.len(),
                deflated.bytes.len(),
                older.version
            )
        });
    }
}

/// Deflates on a thread of its own: it takes tens of milliseconds, in which this one has others to serve.
async fn deflated(namespace: String, row: NewRow) -> Option<Deflated> {
    let (done, outcome) = tokio::sync::oneshot::channel();
    let job = {
        let (namespace, row) = (namespace.clone(), row.clone());
        move || drop(done.send(large::deflate(&namespace, &row)))
    };
    if runtime::aside("flagstore-large", job).is_ok()
        && let Ok(deflated) = outcome.await
    {
        return deflated;
    }
    large::deflate(&namespace, &row)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::dynamo::memory::{MemoryTable, Seen};
    use crate::model::codec;
    use crate::model::data_set::{self, Collection};
    use crate::model::row::{Attribute, Item, RawLarge};
    use crate::store::report::Kept;
    use crate::store::tests::{events, item, store, store_with};
    use crate::store::{Store, Upserted};

    /// Over 400 KB, and little when it is deflated.
    fn large(version: i64) -> String {
        format!("{{\"version\":{version},\"pad\":\"{}\"}}", "x".repeat(450_000))
    }

    /// Over 400 KB, also deflated.
    fn noise() -> String {
        let mut random = fastrand::Rng::with_seed(1);
        std::iter::repeat_with(|| char::from(random.u8(b'0'..b'z'))).take(600_000).collect()
    }

    fn plain(version: i64) -> String {
        format!("{{\"version\":{version}}}")
    }

    fn compressing(table: &Arc<MemoryTable>) -> Arc<Store> {
        store_with(table, |options| options.compress_large = true)
    }

    fn upsert(store: &Arc<Store>, version: i64, text: &str) -> Upserted {
        store.upsert("features", &item("k", version, text)).expect("it is answered")
    }

    /// What other SDKs see.
    fn seen_by_others(table: &MemoryTable) -> Option<Seen> {
        table.row("p:features", "k")
    }

    fn seen(version: i64, item: &str) -> Option<Seen> {
        Some(Seen { version: Some(version.to_string()), item: Some(item.to_owned()) })
    }

    /// What this library reads, without the option: the version, and whether the payload is the large one.
    fn read(table: &Arc<MemoryTable>) -> Option<(i64, bool)> {
        let row = store(table).get("features", "k").expect("it is answered")?.row;
        Some((row.version, row.item()? == large(row.version)))
    }

    #[test]
    fn it_is_stored_beside_what_other_sdks_see_and_read_by_every_store_of_this_library() {
        for (before, beside) in [
            (None, (6, codec::tombstone("features", "k", 6))),
            (Some((5, plain(5))), (5, plain(5))),
            (Some((5, "null".to_owned())), (5, codec::tombstone("features", "k", 5))),
        ] {
            let table = Arc::new(MemoryTable::default());
            if let Some((version, item)) = before {
                table.insert("p:features", "k", Some(&version.to_string()), Some(&item));
            }
            let writer = compressing(&table);
            assert_eq!(upsert(&writer, 7, &large(7)), Upserted::Written);
            assert_eq!(seen_by_others(&table), seen(beside.0, &beside.1));
            assert_eq!(read(&table), Some((7, true)));
            let rows = store(&table).all("features").expect("it is answered").rows;
            assert_eq!((rows.len(), rows[0].version, rows[0].item()), (1, 7, Some(&*large(7))));
            let events = events(&writer);
            assert!(events[0].contains("\"k\"") && events[0].contains(&format!("version {}", beside.0)), "{events:?}");
        }
    }

    #[test]
    fn writes_compare_with_both_forms() {
        let newer = |version: i64| move |outcome: &Upserted| matches!(outcome, Upserted::NewerExists(row) if row.version == version);
        let written = |outcome: &Upserted| *outcome == Upserted::Written;
        type Check = Box<dyn Fn(&Upserted) -> bool>;
        // What stands there is version 5 for others, and 9.
        let cases: [(i64, bool, Check, (i64, i64)); 7] = [
            (5, false, Box::new(newer(9)), (5, 9)),
            (7, false, Box::new(newer(9)), (5, 9)),
            (9, false, Box::new(newer(9)), (5, 9)),
            (10, false, Box::new(written), (10, 10)),
            (8, true, Box::new(newer(9)), (5, 9)),
            (9, true, Box::new(newer(9)), (5, 9)),
            (12, true, Box::new(written), (5, 12)),
        ];
        for (version, is_large, check, wanted) in cases {
            for compresses in [true, false] {
                let table = Arc::new(MemoryTable::default());
                table.insert("p:features", "k", Some("5"), Some(&plain(5)));
                upsert(&compressing(&table), 9, &large(9));
                let writer = if compresses { compressing(&table) } else { store(&table) };
                let outcome = upsert(&writer, version, &if is_large { large(version) } else { plain(version) });
                let of_others = || seen_by_others(&table).and_then(|row| row.version).expect("a version");
                if is_large && !compresses {
                    assert_eq!((outcome, of_others()), (Upserted::TooLarge, "5".to_owned()));
                    continue;
                }
                assert!(check(&outcome), "{version}, large {is_large}: {outcome:?}");
                assert_eq!(of_others(), wanted.0.to_string(), "{version}, large {is_large}");
                assert_eq!(read(&table).map(|row| row.0), Some(wanted.1), "{version}, large {is_large}");
            }
        }
    }

    #[test]
    fn a_native_writer_s_row_replaces_all_of_it_and_the_next_large_one_stands_beside_that() {
        let table = Arc::new(MemoryTable::default());
        let writer = compressing(&table);
        upsert(&writer, 9, &large(9));
        // It compares with the version that it sees, 8, or with none in an init, and puts the whole row.
        table.insert("p:features", "k", Some("7"), Some(&plain(7)));
        assert_eq!(read(&table), Some((7, false)));
        assert_eq!(upsert(&writer, 9, &large(9)), Upserted::Written);
        assert_eq!((seen_by_others(&table), read(&table)), (seen(7, &plain(7)), Some((9, true))));
        table.insert("p:features", "k", Some("10"), Some(&plain(10)));
        assert!(matches!(upsert(&writer, 9, &large(9)), Upserted::NewerExists(row) if row.version == 10));
        assert_eq!(read(&table), Some((10, false)));
    }

    #[test]
    fn a_row_that_changes_between_reading_and_writing_it_is_looked_at_again() {
        for (others, wanted) in [(6, Some((9, true))), (20, Some((20, false)))] {
            let table = Arc::new(MemoryTable::default());
            let (there, done) = (Arc::downgrade(&table), std::sync::atomic::AtomicBool::new(false));
            table.before_each(move |request| {
                if request.starts_with("put") && !done.swap(true, std::sync::atomic::Ordering::Relaxed) {
                    let table = there.upgrade().expect("the table lives");
                    table.insert("p:features", "k", Some(&others.to_string()), Some(&plain(others)));
                }
                Ok(())
            });
            upsert(&compressing(&table), 9, &large(9));
            assert_eq!((seen_by_others(&table), read(&table)), (seen(others, &plain(others)), wanted));
        }
    }

    #[test]
    fn what_does_not_fit_deflated_either_is_reported_and_nothing_changes() {
        let table = Arc::new(MemoryTable::default());
        let wide = format!("{{\"version\":5,\"pad\":\"{}\"}}", "y".repeat(390_000));
        table.insert("p:features", "k", Some("5"), Some(&wide));
        let writer = compressing(&table);
        let half: String = noise()[..450_000].chars().map(|c| if c < 'A' { c } else { 'x' }).collect();
        for (text, why) in [(noise(), "by itself"), (half, "beside what is there")] {
            assert_eq!(upsert(&writer, 7, &text), Upserted::TooLarge, "{why}");
            let said = events(&writer);
            assert!(said[0].contains("\"k\"") && said[0].contains("deflated it is too large as well"), "{said:?}");
            let data =
                data_set::from_items(vec![("features".into(), vec![item("k", 7, &text), item("other", 1, "{}")])]);
            let report = writer.init(data.expect("data")).expect("init works");
            assert_eq!((report.too_large.len(), report.kept_newer()), (1, 0), "{why}");
            assert!(report.too_large[0].key == "k" && report.too_large[0].bytes > 400_000, "{:?}", report.too_large);
            assert_eq!(seen_by_others(&table), seen(5, &wide));
            drop(events(&writer));
        }
    }

    fn two(version: i64, text: &str) -> Vec<Collection> {
        data_set::from_items(vec![("features".into(), vec![item("k", version, text), item("other", 1, "{}")])])
            .expect("data")
    }

    #[test]
    fn an_init_plans_with_both_forms() {
        let table = Arc::new(MemoryTable::default());
        let writer = compressing(&table);
        let report = writer.init(two(7, &large(7))).expect("init works");
        assert_eq!((report.written, report.deflated.count, report.too_large.len()), (2, 1, 0));
        assert!(report.summary().contains("1 written (deflated)"), "{}", report.summary());
        assert_eq!(report.deflated.first, [("features".to_owned(), "k".to_owned())]);
        assert_eq!(read(&table), Some((7, true)));
        table.forget_requests();
        let report = writer.init(two(7, &large(7))).expect("init works");
        assert_eq!((report.written, report.unchanged, table.writes().len()), (0, 2, 0));
        // Without the option it is too large, as ever, and stays in both its forms.
        let report = store(&table).init(two(7, &large(7))).expect("init works");
        assert_eq!((report.written, report.too_large.len(), read(&table)), (0, 1, Some((7, true))));
        // An older data set, whose row fits, does not take it back, whatever others see.
        let report = store(&table).init(two(6, &plain(6))).expect("init works");
        assert_eq!((report.kept[&Kept::Newer].count, read(&table)), (1, Some((7, true))));
        // What is newer replaces both, and what is gone takes both with it.
        assert_eq!(store(&table).init(two(8, &plain(8))).expect("init works").written, 1);
        assert_eq!((seen_by_others(&table), read(&table)), (seen(8, &plain(8)), Some((8, false))));
        writer.init(two(9, &large(9))).expect("init works");
        let nothing = data_set::from_json(r#"{"flags":{}}"#).expect("data");
        assert_eq!(writer.init(nothing).expect("init works").deleted, 2);
        assert_eq!(seen_by_others(&table), None);
    }

    #[test]
    fn a_large_leftover_that_is_needed_after_all_is_put_back_in_both_its_forms() {
        let table = Arc::new(MemoryTable::default());
        table.insert("p:$inited", "p:$inited", None, None);
        table.insert("p:segments", "S", Some("1"), Some("{\"a\":1}"));
        let segment = Item { key: "S".into(), version: 3, deleted: false, item: Some(large(3)) };
        assert_eq!(compressing(&table).upsert("segments", &segment), Ok(Upserted::Written));
        let before = table.raw("p:segments", "S");
        let there = Arc::downgrade(&table);
        table.before_each(move |request| {
            if request == "delete p:segments/S" {
                let flag = r#"{"rules":[{"clauses":[{"op":"segmentMatch","values":["S"]}]}]}"#;
                there.upgrade().expect("the table lives").insert("p:features", "F", Some("1"), Some(flag));
            }
            Ok(())
        });
        let nothing = data_set::from_json(r#"{"segments":{},"flags":{}}"#).expect("data");
        let report = store(&table).init(nothing).expect("init works");
        assert_eq!(report.kept[&Kept::NeededAfterAll].count, 1);
        assert_eq!(table.raw("p:segments", "S"), before);
    }

    #[test]
    fn a_deflated_form_that_cannot_be_read_makes_a_row_that_is_left_out_and_replaced() {
        let table = Arc::new(MemoryTable::default());
        table.insert("p:features", "k", Some("5"), Some(&plain(5)));
        let version = Attribute::Number("9".into());
        table.damage("p:features", "k", RawLarge { version, item: Some(Attribute::Binary([1, 2].into())) });
        let reader = store(&table);
        assert_eq!(reader.get("features", "k"), Ok(None));
        assert!(events(&reader)[0].contains("its flagstore_item attribute is damaged"));
        assert_eq!(upsert(&reader, 7, &plain(7)), Upserted::Written);
        assert_eq!(read(&table), Some((7, false)));
    }
}
