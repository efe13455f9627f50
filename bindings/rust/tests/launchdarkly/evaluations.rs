//! The SDK itself, on rows out of a table.

use crate::local::{flag, flags, table};
use launchdarkly_server_sdk::{
    AllData, Client, ConfigBuilder, Context, FlagDetailConfig, FlagValue, NullEventProcessorBuilder,
    PersistentDataStore, SerializedItem,
};
use serde_json::{Map, Value, json};

/// A client that talks to nobody but the table.
fn client(table: &flagstore_launchdarkly::DynamoDb) -> Client {
    let mut builder = table.data_store();
    builder.no_caching();
    let config = ConfigBuilder::new("sdk-key")
        .data_store(&builder)
        .event_processor(&NullEventProcessorBuilder::new())
        .daemon_mode(true)
        .build()
        .unwrap();
    Client::build(config).unwrap()
}

fn serialized(items: &Value) -> std::collections::HashMap<String, SerializedItem> {
    let item = |item: &Value| SerializedItem {
        version: item["version"].as_u64().unwrap(),
        deleted: item["deleted"].as_bool().unwrap_or(false),
        serialized_item: item.to_string(),
    };
    items.as_object().unwrap().iter().map(|(key, value)| (key.clone(), item(value))).collect()
}

/// Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only.
fn context(given: &Value) -> Result<Context, String> {
    if given.get("kind").is_some() {
        return serde_json::from_value(given.clone()).map_err(|error| error.to_string());
    }
    let mut made = Map::from_iter([("kind".to_owned(), json!("user"))]);
    made.extend(given.get("custom").and_then(Value::as_object).cloned().unwrap_or_default());
    made.extend(
        given
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "custom")
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    serde_json::from_value(Value::Object(made)).map_err(|error| error.to_string())
}

#[test]
fn every_evaluation_has_its_expected_result() {
    let data: Value = serde_json::from_str(include_str!("../../../../tests/data/evaluations.json")).unwrap();
    let (mut right, mut wrong) = (0, Vec::new());
    for suite in data["suites"].as_array().unwrap() {
        let table = table();
        let given = AllData { flags: serialized(&suite["flags"]), segments: serialized(&suite["segments"]) };
        table.open().unwrap().init(given).unwrap();
        let client = client(&table);
        for evaluation in suite["evaluations"].as_array().unwrap() {
            let name = format!("{}, {}", suite["name"], evaluation["name"]);
            let context = match context(&evaluation["context"]) {
                Ok(context) => context,
                Err(error) => {
                    wrong.push(format!("{name}: the context was refused: {error}"));
                    continue;
                }
            };
            let default: FlagValue =
                serde_json::from_value(evaluation.get("default").cloned().unwrap_or_default()).unwrap();
            let detail = client.variation_detail(&context, evaluation["flagKey"].as_str().unwrap(), default);
            let got = json!({"value": detail.value, "variationIndex": detail.variation_index, "reason": detail.reason});
            let expected = &evaluation["expect"];
            let same = same_number(&got["value"], &expected["value"])
                && got["variationIndex"] == *expected.get("variationIndex").unwrap_or(&Value::Null)
                && got["reason"] == expected["reason"];
            match same {
                true => right += 1,
                false => wrong.push(format!("{name}: got {got}, expected {expected}")),
            }
        }
        client.close();
    }
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(right, 720);
}

/// The SDK keeps every number as one with a fraction.
fn same_number(got: &Value, expected: &Value) -> bool {
    match (got.as_f64(), expected.as_f64()) {
        (Some(got), Some(expected)) => got == expected,
        _ => got == expected,
    }
}

#[test]
fn a_row_that_cannot_be_read_leaves_the_state_of_all_flags() {
    let table = table();
    let broken =
        SerializedItem { version: 1, deleted: false, serialized_item: r#"{"key":"broken","on":"maybe"}"#.into() };
    table.open().unwrap().init(flags([flag("good", 7), ("broken".to_owned(), broken)])).unwrap();
    let client = client(&table);
    let context = launchdarkly_server_sdk::ContextBuilder::new("u").build().unwrap();
    let state = serde_json::to_value(client.all_flags_detail(&context, FlagDetailConfig::new())).unwrap();
    assert_eq!(state["good"], json!(7.0), "{state}");
    assert_eq!(client.int_variation(&context, "good", 0), 7);
    assert_eq!(client.int_variation(&context, "broken", 3), 3);
    client.close();
}
