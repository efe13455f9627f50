//! The data, and the tables of a feature store in it.

use dynoxide::Database;
use serde_json::{Value, json};

pub fn open(file: Option<&str>) -> Result<Database, String> {
    match file {
        Some(path) => Database::new(path).map_err(|error| format!("cannot open the file {path}: {error}")),
        None => Database::memory().map_err(|error| format!("cannot open a database in memory: {error}")),
    }
}

/// Creates the table unless the file has it. One that has other keys is refused here, where the reason is plain,
/// rather than at the first request.
pub fn ensure_table(database: &Database, table: &str) -> Result<(), String> {
    let existing =
        database.get_table_metadata(table).map_err(|error| format!("cannot look for table {table}: {error}"))?;
    match existing {
        None => create_table(database, table),
        Some(found) if same(&found.key_schema, key_schema()) && same(&found.attribute_definitions, attributes()) => {
            Ok(())
        }
        Some(_) => Err(format!(
            "table {table} of the file has other keys than a feature store's, which are `namespace` and `key`, both strings"
        )),
    }
}

fn create_table(database: &Database, table: &str) -> Result<(), String> {
    let request = json!({
        "TableName": table,
        "KeySchema": key_schema(),
        "AttributeDefinitions": attributes(),
        "BillingMode": "PAY_PER_REQUEST",
    });
    serde_json::from_value(request)
        .map_err(|error| error.to_string())
        .and_then(|request| database.create_table(request).map_err(|error| error.to_string()))
        .map(drop)
        // Dynoxide marks what its HTTP layer turns into a ValidationException; a person has no use for the mark.
        .map_err(|error| format!("cannot create table {table:?}: {}", error.trim_start_matches("VALIDATION:")))
}

fn key_schema() -> Value {
    json!([{"AttributeName": "namespace", "KeyType": "HASH"}, {"AttributeName": "key", "KeyType": "RANGE"}])
}

fn attributes() -> Value {
    json!([{"AttributeName": "namespace", "AttributeType": "S"}, {"AttributeName": "key", "AttributeType": "S"}])
}

fn same(stored: &str, wanted: Value) -> bool {
    serde_json::from_str::<Value>(stored).is_ok_and(|stored| stored == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_created_once_and_recognised_afterwards() {
        let database = open(None).unwrap();
        ensure_table(&database, "flags").unwrap();
        ensure_table(&database, "flags").unwrap();
        assert_eq!(database.table_count().unwrap(), 1);
    }

    #[test]
    fn a_table_with_other_keys_is_refused() {
        let database = open(None).unwrap();
        let request = json!({
            "TableName": "flags",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        database.create_table(serde_json::from_value(request).unwrap()).unwrap();
        let message = ensure_table(&database, "flags").unwrap_err();
        assert!(message.starts_with("table flags of the file has other keys"), "{message}");
    }

    #[test]
    fn a_table_name_that_dynamodb_refuses_is_refused_with_its_words() {
        let message = ensure_table(&open(None).unwrap(), "a").unwrap_err();
        assert!(message.starts_with("cannot create table \"a\": "), "{message}");
        assert!(message.contains("greater than or equal to 3"), "{message}");
    }
}
