//! `init`: replacing a data set under the eyes of readers and other writers, as `model/plan` decides.
//!
//! 1. The rows of the given kinds are read, and whether `$inited` is there; that makes the plan.
//! 2. Its writes are made, wave by wave.
//! 3. Where there is something to delete, or something was written that names other rows, the rows are read again:
//!    what others undid meanwhile is written again, and leftovers go if nothing newer than the data set has come.
//! 4. The `$inited` row is written after everything else was acknowledged, and only if it is missing.
//!
//! Killed or cancelled anywhere, this leaves the old data set usable, or no `$inited`; called again, it goes on where it
//! stopped.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::Store;
use super::attempt::Attempt;
use super::host_cache::Stamp;
use super::report::{Kept, LeftOut, Replaced};
pub use super::report::{Progress, Report, TooLarge};
use super::upsert::{Conditions, Put};
use crate::dynamo::{Effort, Pace, When, Written};
use crate::model::data_set::Collection;
use crate::model::namespace::{FEATURES, SEGMENTS};
use crate::model::options::LogLevel;
use crate::model::plan::later::{self, Deletion, Second};
use crate::model::plan::{self, Given, Look, Place, Plan, Policy, Standing, Unless, Write};
use crate::model::row::{NewRow, Row};
use crate::model::{Result, size};

/// How often an init looks again while others undo what it writes. Each time somebody else's init went by.
const MOST_LOOKS: usize = 8;

/// The report of an init that is under way. Where that ends, also in the middle, what was done by then stays known.
struct Reporting<'i> {
    store: &'i Store,
    progress: &'i Progress,
    report: Report,
    ended: bool,
}

impl Deref for Reporting<'_> {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

impl DerefMut for Reporting<'_> {
    fn deref_mut(&mut self) -> &mut Report {
        &mut self.report
    }
}

impl Drop for Reporting<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.store.events.emit(LogLevel::Warn, || {
                let table = &self.store.options.table;
                format!("initialising table \"{table}\" was given up in the middle, with {}", self.report.summary())
            });
        }
        self.progress.is(std::mem::take(&mut self.report));
    }
}

impl Store {
    /// Replaces the data set of the given kinds.
    pub(super) async fn replace(
        self: &Arc<Self>,
        data: Vec<Collection>,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Report> {
        let Some(telling) = self.reading.telling_all(self, &data) else {
            return self.replace_rows(data, deadline, progress).await;
        };
        let outcome = self.replace_rows(data, deadline, progress).await;
        match &outcome {
            Err(error) if error.code.older_may_stand_in() => telling.failed(),
            _ => telling.ended(),
        }
        outcome
    }

    /// Replaces the data set of the given kinds, of which the store was told before.
    pub(super) async fn replace_rows(
        &self,
        data: Vec<Collection>,
        deadline: Instant,
        progress: &Progress,
    ) -> Result<Report> {
        let mut report = Reporting { store: self, progress, report: Report::default(), ended: false };
        let given = self.given(data, &mut report).await?;
        let pace = Pace::new(self.options.write_concurrency);
        let effort = Effort { deadline, pace: Some(&pace) };
        let kinds = given.iter().map(|given| given.collection.kind.clone()).collect();
        let replacing = self.reading.replacing(kinds);
        let outcome = self.carry_out(&given, effort, &mut report).await;
        report.ended = true;
        let table = &self.options.table;
        if let Err(error) = outcome {
            let summary = report.summary();
            self.events.emit(LogLevel::Warn, || {
                format!("initialising table \"{table}\" ended early, with {summary}: {error}")
            });
            drop(replacing);
            if self.reading.told().is_some() && error.code.older_may_stand_in() {
                self.share(&given, false).await;
            }
            return Err(error.during(Attempt::Init));
        }
        replacing.done();
        self.reading.saw_marker(true);
        self.share(&given, report.kept.is_empty() && report.too_large.is_empty()).await;
        self.events.emit(LogLevel::Info, || format!("initialised table \"{table}\": {}", report.summary()));
        Ok(report.clone())
    }

    /// Puts the data set into the host's files: as what the table has, or else to stand in until somebody asks.
    async fn share(&self, given: &[Given], is_in_table: bool) {
        let Some(host) = self.reading.host() else { return };
        for given in given {
            let kind = given.collection.kind.as_str();
            let mut rows: Vec<Row> = given.collection.rows.iter().map(NewRow::as_read).collect();
            rows.sort_by(|a, b| a.key.cmp(&b.key));
            for row in &rows {
                host.with(|host| match is_in_table {
                    true => host.keep_row(kind, &row.key, Some(row), Stamp::now()),
                    false => host.told_row(kind, row, Stamp::now()),
                });
                // Many files are many small waits for the others on this thread.
                tokio::task::yield_now().await;
            }
            host.with(|host| match is_in_table {
                true => host.keep_list(kind, rows, Stamp::now()),
                false => host.told_list(kind, rows, Stamp::now()),
            });
        }
    }

    /// Takes out what DynamoDB cannot hold.
    async fn given(&self, data: Vec<Collection>, report: &mut Report) -> Result<Vec<Given>> {
        let mut given = Vec::with_capacity(data.len());
        for mut collection in data {
            let mut set_aside = HashSet::new();
            let mut rows = Vec::with_capacity(collection.rows.len());
            for row in std::mem::take(&mut collection.rows) {
                let key = row.key.clone();
                match self.fitted(&collection.kind, row).await? {
                    Ok(row) => rows.push(row),
                    Err(bytes) => {
                        report.add_too_large(&collection.kind, &key, bytes);
                        set_aside.insert(key);
                    }
                }
            }
            for _ in 0..collection.empty_keys {
                report.left_out.entry(LeftOut::EmptyKey).or_default().add(&collection.kind, "");
            }
            if collection.empty_keys > 0 {
                self.events.emit(LogLevel::Error, || {
                    format!(
                        "an item of kind \"{}\" has an empty key, which DynamoDB does not take, and was left out",
                        collection.kind
                    )
                });
            }
            given.push(Given { collection: Collection { rows, ..collection }, set_aside });
        }
        Ok(given)
    }

    async fn carry_out(&self, given: &[Given], effort: Effort<'_>, report: &mut Report) -> Result<()> {
        let first = self.look(given, effort).await?;
        // Asked after the rows were read: where it is missing even now, they are nobody's finished data set.
        let initialised = self.marker(effort).await?;
        let policy = Policy { overwrites_newer: self.options.init_overwrites_newer };
        let plan = plan::plan(given, &first, initialised, policy);
        report.unchanged = plan.unchanged;
        for &(c, i) in &plan.newer {
            let collection = &given[c].collection;
            report.kept.entry(Kept::Newer).or_default().add(&collection.kind, &collection.rows[i].key);
        }
        for &(c, i) in &plan.does_not_fit {
            let collection = &given[c].collection;
            let (kind, row) = (&collection.kind, &collection.rows[i]);
            report.add_too_large(kind, &row.key, self.report_too_large(kind, row));
        }
        for (c, key) in &plan.tombstones {
            report.kept.entry(Kept::Tombstone).or_default().add(&given[*c].collection.kind, key);
        }
        let mut newer = plan.newer.clone();
        newer.extend(self.write_waves(given, &plan.waves, effort, report).await?);
        for _ in 0..if plan.looks_again { MOST_LOOKS } else { 0 } {
            let look = self.look(given, effort).await?;
            let second = later::second(given, &plan, &first, &look, &newer);
            if second.again.is_empty() {
                self.follow_up(given, &look, second, effort, report).await?;
                break;
            }
            // What is written again may name what went after it was seen, and so there is another look.
            newer.extend(self.write_waves(given, &second.again, effort, report).await?);
        }
        self.warn(&plan, report);
        if !initialised {
            self.table.mark(&self.namespaces.inited(), effort).await?;
        }
        Ok(())
    }

    /// The stored rows of each given kind.
    async fn look(&self, given: &[Given], effort: Effort<'_>) -> Result<Look> {
        let mut look = Vec::with_capacity(given.len());
        for given in given {
            let mut rows = BTreeMap::new();
            self.each_page(&given.collection.kind, true, effort, |raw| {
                if let Some(key) = raw.key.clone() {
                    rows.insert(key, raw);
                }
            })
            .await?;
            look.push(rows);
        }
        Ok(look)
    }

    /// Writes wave after wave, and says which rows turned out to be older than those that stand there.
    async fn write_waves(
        &self,
        given: &[Given],
        waves: &[Vec<Write>],
        effort: Effort<'_>,
        report: &mut Report,
    ) -> Result<Vec<Place>> {
        let mut newer = Vec::new();
        for wave in waves {
            let mut writes = self.side_by_side(wave.iter().map(|write| self.write_one(given, write, effort)));
            while let Some((write, put)) = writes.try_next().await? {
                let (c, i) = write.place;
                let (kind, key) = (&given[c].collection.kind, &given[c].collection.rows[i].key);
                match put {
                    Put::Done { over_unreadable } => {
                        report.written += 1;
                        let replaced =
                            if over_unreadable { Some(Replaced::Unreadable) } else { Replaced::by(write.why) };
                        if let Some(reason) = replaced {
                            report.replaced.entry(reason).or_default().add(kind, key);
                        }
                        if given[c].collection.rows[i].deflated.is_some() {
                            report.deflated.add(kind, key);
                        }
                    }
                    // Somebody put an older row there, since the plan was made, that leaves no room.
                    Put::TooLarge => {
                        let row = &given[c].collection.rows[i];
                        report.add_too_large(kind, key, size::row_bytes(&self.namespaces.of(kind)?, row));
                        newer.push(write.place);
                    }
                    Put::Newer(_) => {
                        report.kept.entry(Kept::Newer).or_default().add(kind, key);
                        newer.push(write.place);
                    }
                }
            }
        }
        Ok(newer)
    }

    async fn write_one<'w>(&self, given: &[Given], write: &'w Write, effort: Effort<'_>) -> Result<(&'w Write, Put)> {
        let collection = &given[write.place.0].collection;
        let first = match &write.unless {
            Unless::Newer => When::NotOlder,
            Unless::Changed(read) => When::AsRead(read),
        };
        let how = Conditions { first, then: When::NotOlder };
        Ok((write, self.put(&collection.kind, &collection.rows[write.place.1], how, effort).await?))
    }

    /// Deletes leftovers, and puts back what turns out to be needed.
    async fn follow_up(
        &self,
        given: &[Given],
        look: &Look,
        second: Second,
        effort: Effort<'_>,
        report: &mut Report,
    ) -> Result<()> {
        for (reason, rows) in [(Kept::Newer, &second.newer), (Kept::OlderDataSet, &second.kept)] {
            for (c, key) in rows {
                report.kept.entry(reason).or_default().add(&given[*c].collection.kind, key);
            }
        }
        let mut deleted = Vec::new();
        for wave in &second.deletions {
            let mut deletes = self.side_by_side(wave.iter().map(|deletion| self.delete_one(given, deletion, effort)));
            while let Some((deletion, outcome)) = deletes.try_next().await? {
                match outcome {
                    Written::Done => {
                        report.deleted += 1;
                        deleted.push(deletion.clone());
                    }
                    Written::Conflict(Some(row)) => {
                        let kind = &given[deletion.kind].collection.kind;
                        let key = row.key.unwrap_or_default();
                        report.kept.entry(Kept::Changed).or_default().add(kind, &key);
                    }
                    // It is gone already.
                    Written::Conflict(None) => {}
                }
            }
        }
        let named = |deletion: &Deletion| matches!(given[deletion.kind].collection.kind.as_str(), FEATURES | SEGMENTS);
        if !deleted.iter().any(named) {
            return Ok(());
        }
        let third = self.look(given, effort).await?;
        for restored in later::needed_after_all(given, &deleted, look, &third) {
            let kind = &given[restored.kind].collection.kind;
            if self.put_back(kind, &restored.row, &restored.was, effort).await? == Written::Done {
                report.deleted -= 1;
                report.kept.entry(Kept::NeededAfterAll).or_default().add(kind, &restored.row.key);
            }
        }
        Ok(())
    }

    async fn delete_one<'d>(
        &self,
        given: &[Given],
        deletion: &'d Deletion,
        effort: Effort<'_>,
    ) -> Result<(&'d Deletion, Written)> {
        let namespace = self.namespaces.of(&given[deletion.kind].collection.kind)?;
        let key = deletion.row.key.as_deref().unwrap_or_default();
        Ok((deletion, self.table.delete(&namespace, key, &deletion.row, effort).await?))
    }

    /// Runs writes side by side, as many at once as the pace allows. The first failure ends it.
    fn side_by_side<T>(
        &self,
        writes: impl Iterator<Item = impl Future<Output = Result<T>>>,
    ) -> impl Stream<Item = Result<T>> + Unpin {
        stream::iter(writes.collect::<Vec<_>>()).buffer_unordered(self.options.write_concurrency as usize)
    }

    /// What somebody should look at.
    fn warn(&self, plan: &Plan, report: &Report) {
        let table = &self.options.table;
        if let Some(newer) = report.kept.get(&Kept::Newer) {
            let key = newer.first.first().map_or("", |(_, key)| key);
            self.events.emit(LogLevel::Warn, || {
                format!(
                    "init kept {} rows of table \"{table}\" that are newer than the data set, \"{key}\" among them, and deleted nothing; if this data set is the right one, open the store with \"init_overwrites_newer\"",
                    newer.count
                )
            });
        }
        if plan.standing == Standing::OtherEnvironment {
            self.events.emit(LogLevel::Warn, || {
                format!(
                    "table \"{table}\" held another environment's data under prefix \"{}\", and init replaced them; if that environment is still in use, give each its own prefix",
                    self.options.prefix
                )
            });
        }
        if let Some(unreadable) = report.replaced.get(&Replaced::Unreadable) {
            let key = unreadable.first.first().map_or("", |(_, key)| key);
            self.events.emit(LogLevel::Warn, || {
                format!(
                    "init replaced {} rows of table \"{table}\" that could not be read, \"{key}\" among them",
                    unreadable.count
                )
            });
        }
    }
}
