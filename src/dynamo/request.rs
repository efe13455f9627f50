//! The requests themselves: GetItem, Query, PutItem and DeleteItem, and no others. IAM policies need nothing more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};

use super::answers::{Done, One, Several, Spelled, SpelledBigSegments, Spelling};
use super::client::DynamoTable;
use super::condition::Condition;
use super::counters::Capacity;
use super::exchange::{Connection, Operation};
use super::failure::Failure;
use super::refusal::Meaning;
use super::{Answer, BigSegmentRow, Effort, Page, Table, When, Written, retry, rows};
use crate::model::large::Form;
use crate::model::row::{NewRow, RawRow};
use crate::model::{Code, Error, Result, codec};

/// What one attempt brings.
type Outcome<T> = std::result::Result<T, Failure>;

impl Table for DynamoTable {
    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Option<RawRow>> {
        Box::pin(self.one::<Spelled>(namespace, key, consistent, effort))
    }

    fn page<'a>(
        &'a self,
        namespace: &'a str,
        after: Option<String>,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Page> {
        let text = move || format!("Query of namespace \"{namespace}\"");
        Box::pin(async move {
            let after = &after;
            self.attempts(effort, Capacity::Read, text, move |attempt| async move {
                let mut input = QueryInput::builder()
                    .table_name(self.name())
                    .key_condition_expression("#namespace = :namespace")
                    .expression_attribute_names("#namespace", rows::NAMESPACE)
                    .expression_attribute_values(":namespace", AttributeValue::S(namespace.to_owned()))
                    .consistent_read(consistent)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                if let Some(after) = after {
                    input = input.set_exclusive_start_key(Some(rows::key(namespace, after)));
                }
                let mut answer: Several = attempt.call(input.build().map_err(unbuilt)?).await?;
                self.counters.consumed(Capacity::Read, answer.units());
                let next = answer.next().map_err(unexpected)?;
                if next.is_some() && next == *after {
                    return Err(unexpected("a page ends where it started"));
                }
                let rows = answer.rows().ok_or_else(|| unexpected("a page has no items"))?;
                Ok(Page { rows, next })
            })
            .await
        })
    }

    fn put<'a>(
        &'a self,
        namespace: &'a str,
        form: Form<'a>,
        when: When<'a>,
        effort: Effort<'a>,
    ) -> Answer<'a, Written> {
        let row = form.row();
        let text = move || format!("PutItem of \"{}\" in namespace \"{namespace}\"", row.key);
        Box::pin(async move {
            // An attempt whose answer was lost may have written the row; the next attempt then conflicts with itself.
            let sent_before = AtomicBool::new(false);
            let sent_before = &sent_before;
            self.attempts(effort, Capacity::Write, text, move |attempt| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::for_put(when, row.version).map_err(Failure::Settings)?;
                let input = PutItemInput::builder()
                    .table_name(self.name())
                    .set_item(Some(rows::attributes(namespace, form)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                match self.write(attempt, input.build().map_err(unbuilt)?).await? {
                    Written::Conflict(stored) if repeated => {
                        let stored = self.stored(attempt, stored, namespace, &row.key).await?;
                        Ok(if is_ours(stored.as_ref(), row) { Written::Done } else { Written::Conflict(stored) })
                    }
                    written => Ok(written),
                }
            })
            .await
        })
    }

    fn delete<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        read: &'a RawRow,
        effort: Effort<'a>,
    ) -> Answer<'a, Written> {
        let text = move || format!("DeleteItem of \"{key}\" in namespace \"{namespace}\"");
        Box::pin(async move {
            // As with a put: an attempt whose answer was lost may have removed the row.
            let sent_before = AtomicBool::new(false);
            let sent_before = &sent_before;
            self.attempts(effort, Capacity::Write, text, move |attempt| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::as_read(read).map_err(Failure::Settings)?;
                let input = DeleteItemInput::builder()
                    .table_name(self.name())
                    .set_key(Some(rows::key(namespace, key)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                match self.write(attempt, input.build().map_err(unbuilt)?).await? {
                    Written::Conflict(stored) if repeated => {
                        let stored = self.stored(attempt, stored, namespace, key).await?;
                        Ok(if stored.is_none() { Written::Done } else { Written::Conflict(stored) })
                    }
                    written => Ok(written),
                }
            })
            .await
        })
    }

    fn mark<'a>(&'a self, name: &'a str, effort: Effort<'a>) -> Answer<'a, ()> {
        let text = move || format!("PutItem of the row \"{name}\"");
        Box::pin(async move {
            self.attempts(effort, Capacity::Write, text, move |attempt| async move {
                let input = PutItemInput::builder()
                    .table_name(self.name())
                    .set_item(Some(rows::key(name, name)))
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                self.write(attempt, input.build().map_err(unbuilt)?).await.map(drop)
            })
            .await
        })
    }

    fn big_segment<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Option<BigSegmentRow>> {
        Box::pin(self.one::<SpelledBigSegments>(namespace, key, consistent, effort))
    }
}

/// One attempt, on the connection that is made at the first.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    table: &'a DynamoTable,
    connection: &'a Connection,
    ends: Instant,
}

impl Attempt<'_> {
    async fn call<O: Operation, T: serde::de::DeserializeOwned>(self, input: O) -> Outcome<T> {
        self.connection.call(&self.table.counters, self.ends, input).await
    }
}

impl DynamoTable {
    /// One row, read as what it is asked for.
    async fn one<R: Spelling>(
        &self,
        namespace: &str,
        key: &str,
        consistent: bool,
        effort: Effort<'_>,
    ) -> Result<Option<R::Row>> {
        let text = || format!("GetItem of \"{key}\" in namespace \"{namespace}\"");
        self.attempts(effort, Capacity::Read, text, move |attempt| self.read::<R>(attempt, namespace, key, consistent))
            .await
    }

    async fn read<R: Spelling>(
        &self,
        attempt: Attempt<'_>,
        namespace: &str,
        key: &str,
        consistent: bool,
    ) -> Outcome<Option<R::Row>> {
        let input = GetItemInput::builder()
            .table_name(self.name())
            .set_key(Some(rows::key(namespace, key)))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let answer: One<R> = attempt.call(input.build().map_err(unbuilt)?).await?;
        self.counters.consumed(Capacity::Read, answer.units());
        match answer.row() {
            Some(row) if !row.is(namespace, key) => Err(unexpected("the row is not the one that was asked for")),
            row => Ok(row.map(R::into_row)),
        }
    }

    /// A conditional write.
    async fn write<O: Operation>(&self, attempt: Attempt<'_>, input: O) -> Outcome<Written> {
        match attempt.call::<O, Done>(input).await {
            Ok(done) => {
                self.counters.consumed(Capacity::Write, done.units());
                Ok(Written::Done)
            }
            Err(Failure::Refused(refusal)) if refusal.meaning == Meaning::Condition => {
                Ok(Written::Conflict(refusal.stored))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The row that a repeated write met. Where the endpoint does not say it, it is read: it may be one's own.
    async fn stored(
        &self,
        attempt: Attempt<'_>,
        said: Option<RawRow>,
        namespace: &str,
        key: &str,
    ) -> Outcome<Option<RawRow>> {
        match said {
            Some(said) => Ok(Some(said)),
            None => self.read::<Spelled>(attempt, namespace, key, true).await,
        }
    }

    /// Attempts of one request, each on the connection that is made at the first.
    async fn attempts<'a, T, F: Future<Output = Outcome<T>>>(
        &'a self,
        effort: Effort<'_>,
        capacity: Capacity,
        text: impl Fn() -> String,
        attempt: impl Fn(Attempt<'a>) -> F,
    ) -> Result<T> {
        let attempt = &attempt;
        let writes = matches!(capacity, Capacity::Write);
        let outcome = retry::attempts(&self.shared, &self.counters, effort, writes, |ends| async move {
            let connection = self.connected(ends).await?;
            attempt(Attempt { table: self, connection, ends }).await
        });
        outcome.await.map_err(|end| {
            let mut error = end.failure.error(&self.place());
            error.message.push_str(end.because);
            error.during(format_args!("{} of table \"{}\"", text(), self.name()))
        })
    }

    /// The connection. Making it may take long, where the region has to be asked for.
    async fn connected(&self, ends: Instant) -> Outcome<&Connection> {
        if let Some(connection) = self.made() {
            return Ok(connection);
        }
        let started = Instant::now();
        match tokio::time::timeout_at(ends.into(), self.connection()).await {
            Ok(connection) => connection.map_err(Failure::Settings),
            Err(_) => Err(Failure::TimedOut { after: ends.saturating_duration_since(started), anew: false }),
        }
    }
}

fn unexpected(what: &str) -> Failure {
    Failure::Foreign(format!("something else than what was asked for ({what})"))
}

fn unbuilt(error: BuildError) -> Failure {
    let bug = format!("a bug in flagstore: a request was not complete ({error})");
    Failure::Settings(Error::new(Code::Panic, bug))
}

fn is_ours(stored: Option<&RawRow>, row: &NewRow) -> bool {
    stored.is_some_and(|stored| codec::is_the_same(stored, row))
}
