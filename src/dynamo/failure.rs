//! From the SDK's errors to a code and a sentence that names the remedy.
//!
//! AWS's own words are quoted only where they can hold neither a credential nor a payload.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::model::{Code, Error};

/// Where requests go, for messages.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table's name.
    pub table: String,
    /// The endpoint's URL, or the region in words.
    pub at: String,
}

/// What an SDK error means.
pub fn classify<E>(error: &SdkError<E, HttpResponse>, place: &Place) -> Error
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            of_service(status, service.err().code(), service.err().message(), place)
        }
        SdkError::DispatchFailure(dispatch) => {
            let connector = dispatch.as_connector_error();
            let source: Option<&(dyn StdError + 'static)> = connector.map(|error| error as _);
            of_credentials(source, place).unwrap_or_else(|| match connector {
                Some(error) if error.is_timeout() => Error::new(
                    Code::Timeout,
                    format!(
                        "no connection to {} in time: check the endpoint, the network and the security groups",
                        place.at
                    ),
                ),
                Some(error) => Error::new(
                    Code::Connection,
                    format!(
                        "the connection to {} failed ({}): check the endpoint and the network",
                        place.at,
                        innermost(error)
                    ),
                ),
                None => Error::new(Code::Connection, format!("the connection to {} failed", place.at)),
            })
        }
        SdkError::TimeoutError(_) => Error::new(Code::Timeout, format!("{} did not answer in time", place.at)),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            if status == 200 || status < 400 {
                Error::new(
                    Code::UnexpectedResponse,
                    format!(
                        "{} answered with something that is not a DynamoDB response (status {status}): check that the endpoint is DynamoDB",
                        place.at
                    ),
                )
            } else {
                of_service(status, None, None, place)
            }
        }
        other => {
            let source: Option<&(dyn StdError + 'static)> = other.source();
            of_credentials(source, place).unwrap_or_else(|| {
                Error::new(Code::Rejected, "the request could not be made: check region, endpoint and credentials")
            })
        }
    }
}

/// An error that DynamoDB itself reported.
fn of_service(status: u16, code: Option<&str>, message: Option<&str>, place: &Place) -> Error {
    let Place { table, at } = place;
    let code = code.unwrap_or_default();
    let quoted = message.map(shortened).unwrap_or_default();
    match code {
        "ResourceNotFoundException" => Error::new(
            Code::TableNotFound,
            format!(
                "there is no table \"{table}\" at {at}: create it with the partition key \"namespace\" (string) and the sort key \"key\" (string), or check table name, region and account"
            ),
        ),
        "AccessDeniedException" | "AccessDenied" => Error::new(
            Code::AccessDenied,
            format!(
                "the credentials may not do this on table \"{table}\" at {at}: allow it in the IAM policy ({quoted})"
            ),
        ),
        "ExpiredTokenException" | "ExpiredToken" => {
            Error::new(Code::ExpiredCredentials, format!("the credentials for {at} have expired: renew them"))
        }
        // AWS's message quotes the signed request, session token included, so it is left out.
        "InvalidSignatureException" | "SignatureDoesNotMatch" if mentions_time(message) => clock_skew(at),
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => clock_skew(at),
        "InvalidSignatureException" | "SignatureDoesNotMatch" => Error::new(
            Code::InvalidCredentials,
            format!("{at} says that the signature is wrong: check the secret access key"),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "IncompleteSignatureException" => Error::new(
            Code::InvalidCredentials,
            format!("{at} does not know these credentials: check the access key id and the session token"),
        ),
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "ThrottledException"
        | "TooManyRequestsException" => Error::new(
            Code::Throttled,
            format!("table \"{table}\" at {at} is throttled: raise its capacity, or switch it to on-demand"),
        ),
        "ValidationException" if is_about_keys(message) => Error::new(
            Code::KeySchema,
            format!(
                "table \"{table}\" at {at} has other keys: it needs the partition key \"namespace\" (string) and the sort key \"key\" (string)"
            ),
        ),
        "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => service_fault(status, at),
        _ if status >= 500 => service_fault(status, at),
        _ if status == 429 => Error::new(Code::Throttled, format!("{at} is throttled (status 429)")),
        "" => Error::new(
            Code::UnexpectedResponse,
            format!("{at} answered with status {status} and no DynamoDB error: check that the endpoint is DynamoDB"),
        ),
        _ => Error::new(
            Code::Rejected,
            format!("table \"{table}\" at {at} refused the request with {} ({quoted})", shortened(code)),
        ),
    }
}

fn service_fault(status: u16, at: &str) -> Error {
    Error::new(Code::Service, format!("{at} reported a fault of its own (status {status}): try again later"))
}

fn clock_skew(at: &str) -> Error {
    Error::new(Code::ClockSkew, format!("this machine's clock differs too much from that of {at}: set the clock"))
}

fn mentions_time(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.contains("expired") || message.contains("not yet current"))
}

fn is_about_keys(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        [
            "key element",
            "key schema element",
            "number of conditions on the keys",
            "Missing the key",
            "Type mismatch for key",
            "key attribute",
        ]
        .iter()
        .any(|words| message.contains(words))
    })
}

/// The failure of the credentials' own providers, found anywhere in the chain of causes.
fn of_credentials(mut source: Option<&(dyn StdError + 'static)>, place: &Place) -> Option<Error> {
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(credentials_error(error, place));
        }
        source = error.source();
    }
    None
}

/// What a failure to find or load credentials means.
pub fn credentials_error(error: &CredentialsError, place: &Place) -> Error {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => no_credentials(place),
        CredentialsError::ProviderTimedOut(_) => Error::new(
            Code::Timeout,
            format!(
                "the credentials for {} did not come in time: check the metadata service, STS or SSO, or the credential_process",
                place.at
            ),
        ),
        _ => Error::new(
            Code::NoCredentials,
            format!(
                "loading the credentials for {} failed ({}): check the profile, role or credential_process",
                place.at,
                innermost(error)
            ),
        ),
    }
}

/// Nothing in the default chain had credentials.
fn no_credentials(place: &Place) -> Error {
    Error::new(
        Code::NoCredentials,
        format!(
            "no AWS credentials for {} in the options, the environment, the profile, the container or the instance: give the process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            place.at
        ),
    )
}

/// The cause at the bottom says most and repeats nothing, such as "Connection refused (os error 111)".
fn innermost(error: &dyn StdError) -> String {
    let mut deepest = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    shortened(&deepest.to_string())
}

/// At most 200 characters on one line.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(200).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { table: "flags".into(), at: "eu-west-1".into() }
    }

    #[test]
    fn every_cause_has_its_code_and_names_table_and_remedy() {
        for (status, name, message, code, words) in [
            (400, "ResourceNotFoundException", "", Code::TableNotFound, "create it"),
            (400, "AccessDeniedException", "User: arn:x is not authorized", Code::AccessDenied, "IAM policy"),
            (400, "ExpiredTokenException", "", Code::ExpiredCredentials, "renew"),
            (400, "UnrecognizedClientException", "", Code::InvalidCredentials, "access key id"),
            (400, "InvalidSignatureException", "Signature expired: 2020", Code::ClockSkew, "set the clock"),
            (400, "InvalidSignatureException", "does not match", Code::InvalidCredentials, "secret access key"),
            (400, "ProvisionedThroughputExceededException", "", Code::Throttled, "capacity"),
            (
                400,
                "ValidationException",
                "The provided key element does not match the schema",
                Code::KeySchema,
                "sort key",
            ),
            (400, "ValidationException", "else", Code::Rejected, "ValidationException"),
            (500, "InternalServerError", "", Code::Service, "later"),
            (503, "", "", Code::Service, "503"),
            (404, "", "", Code::UnexpectedResponse, "404"),
        ] {
            let error = of_service(status, Some(name), Some(message), &place());
            assert_eq!(error.code, code, "{name}");
            assert!(error.message.contains(words) && error.message.contains("eu-west-1"), "{name}: {error}");
        }
    }

    #[test]
    fn a_signature_error_does_not_quote_the_request() {
        let error = of_service(403, Some("SignatureDoesNotMatch"), Some("x-amz-security-token:PLANTED"), &place());
        assert!(!error.message.contains("PLANTED"), "{error}");
    }
}
