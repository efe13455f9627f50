//! DynamoDB's API over HTTP: from a request to the engine and back.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use dynoxide::auth_material::{self, AuthMaterial};
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{legacy, visitor};

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
const TARGET: &str = "DynamoDB_20120810.";

/// The largest request that DynamoDB takes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Serves the database until `stopped` resolves and what was asked before is answered.
pub async fn serve(
    listener: TcpListener,
    database: Database,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let router = Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(database);
    axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await
        .map_err(|error| format!("cannot serve: {error}"))
}

async fn answer(
    State(database): State<Database>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // An unreadable header is no name that is answered.
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(reason) = visitor::refusal(text(header::HOST), text(header::ORIGIN)) {
        return response(StatusCode::FORBIDDEN, failure("com.amazon.coral.service#AccessDeniedException", &reason));
    }
    match (method, uri.path()) {
        (Method::GET, "/") => response(StatusCode::OK, "healthy".to_owned()),
        (Method::POST, "/") => asked(&database, &uri, &headers, &body),
        _ => response(StatusCode::NOT_FOUND, failure("com.amazon.coral.service#UnknownOperationException", "")),
    }
}

fn asked(database: &Database, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let material = AuthMaterial {
        authorization: text("authorization"),
        query: uri.query().unwrap_or_default(),
        has_date_header: headers.contains_key("x-amz-date") || headers.contains_key("date"),
    };
    if let Some(unsigned) = auth_material::validate(material) {
        return response(StatusCode::BAD_REQUEST, unsigned);
    }
    let operation = text("x-amz-target").and_then(|target| target.strip_prefix(TARGET)).unwrap_or_default();
    match run(database, operation, body) {
        Ok(answer) => response(StatusCode::OK, answer),
        Err(error) => {
            let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST);
            response(status, error.to_json())
        }
    }
}

/// What feature stores ask for, and the programs that look after their tables.
fn run(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "GetItem" => call(body, |request| database.get_item(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "Query" => query(database, body),
        "Scan" => call(body, |request| database.scan(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DeleteTable" => call(body, |request| database.delete_table(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "UpdateTable" => call(body, |request| database.update_table(request)),
        "ListTagsOfResource" => call(body, |request| database.list_tags_of_resource(request)),
        "TagResource" => call(body, |request| database.tag_resource(request)),
        "UntagResource" => call(body, |request| database.untag_resource(request)),
        "ListTables" => call(body, |request| database.list_tables(request)),
        "DescribeTimeToLive" => call(body, |request| database.describe_time_to_live(request)),
        "UpdateTimeToLive" => call(body, |request| database.update_time_to_live(request)),
        _ => Err(DynoxideError::SerializationException(format!("flagstore-local has no operation {operation:?}"))),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    engine: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let answer = engine(serde_json::from_slice(body).map_err(unreadable)?)?;
    serde_json::to_string(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

fn query(database: &Database, body: &[u8]) -> Result<String, DynoxideError> {
    // Looked for first: reading a body as JSON twice is for the few that need it.
    if !body.windows(13).any(|part| part == b"KeyConditions") {
        return call(body, |request| database.query(request));
    }
    let mut request: Value = serde_json::from_slice(body).map_err(unreadable)?;
    if let Some(parts) = request.as_object_mut().filter(|parts| legacy::is_mixed(parts)) {
        let table = parts.get("TableName").and_then(Value::as_str).unwrap_or_default();
        legacy::translate(parts, &partition_key(database, table)?)?;
    }
    call(request.to_string().as_bytes(), |request| database.query(request))
}

/// The name of a table's partition key; empty where the engine is going to say that there is no such table.
fn partition_key(database: &Database, table: &str) -> Result<String, DynoxideError> {
    let found = database.get_table_metadata(table)?;
    let schema: Value = found.and_then(|found| serde_json::from_str(&found.key_schema).ok()).unwrap_or_default();
    let mut keys = schema.as_array().into_iter().flatten();
    let partition = keys.find(|key| key["KeyType"] == "HASH").and_then(|key| key["AttributeName"].as_str());
    Ok(partition.unwrap_or_default().to_owned())
}

/// A body that the engine cannot read, in DynamoDB's words: the engine marks its own with the kind of error in front.
fn unreadable(error: serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    let words = text.rfind(" at line ").map_or(&*text, |end| &text[..end]);
    match words.split_once(':') {
        Some((mark, words)) if mark.starts_with("VALIDATION") => DynoxideError::ValidationException(words.to_owned()),
        Some((mark, words)) if mark.starts_with("SERIALIZATION") => {
            DynoxideError::SerializationException(words.to_owned())
        }
        _ if error.is_data() && !words.starts_with("invalid type") => {
            DynoxideError::ValidationException(words.to_owned())
        }
        _ => DynoxideError::SerializationException(words.to_owned()),
    }
}

fn failure(kind: &str, message: &str) -> String {
    json!({"__type": kind, "message": message}).to_string()
}

/// With the checksum and the number that DynamoDB's clients look for.
fn response(status: StatusCode, body: String) -> Response {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let checksum = crc32fast::hash(body.as_bytes());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(CONTENT_TYPE));
    headers.insert("x-amz-crc32", header::HeaderValue::from(checksum));
    headers.insert("x-amzn-requestid", header::HeaderValue::from(NUMBER.fetch_add(1, Ordering::Relaxed)));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;
    use crate::tables;

    /// Serves a table `flags` with three rows for as long as `asking` asks.
    fn served(asking: impl FnOnce(SocketAddr)) {
        let database = tables::open(None).unwrap();
        tables::ensure_table(&database, "flags").unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = runtime.spawn(serve(listener, database, std::future::pending()));
        for key in ["a", "b", "c"] {
            let item = json!({"namespace": {"S": "features"}, "key": {"S": key}, "version": {"N": "1"}});
            let (head, body) = ask(address, "PutItem", &json!({"TableName": "flags", "Item": item}));
            assert_eq!((status(&head), &body), (200, &json!({})));
        }
        asking(address);
        server.abort();
    }

    /// The head and the body of the answer to a request with these lines in its own head.
    fn exchange(address: SocketAddr, line: &str, headers: &str, body: &str) -> (String, String) {
        let mut connection = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(connection, "{line} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    fn status(head: &str) -> u16 {
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The head of a client's request, after its `Host`.
    fn signed(operation: &str) -> String {
        format!(
            "content-type: {CONTENT_TYPE}\r\nx-amz-target: {TARGET}{operation}\r\nx-amz-date: 20260101T000000Z\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=0\r\n"
        )
    }

    fn ask(address: SocketAddr, operation: &str, request: &Value) -> (String, Value) {
        let headers = format!("host: {address}\r\n{}", signed(operation));
        let (head, body) = exchange(address, "POST /", &headers, &request.to_string());
        (head, serde_json::from_str(&body).unwrap())
    }

    fn keys(answer: &Value) -> String {
        let rows = answer["Items"].as_array().unwrap_or_else(|| panic!("no rows: {answer}"));
        rows.iter().map(|row| row["key"]["S"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_query_with_old_conditions_and_a_projection_finds_its_rows() {
        served(|address| {
            for (operator, values, found) in [
                ("EQ", json!([{"S": "b"}]), "b"),
                ("LT", json!([{"S": "b"}]), "a"),
                ("LE", json!([{"S": "b"}]), "ab"),
                ("GT", json!([{"S": "b"}]), "c"),
                ("GE", json!([{"S": "b"}]), "bc"),
                ("BEGINS_WITH", json!([{"S": "c"}]), "c"),
                ("BETWEEN", json!([{"S": "b"}, {"S": "c"}]), "bc"),
            ] {
                for projection in [
                    json!({"ProjectionExpression": "#k", "ExpressionAttributeNames": {"#k": "key"}}),
                    json!({"AttributesToGet": ["key"]}),
                    json!({}),
                ] {
                    let mut request = projection.clone();
                    request["TableName"] = "flags".into();
                    request["KeyConditions"] = json!({
                        "key": {"ComparisonOperator": operator, "AttributeValueList": values},
                        "namespace": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "features"}]},
                    });
                    let (head, answer) = ask(address, "Query", &request);
                    assert_eq!((status(&head), &*keys(&answer)), (200, found), "{operator} with {projection}");
                    let only_keys = projection != json!({});
                    assert_eq!(answer["Items"][0]["version"].is_null(), only_keys, "{answer}");
                }
            }
        });
    }

    #[test]
    fn what_is_wrong_with_a_request_is_said_in_dynamodb_s_form() {
        served(|address| {
            let conditions = json!({"namespace": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "x"}]}});
            let key = json!({"namespace": {"S": "features"}, "key": {"S": "a"}});
            for (operation, request, kind, words) in [
                (
                    "Query",
                    json!({"TableName": "flags", "KeyConditions": conditions, "ProjectionExpression": "version"}),
                    "#ValidationException",
                    "need as their ComparisonOperator EQ, not \"NE\"",
                ),
                (
                    "GetItem",
                    json!({"TableName": "no-such-table", "Key": key}),
                    "#ResourceNotFoundException",
                    "not found",
                ),
                ("GetItem", json!({"TableName": "flags"}), "#ValidationException", "key"),
                (
                    "GetItem",
                    json!({"TableName": "flags", "Key": {"namespace": {"S": "features"}}}),
                    "#ValidationException",
                    "key",
                ),
                ("GetItem", json!({"TableName": 1, "Key": key}), "#SerializationException", ""),
                (
                    "PutItem",
                    json!({"TableName": "flags", "Item": key, "ConditionExpression": "attribute_not_exists(#k)",
                    "ExpressionAttributeNames": {"#k": "key"}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}),
                    "#ConditionalCheckFailedException",
                    "\"version\"",
                ),
                ("RestoreTable", json!({}), "#SerializationException", "no operation \"RestoreTable\""),
            ] {
                let (head, answer) = ask(address, operation, &request);
                let (answered, text) = (answer["__type"].as_str().unwrap(), answer.to_string().replace("\\\"", "\""));
                assert_eq!(status(&head), 400, "{answer}");
                assert!(answered.ends_with(kind), "{kind}: {answer}");
                assert!(text.to_lowercase().contains(&words.to_lowercase()), "{words}: {answer}");
                assert!(!text.contains("VALIDATION") && !text.contains("SERIALIZATION"), "{answer}");
            }
        });
    }

    #[test]
    fn other_names_and_web_pages_are_refused_and_no_page_is_let_in() {
        served(|address| {
            let port = address.port();
            let table = r#"{"TableName":"flags"}"#;
            for (line, host, origin, expected) in [
                ("POST /", format!("127.0.0.1:{port}"), "", 200),
                ("POST /", format!("localhost:{port}"), "", 200),
                ("POST /", format!("evil.example:{port}"), "", 403),
                ("POST /", format!("127.0.0.1:{port}"), "origin: http://evil.example\r\n", 403),
                ("OPTIONS /", format!("127.0.0.1:{port}"), "origin: http://evil.example\r\n", 403),
                ("GET /", format!("127.0.0.1:{port}"), "", 200),
                ("GET /", format!("evil.example:{port}"), "", 403),
                ("GET /else", format!("127.0.0.1:{port}"), "", 404),
                ("DELETE /", format!("127.0.0.1:{port}"), "", 404),
            ] {
                let headers = format!("host: {host}\r\n{origin}{}", signed("DescribeTable"));
                let (head, body) = exchange(address, line, &headers, table);
                assert_eq!(status(&head), expected, "{line} of {host} {origin}: {body}");
                assert!(!head.contains("access-control-"), "{head}");
                assert_eq!(
                    body.contains("features") || body.contains("KeySchema"),
                    line == "POST /" && expected == 200
                );
            }
        });
    }

    #[test]
    fn an_answer_carries_its_checksum() {
        served(|address| {
            let key = json!({"namespace": {"S": "features"}, "key": {"S": "a"}});
            let headers = format!("host: {address}\r\n{}", signed("GetItem"));
            let request = json!({"TableName": "flags", "Key": key}).to_string();
            let (head, body) = exchange(address, "POST /", &headers, &request);
            assert!(head.contains(&format!("x-amz-crc32: {}\r\n", crc32fast::hash(body.as_bytes()))), "{head}");
        });
    }

    #[test]
    fn a_request_without_a_signature_is_refused() {
        served(|address| {
            let (head, body) = exchange(address, "POST /", &format!("host: {address}\r\n"), "{}");
            assert_eq!(status(&head), 400);
            assert!(body.contains("MissingAuthenticationToken"), "{body}");
        });
    }
}
