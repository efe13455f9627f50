//! The requests themselves: GetItem, Query, PutItem and DeleteItem, and no others. IAM policies need nothing more.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemError, DeleteItemInput};
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::de::DeserializeOwned;

use super::answers::{One, Several, Spelled, SpelledBigSegments, Spelling};
use super::client::DynamoTable;
use super::condition::Condition;
use super::counters::Capacity;
use super::exchange::Connection;
use super::failure::{classify, not_dynamodb};
use super::{Answer, BigSegmentRow, Effort, Page, Table, When, Written, retry, rows};
use crate::model::row::{NewRow, RawRow};
use crate::model::{Code, Error, Result, codec};

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
            self.attempts(effort, text, move |connection| async move {
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
                let input = input.build().map_err(unbuilt)?;
                let mut answer: Several = Self::read(connection.answer(input).await, connection)?;
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
        row: &'a NewRow,
        when: When<'a>,
        effort: Effort<'a>,
    ) -> Answer<'a, Written> {
        let text = move || format!("PutItem of \"{}\" in namespace \"{namespace}\"", row.key);
        Box::pin(async move {
            // An attempt whose answer was lost may have written the row; the next attempt then conflicts with itself.
            let sent_before = AtomicBool::new(false);
            let sent_before = &sent_before;
            self.attempts(effort, text, move |connection| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::for_put(when, row.version)?;
                let input = PutItemInput::builder()
                    .table_name(self.name())
                    .set_item(Some(rows::attributes(namespace, row)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                match connection.call(input.build().map_err(unbuilt)?).await {
                    Ok(output) => {
                        self.count(Capacity::Write, output.consumed_capacity.as_ref());
                        Ok(Written::Done)
                    }
                    Err(error) => match stored_row_of_put(&error) {
                        Some(stored) if repeated && is_ours(stored.as_ref(), row) => Ok(Written::Done),
                        Some(stored) => Ok(Written::Conflict(stored)),
                        None => Err(classify(&error, &connection.place)),
                    },
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
            self.attempts(effort, text, move |connection| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::as_read(read)?;
                let input = DeleteItemInput::builder()
                    .table_name(self.name())
                    .set_key(Some(rows::key(namespace, key)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                match connection.call(input.build().map_err(unbuilt)?).await {
                    Ok(output) => {
                        self.count(Capacity::Write, output.consumed_capacity.as_ref());
                        Ok(Written::Done)
                    }
                    Err(error) => match stored_row_of_delete(&error) {
                        Some(None) if repeated => Ok(Written::Done),
                        Some(stored) => Ok(Written::Conflict(stored)),
                        None => Err(classify(&error, &connection.place)),
                    },
                }
            })
            .await
        })
    }

    fn mark<'a>(&'a self, name: &'a str, effort: Effort<'a>) -> Answer<'a, ()> {
        let text = move || format!("PutItem of the row \"{name}\"");
        Box::pin(async move {
            self.attempts(effort, text, move |connection| async move {
                let input = PutItemInput::builder()
                    .table_name(self.name())
                    .set_item(Some(rows::key(name, name)))
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                let output = connection.call(input.build().map_err(unbuilt)?).await;
                let output = output.map_err(|error| classify(&error, &connection.place))?;
                self.count(Capacity::Write, output.consumed_capacity.as_ref());
                Ok(())
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

impl DynamoTable {
    /// One row, read as what it is asked for.
    async fn one<R: Spelling>(
        &self,
        namespace: &str,
        key: &str,
        consistent: bool,
        effort: Effort<'_>,
    ) -> Result<Option<R::Row>> {
        let text = || get_item_text(namespace, key);
        self.attempts(effort, text, move |connection| async move {
            let input = self.get_item(namespace, key, consistent)?;
            let answer: One<R> = Self::read(connection.answer(input).await, connection)?;
            self.counters.consumed(Capacity::Read, answer.units());
            match answer.row() {
                Some(row) if !row.is(namespace, key) => Err(unexpected("the row is not the one that was asked for")),
                row => Ok(row.map(R::into_row)),
            }
        })
        .await
    }

    fn get_item(&self, namespace: &str, key: &str, consistent: bool) -> Result<GetItemInput> {
        GetItemInput::builder()
            .table_name(self.name())
            .set_key(Some(rows::key(namespace, key)))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .build()
            .map_err(unbuilt)
    }

    /// An answer that is read here.
    fn read<T: DeserializeOwned, E: StdError + ProvideErrorMetadata + Send + Sync + 'static>(
        answer: std::result::Result<HttpResponse, Box<SdkError<E, HttpResponse>>>,
        connection: &Connection,
    ) -> Result<T> {
        let answer = answer.map_err(|error| classify(&error, &connection.place))?;
        serde_json::from_slice(answer.body().bytes().unwrap_or_default()).map_err(|_| not_dynamodb(&connection.place))
    }

    /// Attempts of one request, each with the connection that is made at the first.
    async fn attempts<'a, T, F: Future<Output = Result<T>>>(
        &'a self,
        effort: Effort<'_>,
        text: impl Fn() -> String,
        attempt: impl Fn(&'a Connection) -> F,
    ) -> Result<T> {
        let attempt = &attempt;
        let text = || format!("{} of table \"{}\"", text(), self.name());
        retry::attempts(effort, self.attempt_timeout(), &self.counters, text, || async move {
            attempt(self.connection().await?).await
        })
        .await
    }

    fn count(&self, capacity: Capacity, consumed: Option<&ConsumedCapacity>) {
        self.counters.consumed(capacity, consumed.and_then(ConsumedCapacity::capacity_units));
    }
}

fn unexpected(what: &str) -> Error {
    Error::new(
        Code::UnexpectedResponse,
        format!("the answer is not what was asked for ({what}): check that the endpoint is DynamoDB"),
    )
}

fn get_item_text(namespace: &str, key: &str) -> String {
    format!("GetItem of \"{key}\" in namespace \"{namespace}\"")
}

fn unbuilt(error: BuildError) -> Error {
    Error::new(Code::Panic, format!("a bug in flagstore: a request was not complete ({error})"))
}

/// The row that a failed condition met, as the same answer brings it: none if the endpoint brings none, or there is none.
fn stored_row_of_put(error: &SdkError<PutItemError, HttpResponse>) -> Option<Option<RawRow>> {
    match error {
        SdkError::ServiceError(service) if service.err().is_conditional_check_failed_exception() => {
            Some(row_of_refusal(service.raw()))
        }
        _ => None,
    }
}

/// The row that a delete's failed condition met; none if it was gone already.
fn stored_row_of_delete(error: &SdkError<DeleteItemError, HttpResponse>) -> Option<Option<RawRow>> {
    match error {
        SdkError::ServiceError(service) if service.err().is_conditional_check_failed_exception() => {
            Some(row_of_refusal(service.raw()))
        }
        _ => None,
    }
}

fn row_of_refusal(response: &HttpResponse) -> Option<RawRow> {
    let body = response.body().bytes().unwrap_or_default();
    Some(serde_json::from_slice::<One<Spelled>>(body).ok()?.row()?.into_row())
}

fn is_ours(stored: Option<&RawRow>, row: &NewRow) -> bool {
    stored.is_some_and(|stored| codec::is_the_same(stored, row))
}
