//! Writing one row: conditional on what stands there, in one request unless that cannot be read.

use std::sync::Arc;
use std::time::Instant;

use super::attempt::Attempt;
use super::{Store, Upserted};
use crate::dynamo::{Effort, When, Written};
use crate::model::conflict::{Verdict, verdict};
use crate::model::large::Form;
use crate::model::options::LogLevel;
use crate::model::row::{Item, NewRow, RawRow};
use crate::model::{Code, Error, Result, codec};

/// How often one write is tried while others change its row. Each time somebody else's write went through.
pub(super) const ROUNDS: usize = 8;

/// What became of a row that was to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Put {
    /// It is stored.
    Done {
        /// Whether it replaced a row that cannot be read, which nobody knew of before.
        over_unreadable: bool,
    },
    /// A newer row stands there.
    Newer(RawRow),
    /// It does not fit, deflated neither, beside what stands there. That was reported.
    TooLarge,
}

/// How a row is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions<'a> {
    /// On what condition at first.
    pub first: When<'a>,
    /// On what condition from then on.
    pub then: When<'a>,
}

impl Store {
    /// Writes an item if the stored one is older, missing or unreadable.
    pub(super) async fn write(self: &Arc<Self>, kind: &str, item: &Item, deadline: Instant) -> Result<Upserted> {
        let row = codec::new_row(kind, item)?;
        let outcome = self.write_row(kind, &row, deadline).await;
        if outcome.is_err() {
            self.write_again_later();
        }
        outcome
    }

    /// Writes a row if the stored one is older, missing or unreadable.
    pub(super) async fn write_row(&self, kind: &str, row: &NewRow, deadline: Instant) -> Result<Upserted> {
        let Ok(row) = self.fitted(kind, row.clone()).await? else { return Ok(Upserted::TooLarge) };
        let row = &row;
        let how = Conditions { first: When::Newer, then: When::Newer };
        let mut writing = self.reading.writing(kind, &row.key);
        writing.telling(row);
        let outcome = self.put(kind, row, how, Effort::until(deadline)).await;
        match &outcome {
            Err(error) if error.code.older_may_stand_in() => writing.failed(),
            Err(_) => writing.refused(),
            Ok(_) => {}
        }
        match outcome.map_err(|error| error.during(Attempt::Upsert { kind, key: &row.key }))? {
            Put::Done { over_unreadable } => {
                writing.found(&Arc::new(row.as_read()));
                if over_unreadable {
                    self.events.emit(LogLevel::Warn, || {
                        let table = &self.options.table;
                        format!(
                            "the row \"{}\" of kind \"{kind}\" in table \"{table}\" could not be read and was replaced",
                            row.key
                        )
                    });
                }
                Ok(Upserted::Written)
            }
            Put::Newer(stored) => {
                // It was judged to be sound, so it can be read.
                let stored = Arc::new(codec::read(&stored).unwrap_or_else(|_| row.as_read()));
                writing.found(&stored);
                Ok(Upserted::NewerExists(stored))
            }
            Put::TooLarge => {
                writing.refused();
                Ok(Upserted::TooLarge)
            }
        }
    }

    /// Writes a row, whatever it meets: a newer row stays, an unreadable one is replaced as it was read.
    pub(super) async fn put(&self, kind: &str, row: &NewRow, how: Conditions<'_>, effort: Effort<'_>) -> Result<Put> {
        if let Some(deflated) = &row.deflated {
            return Box::pin(self.put_deflated(kind, row, deflated, how, effort)).await;
        }
        let namespace = &self.namespaces.of(kind)?;
        let mut met: Option<RawRow> = None;
        let mut replaces = false;
        for round in 0..ROUNDS {
            let when = match &met {
                _ if round == 0 => how.first,
                Some(unreadable) if replaces => When::AsRead(unreadable),
                _ => how.then,
            };
            let stored = match self.table.put(namespace, Form::Plain(row), when, effort).await? {
                Written::Done => return Ok(Put::Done { over_unreadable: replaces }),
                Written::Conflict(Some(stored)) => Some(stored),
                // Endpoints that do not return the row on a failed condition need a second request.
                Written::Conflict(None) => self.table.get(namespace, &row.key, true, effort).await?,
            };
            replaces = false;
            match (verdict(stored.as_ref(), row.version, how.then == When::NotOlder), stored) {
                (Verdict::StoredWins, Some(stored)) => return Ok(Put::Newer(stored)),
                (Verdict::Replace, stored) => {
                    replaces = true;
                    met = stored;
                }
                (Verdict::Again | Verdict::StoredWins, _) => met = None,
            }
        }
        Err(changed_by_others(namespace, &row.key))
    }
}

/// Each time somebody else's write went through.
pub(super) fn changed_by_others(namespace: &str, key: &str) -> Error {
    Error::new(
        Code::UnexpectedResponse,
        format!(
            "\"{key}\" in namespace \"{namespace}\" was changed by others each time it was to be written: try again"
        ),
    )
}
