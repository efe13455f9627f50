//! What DynamoDB says when it refuses a request, and what it means by that.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use serde::Deserialize;

use super::answers::{Spelled, Spelling};
use super::http::Response;
use super::quote;
use crate::model::row::RawRow;

/// A refusal. Nothing in it is a secret of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What it means.
    pub meaning: Meaning,
    /// The name of the error, where it is one.
    pub name: Option<String>,
    /// AWS's own words, where they can be quoted.
    pub words: Option<String>,
    /// The number under which AWS knows the request.
    pub request_id: Option<String>,
    /// The row that a failed condition met, where the endpoint says it.
    pub stored: Option<RawRow>,
    /// Whether what it complains about is put right: the clock, or the identity.
    pub mended: bool,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The condition of a write does not hold.
    Condition,
    /// There is no such table.
    NoTable,
    /// The table has other keys.
    OtherKeys,
    /// The identity is known and may not do this.
    AccessDenied,
    /// The identity has come to its end.
    Expired,
    /// The identity is not known, or not complete.
    Unknown,
    /// The signature does not fit the identity.
    Signature,
    /// The signature tells a time that is minutes off.
    Time,
    /// Slow down.
    Throttled,
    /// The service has a fault.
    Fault,
    /// Something else is wrong with the request or the table.
    Other,
    /// It is no refusal of DynamoDB's.
    Foreign,
}

/// The body of an error, as DynamoDB and its like write it.
#[derive(Debug, Default, Deserialize)]
struct Body {
    #[serde(rename = "__type")]
    name: Option<String>,
    message: Option<String>,
    #[serde(rename = "Message")]
    capital_message: Option<String>,
    #[serde(rename = "Item")]
    stored: Option<Spelled>,
}

impl Refusal {
    /// Reads an answer that is no success. `secrets` are those of the request.
    pub fn read(response: &Response, secrets: &[&str]) -> Refusal {
        let body: Body = serde_json::from_slice(response.body()).unwrap_or_default();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let name = body.name.as_deref().or_else(|| header("x-amzn-errortype")).map(bare).unwrap_or_default();
        let words = body.message.or(body.capital_message).unwrap_or_default();
        let status = response.status().as_u16();
        Refusal {
            status,
            meaning: Meaning::of(status, name, &words),
            name: quote::name(name, secrets),
            words: quote::sentence(&words, secrets),
            request_id: header("x-amzn-requestid").and_then(|id| quote::name(id, secrets)),
            stored: body.stored.filter(|row| *row != Spelled::default()).map(Spelled::into_row),
            mended: false,
        }
    }

    /// A throttled table, where the answer that said so was another request's.
    pub fn throttled() -> Refusal {
        Refusal {
            status: 400,
            meaning: Meaning::Throttled,
            name: None,
            words: None,
            request_id: None,
            stored: None,
            mended: false,
        }
    }
}

/// The name alone: `com.amazonaws.dynamodb.v20120810#SlowDown:http://...` is how some spell it.
fn bare(name: &str) -> &str {
    let name = name.rsplit('#').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default().trim()
}

impl Meaning {
    /// What the name of an error and its words mean, and where there is no name, the status.
    fn of(status: u16, name: &str, words: &str) -> Meaning {
        match name {
            "ConditionalCheckFailedException" => Meaning::Condition,
            "ResourceNotFoundException" => Meaning::NoTable,
            "ValidationException" if is_about_keys(words) => Meaning::OtherKeys,
            "AccessDeniedException" | "AccessDenied" | "NotAuthorized" | "UnauthorizedOperation" => {
                Meaning::AccessDenied
            }
            "ExpiredTokenException" | "ExpiredToken" => Meaning::Expired,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "MissingAuthenticationTokenException"
            | "MissingAuthenticationToken"
            | "IncompleteSignatureException"
            | "IncompleteSignature" => Meaning::Unknown,
            "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => Meaning::Time,
            "InvalidSignatureException" | "SignatureDoesNotMatch" if is_about_time(words) => Meaning::Time,
            "InvalidSignatureException" | "SignatureDoesNotMatch" => Meaning::Signature,
            "InternalServerError"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "ReplicatedWriteConflictException" => Meaning::Fault,
            name if THROTTLING_ERRORS.contains(&name) => Meaning::Throttled,
            name if TRANSIENT_ERRORS.contains(&name) => Meaning::Fault,
            _ if status == 429 => Meaning::Throttled,
            _ if status >= 500 || status == 408 => Meaning::Fault,
            "" => Meaning::Foreign,
            _ => Meaning::Other,
        }
    }
}

fn is_about_time(words: &str) -> bool {
    words.contains("Signature expired") || words.contains("not yet current")
}

fn is_about_keys(words: &str) -> bool {
    [
        "key element",
        "key schema element",
        "number of conditions on the keys",
        "Missing the key",
        "Type mismatch for key",
        "key attribute",
    ]
    .iter()
    .any(|key| words.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::row::Attribute;

    fn read(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(body.to_owned().into()).expect("a response");
        Refusal::read(&response, &["AKIDSECRET"])
    }

    #[test]
    fn names_have_their_meaning_and_those_without_have_their_status() {
        for (status, name, words, meaning) in [
            (400, "ConditionalCheckFailedException", "", Meaning::Condition),
            (400, "ResourceNotFoundException", "", Meaning::NoTable),
            (400, "ValidationException", "The provided key element does not match the schema", Meaning::OtherKeys),
            (400, "ValidationException", "else", Meaning::Other),
            (400, "AccessDeniedException", "", Meaning::AccessDenied),
            (400, "ExpiredTokenException", "", Meaning::Expired),
            (400, "UnrecognizedClientException", "", Meaning::Unknown),
            (403, "InvalidClientTokenId", "", Meaning::Unknown),
            (400, "InvalidSignatureException", "Signature expired: 2020", Meaning::Time),
            (400, "InvalidSignatureException", "Signature not yet current: 2020", Meaning::Time),
            (400, "InvalidSignatureException", "does not match", Meaning::Signature),
            (403, "RequestTimeTooSkewed", "", Meaning::Time),
            (400, "ProvisionedThroughputExceededException", "", Meaning::Throttled),
            (503, "ThrottlingException", "", Meaning::Throttled),
            (400, "InternalServerError", "", Meaning::Fault),
            (400, "RequestTimeout", "", Meaning::Fault),
            (408, "", "", Meaning::Fault),
            (503, "", "", Meaning::Fault),
            (500, "Whatever", "", Meaning::Fault),
            (429, "", "", Meaning::Throttled),
            (404, "", "", Meaning::Foreign),
            (400, "Whatever", "", Meaning::Other),
        ] {
            assert_eq!(Meaning::of(status, name, words), meaning, "{status} {name} {words}");
        }
    }

    #[test]
    fn whatever_the_aws_sdk_tries_again_is_tried_again_here() {
        for name in THROTTLING_ERRORS {
            assert_eq!(Meaning::of(400, name, ""), Meaning::Throttled, "{name}");
        }
        for name in TRANSIENT_ERRORS {
            assert_eq!(Meaning::of(400, name, ""), Meaning::Fault, "{name}");
        }
    }

    #[test]
    fn name_words_and_number_are_found_wherever_they_stand() {
        let plain = r#"{"__type":"com.amazonaws.dynamodb.v20120810#SlowDown","message":"Please wait"}"#;
        let coral = r#"{"__type":"com.amazon.coral.service#SlowDown","Message":"Please wait"}"#;
        let header = ("x-amzn-errortype", "SlowDown:http://internal.amazon.com/coral/");
        for (headers, body) in [(vec![], plain), (vec![], coral), (vec![header], r#"{"message":"Please wait"}"#)] {
            let refusal = read(400, &[headers, vec![("x-amzn-requestid", "REQ1")]].concat(), body);
            assert_eq!(refusal.name.as_deref(), Some("SlowDown"), "{body}");
            assert_eq!(refusal.words.as_deref(), Some("Please wait"), "{body}");
            assert_eq!(refusal.request_id.as_deref(), Some("REQ1"));
        }
    }

    #[test]
    fn the_row_that_a_condition_met_comes_along() {
        let name = r#""__type":"x#ConditionalCheckFailedException""#;
        let row = read(400, &[], &format!(r#"{{{name},"Item":{{"key":{{"S":"a"}},"version":{{"N":"7"}}}}}}"#)).stored;
        assert_eq!(row.and_then(|row| row.version), Some(Attribute::Number("7".into())));
        for none in [format!("{{{name}}}"), format!(r#"{{{name},"Item":null}}"#), format!(r#"{{{name},"Item":{{}}}}"#)]
        {
            let refusal = read(400, &[], &none);
            assert_eq!((refusal.meaning, refusal.stored), (Meaning::Condition, None), "{none}");
        }
    }

    #[test]
    fn no_part_of_a_refusal_gives_the_credentials_away() {
        let body = r#"{"__type":"AKIDSECRET","message":"The key AKIDSECRET is not known"}"#;
        let refusal = read(400, &[("x-amzn-requestid", "AKIDSECRET")], body);
        assert_eq!((refusal.name, refusal.words, refusal.request_id), (None, None, None));
        assert_eq!(refusal.meaning, Meaning::Other);
    }
}
