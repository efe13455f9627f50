//! The requests themselves: GetItem, Query, PutItem and DeleteItem, and no others. IAM policies need nothing more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
};

use super::client::{Connection, DynamoTable};
use super::counters::Capacity;
use super::failure::classify;
use super::{Answer, BigSegmentRow, Effort, Page, Table, When, Written, retry, rows};
use crate::model::row::{NewRow, RawRow, ReadVersion};
use crate::model::{Code, Error, Result};

type Attributes = HashMap<String, AttributeValue>;

impl Table for DynamoTable {
    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        effort: Effort<'a>,
    ) -> Answer<'a, Option<RawRow>> {
        Box::pin(async move { Ok(self.attributes(namespace, key, consistent, effort).await?.map(rows::raw_row)) })
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
                let mut request = connection
                    .client
                    .query()
                    .table_name(self.name())
                    .key_condition_expression("#namespace = :namespace")
                    .expression_attribute_names("#namespace", rows::NAMESPACE)
                    .expression_attribute_values(":namespace", AttributeValue::S(namespace.to_owned()))
                    .consistent_read(consistent)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total);
                if let Some(after) = after {
                    request = request.set_exclusive_start_key(Some(rows::key(namespace, after)));
                }
                let output = request.send().await.map_err(|error| classify(&error, &connection.place))?;
                self.count(Capacity::Read, output.consumed_capacity.as_ref());
                let next = match output.last_evaluated_key {
                    None => None,
                    Some(mut last) if !last.is_empty() => match last.remove(rows::KEY) {
                        Some(AttributeValue::S(key)) => Some(key),
                        _ => return Err(unexpected("a page ends at a key of another schema")),
                    },
                    Some(_) => None,
                };
                if next.is_some() && next == *after {
                    return Err(unexpected("a page ends where it started"));
                }
                let items = output.items.ok_or_else(|| unexpected("a page has no items"))?;
                let rows = items.into_iter().map(rows::raw_row).collect();
                Ok(Page { rows, next })
            })
            .await
        })
    }

    fn put<'a>(&'a self, namespace: &'a str, row: &'a NewRow, when: When, effort: Effort<'a>) -> Answer<'a, Written> {
        let text = move || format!("PutItem of \"{}\" in namespace \"{namespace}\"", row.key);
        Box::pin(async move {
            // An attempt whose answer was lost may have written the row; the next attempt then conflicts with itself.
            let sent_before = AtomicBool::new(false);
            let sent_before = &sent_before;
            self.attempts(effort, text, move |connection| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::for_put(when, row.version);
                let outcome = connection
                    .client
                    .put_item()
                    .table_name(self.name())
                    .set_item(Some(rows::attributes(namespace, row)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await;
                match outcome {
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
        read: ReadVersion,
        effort: Effort<'a>,
    ) -> Answer<'a, Written> {
        let text = move || format!("DeleteItem of \"{key}\" in namespace \"{namespace}\"");
        Box::pin(async move {
            // As with a put: an attempt whose answer was lost may have removed the row.
            let sent_before = AtomicBool::new(false);
            let sent_before = &sent_before;
            self.attempts(effort, text, move |connection| async move {
                let repeated = sent_before.swap(true, Ordering::Relaxed);
                let condition = Condition::as_read(read);
                let outcome = connection
                    .client
                    .delete_item()
                    .table_name(self.name())
                    .set_key(Some(rows::key(namespace, key)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(Some(condition.names))
                    .set_expression_attribute_values(condition.values)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await;
                match outcome {
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
                let output = connection
                    .client
                    .put_item()
                    .table_name(self.name())
                    .set_item(Some(rows::key(name, name)))
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                    .map_err(|error| classify(&error, &connection.place))?;
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
        effort: Effort<'a>,
    ) -> Answer<'a, Option<BigSegmentRow>> {
        Box::pin(async move { Ok(self.attributes(namespace, key, true, effort).await?.map(rows::big_segment_row)) })
    }
}

impl DynamoTable {
    /// One row's attributes.
    async fn attributes(
        &self,
        namespace: &str,
        key: &str,
        consistent: bool,
        effort: Effort<'_>,
    ) -> Result<Option<Attributes>> {
        let text = || format!("GetItem of \"{key}\" in namespace \"{namespace}\"");
        self.attempts(effort, text, move |connection| async move {
            let output = connection
                .client
                .get_item()
                .table_name(self.name())
                .set_key(Some(rows::key(namespace, key)))
                .consistent_read(consistent)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| classify(&error, &connection.place))?;
            self.count(Capacity::Read, output.consumed_capacity.as_ref());
            match output.item {
                Some(item) if !is_row(&item, namespace, key) => {
                    Err(unexpected("the row is not the one that was asked for"))
                }
                item => Ok(item.filter(|item| !item.is_empty())),
            }
        })
        .await
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

/// Whether an answer holds the row that was asked for. Endpoints that leave the keys out are believed.
fn is_row(item: &Attributes, namespace: &str, key: &str) -> bool {
    let holds = |name, wanted: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => text == wanted,
        Some(_) => false,
        None => true,
    };
    holds(rows::NAMESPACE, namespace) && holds(rows::KEY, key)
}

fn unexpected(what: &str) -> Error {
    Error::new(
        Code::UnexpectedResponse,
        format!("the answer is not what was asked for ({what}): check that the endpoint is DynamoDB"),
    )
}

/// The row that a failed condition met, as the same answer brings it.
fn stored_row_of_put<R>(error: &SdkError<PutItemError, R>) -> Option<Option<RawRow>> {
    match error {
        SdkError::ServiceError(service) => match service.err() {
            PutItemError::ConditionalCheckFailedException(failed) => Some(failed.item.clone().map(rows::raw_row)),
            _ => None,
        },
        _ => None,
    }
}

/// The row that a delete's failed condition met; none if it was gone already.
fn stored_row_of_delete<R>(error: &SdkError<DeleteItemError, R>) -> Option<Option<RawRow>> {
    match error {
        SdkError::ServiceError(service) => match service.err() {
            DeleteItemError::ConditionalCheckFailedException(failed) => Some(failed.item.clone().map(rows::raw_row)),
            _ => None,
        },
        _ => None,
    }
}

fn is_ours(stored: Option<&RawRow>, row: &NewRow) -> bool {
    stored.is_some_and(|stored| {
        stored.version.as_deref() == Some(row.version.to_string().as_str())
            && stored.item.as_deref() == Some(&*row.item)
    })
}

/// A condition expression with its placeholders.
struct Condition {
    expression: &'static str,
    names: HashMap<String, String>,
    values: Option<Attributes>,
}

impl Condition {
    /// Covers what every SDK's condition covers: a row without version may be overwritten too.
    fn for_put(when: When, version: i64) -> Condition {
        let expression = match when {
            When::Newer => "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version < :version",
            When::NotOlder => {
                "attribute_not_exists(#namespace) OR attribute_not_exists(#version) OR #version <= :version"
            }
            When::AsRead(read) => return Condition::as_read(read),
        };
        Condition::new(expression, Some(version))
    }

    fn as_read(read: ReadVersion) -> Condition {
        match read {
            ReadVersion::Number(version) => {
                Condition::new("attribute_exists(#namespace) AND #version = :version", Some(version))
            }
            ReadVersion::Missing => {
                Condition::new("attribute_exists(#namespace) AND attribute_not_exists(#version)", None)
            }
        }
    }

    fn new(expression: &'static str, version: Option<i64>) -> Condition {
        let names = [("#namespace", rows::NAMESPACE), ("#version", rows::VERSION)];
        Condition {
            expression,
            names: names.map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned())).into(),
            values: version
                .map(|version| HashMap::from([(":version".to_owned(), AttributeValue::N(version.to_string()))])),
        }
    }
}
