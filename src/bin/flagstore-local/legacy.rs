//! The query that the official integrations send: conditions on the keys in the old form, `KeyConditions`, beside an
//! expression, `ProjectionExpression`.
//!
//! DynamoDB takes this one mixture of old and new. The engine takes each form and no mixture, so the conditions become an
//! expression too before it sees the request. What is not mixed goes to it as it came.

use dynoxide::DynoxideError;
use serde_json::{Map, Value};

/// The parts of a Query that the engine does not take beside `KeyConditions`.
const EXPRESSIONS: [&str; 4] =
    ["ProjectionExpression", "FilterExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"];

const CONDITIONS: &str = "KeyConditions";
const CONDITION: &str = "KeyConditionExpression";
const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// Whether a Query is a mixture that [`translate`] makes one.
pub fn is_mixed(query: &Map<String, Value>) -> bool {
    let has = |part: &str| query.get(part).is_some_and(|value| !value.is_null());
    has(CONDITIONS) && !has(CONDITION) && EXPRESSIONS.into_iter().any(has)
}

/// Makes the conditions of a Query an expression.
///
/// The engine takes the first condition of an expression for the partition key's.
pub fn translate(query: &mut Map<String, Value>, partition_key: &str) -> Result<(), DynoxideError> {
    let Some(Value::Object(conditions)) = query.remove(CONDITIONS) else {
        return Err(invalid(format!("{CONDITIONS} must be an object")));
    };
    let (first, others): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|(name, _)| name == partition_key);
    let mut expression = Vec::new();
    for (name, condition) in first.into_iter().chain(others) {
        let sort_key = name != partition_key;
        expression.push(Condition::read(&name, condition, sort_key)?.placed(query, name)?);
    }
    query.insert(CONDITION.to_owned(), expression.join(" AND ").into());
    Ok(())
}

/// One condition, read.
struct Condition {
    operator: Operator,
    values: Vec<Value>,
}

#[derive(Clone, Copy)]
enum Operator {
    Compare(&'static str),
    BeginsWith,
    Between,
}

impl Condition {
    fn read(name: &str, mut condition: Value, sort_key: bool) -> Result<Self, DynoxideError> {
        let list = condition.get_mut("AttributeValueList").map(Value::take);
        let word = condition.get("ComparisonOperator").and_then(Value::as_str).unwrap_or_default();
        let operator = match word {
            "EQ" => Operator::Compare("="),
            "LT" if sort_key => Operator::Compare("<"),
            "LE" if sort_key => Operator::Compare("<="),
            "GT" if sort_key => Operator::Compare(">"),
            "GE" if sort_key => Operator::Compare(">="),
            "BEGINS_WITH" if sort_key => Operator::BeginsWith,
            "BETWEEN" if sort_key => Operator::Between,
            _ => {
                let taken = if sort_key { "EQ, LT, LE, GT, GE, BEGINS_WITH or BETWEEN" } else { "EQ" };
                return Err(invalid(format!(
                    "the {CONDITIONS} of {name:?} need as their ComparisonOperator {taken}, not {word:?}"
                )));
            }
        };
        let wanted = if matches!(operator, Operator::Between) { 2 } else { 1 };
        match list {
            Some(Value::Array(values)) if values.len() == wanted => Ok(Self { operator, values }),
            _ => Err(invalid(format!(
                "the {CONDITIONS} of {name:?} need {wanted} in their AttributeValueList for {word}"
            ))),
        }
    }

    /// The condition in words of an expression, whose names and values are added to the query's.
    fn placed(self, query: &mut Map<String, Value>, name: String) -> Result<String, DynoxideError> {
        let name = place(query, NAMES, '#', name.into())?;
        let mut values = Vec::new();
        for value in self.values {
            values.push(place(query, VALUES, ':', value)?);
        }
        Ok(match (self.operator, values.as_slice()) {
            (Operator::Between, [low, high]) => format!("{name} BETWEEN {low} AND {high}"),
            (Operator::BeginsWith, [start]) => format!("begins_with({name}, {start})"),
            (Operator::Compare(sign), [value]) => format!("{name} {sign} {value}"),
            _ => return Err(invalid(format!("the {CONDITIONS} have another number of values than they need"))),
        })
    }
}

/// Adds a name or a value to the query's, under a placeholder that none of them has.
fn place(query: &mut Map<String, Value>, part: &str, sign: char, what: Value) -> Result<String, DynoxideError> {
    let places = query.entry(part).or_insert_with(|| Value::Object(Map::new()));
    if places.is_null() {
        *places = Value::Object(Map::new());
    }
    let Value::Object(places) = places else {
        return Err(invalid(format!("{part} must be an object")));
    };
    // One of the first `len + 1` is free.
    let placeholder =
        (0..=places.len()).map(|number| format!("{sign}key{number}")).find(|name| !places.contains_key(name));
    let placeholder = placeholder.unwrap_or_default();
    places.insert(placeholder.clone(), what);
    Ok(placeholder)
}

fn invalid(message: String) -> DynoxideError {
    DynoxideError::ValidationException(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn translated(mut query: Value) -> Result<Value, String> {
        let query_map = query.as_object_mut().unwrap();
        assert!(is_mixed(query_map));
        translate(query_map, "namespace").map_err(|error| error.to_string())?;
        Ok(query)
    }

    fn with_sort_key(operator: &str, values: Value) -> Value {
        json!({
            "ProjectionExpression": "#n",
            "KeyConditions": {
                "key": {"ComparisonOperator": operator, "AttributeValueList": values},
                "namespace": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "features"}]},
            },
        })
    }

    #[test]
    fn the_integrations_query_becomes_an_expression() {
        let query = json!({
            "TableName": "flags",
            "ConsistentRead": true,
            "ProjectionExpression": "#namespace, #key",
            "ExpressionAttributeNames": {"#namespace": "namespace", "#key": "key"},
            "KeyConditions": {"namespace": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "features"}]}},
        });
        assert_eq!(
            translated(query),
            Ok(json!({
                "TableName": "flags",
                "ConsistentRead": true,
                "ProjectionExpression": "#namespace, #key",
                "ExpressionAttributeNames": {"#namespace": "namespace", "#key": "key", "#key0": "namespace"},
                "ExpressionAttributeValues": {":key0": {"S": "features"}},
                "KeyConditionExpression": "#key0 = :key0",
            }))
        );
    }

    #[test]
    fn every_operator_of_a_sort_key_has_its_words_and_the_partition_key_comes_first() {
        let (one, two) = (json!([{"S": "a"}]), json!([{"S": "a"}, {"S": "b"}]));
        for (operator, values, words) in [
            ("EQ", &one, "#key1 = :key1"),
            ("LT", &one, "#key1 < :key1"),
            ("LE", &one, "#key1 <= :key1"),
            ("GT", &one, "#key1 > :key1"),
            ("GE", &one, "#key1 >= :key1"),
            ("BEGINS_WITH", &one, "begins_with(#key1, :key1)"),
            ("BETWEEN", &two, "#key1 BETWEEN :key1 AND :key2"),
        ] {
            let query = translated(with_sort_key(operator, values.clone())).unwrap();
            assert_eq!(query["KeyConditionExpression"], format!("#key0 = :key0 AND {words}"), "{operator}");
            assert_eq!(query["ExpressionAttributeNames"], json!({"#key0": "namespace", "#key1": "key"}));
            assert_eq!(query["ExpressionAttributeValues"][":key1"], json!({"S": "a"}));
        }
    }

    #[test]
    fn placeholders_do_not_collide_with_the_query_s_own() {
        let mut query = with_sort_key("EQ", json!([{"S": "k"}]));
        query["ExpressionAttributeNames"] = json!({"#n": "version", "#key0": "x", "#key2": "y"});
        query["ExpressionAttributeValues"] = json!({":key1": {"N": "1"}});
        let query = translated(query).unwrap();
        assert_eq!(query["KeyConditionExpression"], "#key1 = :key0 AND #key3 = :key2");
        assert_eq!(
            query["ExpressionAttributeNames"],
            json!({"#n": "version", "#key0": "x", "#key2": "y", "#key1": "namespace", "#key3": "key"})
        );
        assert_eq!(
            query["ExpressionAttributeValues"],
            json!({":key1": {"N": "1"}, ":key0": {"S": "features"}, ":key2": {"S": "k"}})
        );
    }

    #[test]
    fn what_cannot_be_translated_is_named() {
        let (none, one, two) = (json!([]), json!([{"S": "a"}]), json!([{"S": "a"}, {"S": "b"}]));
        for (operator, values, message) in [
            (
                "NE",
                &one,
                "the KeyConditions of \"key\" need as their ComparisonOperator EQ, LT, LE, GT, GE, BEGINS_WITH or BETWEEN, not \"NE\"",
            ),
            (
                "eq",
                &one,
                "the KeyConditions of \"key\" need as their ComparisonOperator EQ, LT, LE, GT, GE, BEGINS_WITH or BETWEEN, not \"eq\"",
            ),
            ("EQ", &two, "the KeyConditions of \"key\" need 1 in their AttributeValueList for EQ"),
            ("EQ", &none, "the KeyConditions of \"key\" need 1 in their AttributeValueList for EQ"),
            ("BETWEEN", &one, "the KeyConditions of \"key\" need 2 in their AttributeValueList for BETWEEN"),
            ("EQ", &json!("a"), "the KeyConditions of \"key\" need 1 in their AttributeValueList for EQ"),
        ] {
            assert_eq!(translated(with_sort_key(operator, values.clone())), Err(message.to_owned()));
        }
        let mut query = with_sort_key("EQ", one.clone());
        query["KeyConditions"]["namespace"]["ComparisonOperator"] = "GT".into();
        let message = "the KeyConditions of \"namespace\" need as their ComparisonOperator EQ, not \"GT\"";
        assert_eq!(translated(query), Err(message.to_owned()));
        let query = json!({"ProjectionExpression": "a", "KeyConditions": ["namespace"]});
        assert_eq!(translated(query), Err("KeyConditions must be an object".to_owned()));
        let query = json!({"KeyConditions": {"namespace": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]}}, "ExpressionAttributeNames": []});
        assert_eq!(translated(query), Err("ExpressionAttributeNames must be an object".to_owned()));
    }

    #[test]
    fn what_is_not_mixed_is_left_to_the_engine() {
        for query in [
            json!({"KeyConditions": {}}),
            json!({"KeyConditions": {}, "AttributesToGet": ["key"], "ProjectionExpression": null}),
            json!({"KeyConditionExpression": "a = :a", "ExpressionAttributeValues": {":a": {"S": "x"}}}),
            json!({"KeyConditions": {}, "KeyConditionExpression": "a = :a", "ProjectionExpression": "a"}),
            json!({"KeyConditions": null, "ProjectionExpression": "a"}),
        ] {
            assert!(!is_mixed(query.as_object().unwrap()), "{query}");
        }
    }
}
