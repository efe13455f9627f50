//! `init`: replacing a data set under the eyes of readers and other writers.
//!
//! 1. The rows of the given kinds are read. What is already there is not written again.
//! 2. The rest is written wave by wave (segments, then flags after their prerequisites), each row only if no newer
//!    version stands there: an upsert that comes at any moment is never rolled back.
//! 3. Leftovers are deleted, each only if it is still as it was read.
//! 4. The `$inited` row is written after everything else was acknowledged, and only if it is missing.
//!
//! Killed anywhere, this leaves the old data set usable, or no `$inited`; called again, it goes on where it stopped.

use std::collections::HashMap;
use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::Store;
use super::attempt::Attempt;
use crate::dynamo::{Effort, Pace, When, Written};
use crate::model::data_set::Collection;
use crate::model::options::LogLevel;
use crate::model::row::{Existing, NewRow, ReadVersion};
use crate::model::{Result, content, order, size, tombstone};

/// What an init did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows written.
    pub written: usize,
    /// Rows that were there already.
    pub unchanged: usize,
    /// Leftovers deleted.
    pub deleted: usize,
    /// Rows that stayed because they are newer than the data set.
    pub kept_newer: usize,
    /// Items that are over DynamoDB's size.
    pub too_large: Vec<TooLarge>,
}

/// An item that was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its size by DynamoDB's count.
    pub bytes: usize,
}

impl Report {
    /// The report as it crosses the C ABI.
    pub fn to_json(&self) -> String {
        let too_large: Vec<_> = self
            .too_large
            .iter()
            .map(|item| json!({"kind": item.kind, "key": item.key, "bytes": item.bytes}))
            .collect();
        json!({
            "written": self.written,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "kept_newer": self.kept_newer,
            "too_large": too_large,
        })
        .to_string()
    }
}

/// The stored rows of one kind, by key.
type StoredRows = HashMap<Box<str>, Existing>;

/// What is to be done with one given row.
enum Step {
    Skip,
    Keep,
    Write(When),
}

impl Store {
    /// Replaces the data set of the given kinds.
    pub(super) async fn replace(&self, data: Vec<Collection>, deadline: Instant) -> Result<Report> {
        let mut report = Report::default();
        let data = self.without_too_large(data, &mut report)?;
        let pace = Pace::new(self.options.write_concurrency);
        let effort = Effort { deadline, pace: Some(&pace) };
        let mut stored = Vec::with_capacity(data.len());
        for collection in &data {
            let rows = self.stored_rows(&collection.collection.kind, effort).await;
            stored.push(rows.map_err(|error| error.during(Attempt::Init))?);
        }
        let outcome = async {
            self.write_waves(&data, &stored, effort, &mut report).await?;
            self.delete_leftovers(&data, stored, effort, &mut report).await?;
            self.mark_initialized(effort).await
        }
        .await;
        if let Some(cache) = &self.cache {
            cache.clear();
        }
        outcome?;
        self.events.emit(LogLevel::Info, || {
            format!(
                "initialised table \"{}\": {} rows written, {} unchanged, {} deleted, {} newer ones kept, {} too large",
                self.options.table,
                report.written,
                report.unchanged,
                report.deleted,
                report.kept_newer,
                report.too_large.len()
            )
        });
        Ok(report)
    }

    /// Takes out what DynamoDB cannot hold; its keys still count as given, so that the older rows stay.
    fn without_too_large(&self, data: Vec<Collection>, report: &mut Report) -> Result<Vec<Given>> {
        data.into_iter()
            .map(|mut collection| {
                let mut dropped = Vec::new();
                let mut rows = Vec::with_capacity(collection.rows.len());
                for row in collection.rows {
                    match size::too_large(&self.namespaces, &collection.kind, &row)? {
                        None => rows.push(row),
                        Some(bytes) => {
                            self.report_too_large(&collection.kind, &row.key, bytes);
                            report.too_large.push(TooLarge {
                                kind: collection.kind.clone(),
                                key: row.key.to_string(),
                                bytes,
                            });
                            dropped.push(row.key);
                        }
                    }
                }
                collection.rows = rows;
                Ok(Given { collection, dropped })
            })
            .collect()
    }

    async fn stored_rows(&self, kind: &str, effort: Effort<'_>) -> Result<StoredRows> {
        let mut rows = StoredRows::new();
        self.each_page(kind, true, effort, |raw| {
            if let Some(key) = raw.key.clone() {
                rows.insert(key.into(), tombstone::existing(raw));
            }
        })
        .await?;
        Ok(rows)
    }

    async fn write_waves(
        &self,
        data: &[Given],
        stored: &[StoredRows],
        effort: Effort<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let collections: Vec<&Collection> = data.iter().map(|given| &given.collection).collect();
        let mut newer: Option<String> = None;
        for wave in order::waves(&collections) {
            let mut writes = Vec::new();
            for (c, i) in wave {
                let (kind, row) = (&collections[c].kind, &collections[c].rows[i]);
                match self.step(kind, row, stored[c].get(&row.key)) {
                    Step::Skip => report.unchanged += 1,
                    Step::Keep => {
                        report.kept_newer += 1;
                        newer.get_or_insert_with(|| row.key.to_string());
                    }
                    Step::Write(when) => writes.push((self.namespaces.of(kind)?, row, when)),
                }
            }
            let given = writes.len();
            let writes: Vec<_> =
                writes.into_iter().map(|(namespace, row, when)| self.put(namespace, row, when, effort)).collect();
            let done = self.all_done(writes).await?;
            report.written += done;
            report.kept_newer += given - done;
        }
        if let Some(key) = newer {
            self.events.emit(LogLevel::Warn, || {
                format!(
                    "init kept {} rows of table \"{}\" that are newer than the data set, \"{key}\" among them; if the table held another environment's data, use another prefix, or open the store with \"init_overwrites_newer\"",
                    report.kept_newer, self.options.table
                )
            });
        }
        Ok(())
    }

    fn step(&self, kind: &str, row: &NewRow, stored: Option<&Existing>) -> Step {
        let Some(stored) = stored else { return Step::Write(When::NotOlder) };
        if stored.version == ReadVersion::Number(row.version)
            && stored.row.as_ref().is_some_and(|stored| content::unchanged(kind, stored, row))
        {
            return Step::Skip;
        }
        match stored.version {
            ReadVersion::Number(version) if version > row.version => {
                if self.options.init_overwrites_newer {
                    Step::Write(When::AsRead(stored.version))
                } else {
                    Step::Keep
                }
            }
            _ => Step::Write(When::NotOlder),
        }
    }

    async fn delete_leftovers(
        &self,
        data: &[Given],
        stored: Vec<StoredRows>,
        effort: Effort<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let mut leftovers = Vec::new();
        for (given, mut rows) in data.iter().zip(stored) {
            for key in given.collection.rows.iter().map(|row| &row.key).chain(&given.dropped) {
                rows.remove(key);
            }
            let namespace = self.namespaces.of(&given.collection.kind)?;
            leftovers.extend(rows.into_iter().map(|(key, existing)| (namespace.clone(), key, existing.version)));
        }
        let deletes: Vec<_> = leftovers
            .into_iter()
            .map(|(namespace, key, version)| self.delete(namespace, key, version, effort))
            .collect();
        report.deleted = self.all_done(deletes).await?;
        Ok(())
    }

    /// Whether the row was written; if not, a newer one stands there.
    async fn put(&self, namespace: String, row: &NewRow, when: When, effort: Effort<'_>) -> Result<bool> {
        Ok(self.table.put(&namespace, row, when, effort).await? == Written::Done)
    }

    /// Whether the row was removed; if not, it changed since it was read.
    async fn delete(&self, namespace: String, key: Box<str>, read: ReadVersion, effort: Effort<'_>) -> Result<bool> {
        Ok(self.table.delete(&namespace, &key, read, effort).await? == Written::Done)
    }

    /// Runs writes side by side, as many at once as the pace allows, and counts those that were done. The first
    /// failure ends it.
    async fn all_done(&self, writes: Vec<impl Future<Output = Result<bool>>>) -> Result<usize> {
        let outcomes = stream::iter(writes).buffer_unordered(self.options.write_concurrency as usize);
        outcomes
            .try_fold(0, |done, one| std::future::ready(Ok(done + usize::from(one))))
            .await
            .map_err(|error| error.during(Attempt::Init))
    }

    async fn mark_initialized(&self, effort: Effort<'_>) -> Result<()> {
        if self.marker(effort).await? {
            return Ok(());
        }
        self.table.mark(&self.namespaces.inited(), effort).await.map_err(|error| error.during(Attempt::Init))
    }
}

/// A collection that fits, and the keys of what does not.
struct Given {
    collection: Collection,
    dropped: Vec<Box<str>>,
}
