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
    if runtime::aside(job).is_ok()
        && let Ok(deflated) = outcome.await
    {
        return deflated;
    }
    large::deflate(&namespace, &row)
}
