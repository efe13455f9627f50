//! From the SDK's errors to a code and a sentence that names the remedy.
//!
//! AWS's own words are quoted only where they can hold neither a credential nor a payload.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::ErrorMetadata;

use super::credentials::{LoadFailure, LoadFailureKind};
use crate::model::{Code, Error};

/// Where requests go, for messages.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table's name.
    pub table: String,
    /// The endpoint's URL, or the region in words.
    pub at: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table \"{}\" at {}", self.table, self.at)
    }
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
                Some(error) => of_connection(error, &place.at),
                None => Error::new(Code::Connection, format!("the connection to {} failed", place.at)),
            })
        }
        SdkError::TimeoutError(_) => Error::new(Code::Timeout, format!("{} did not answer in time", place.at)),
        SdkError::ResponseError(_) if error.source().is_some_and(is_not_dynamodb) => not_dynamodb(place),
        // An answer that came whole and cannot be parsed is a service error to the SDK; here it broke off.
        SdkError::ResponseError(_) => Error::new(
            Code::Connection,
            format!(
                "the connection to {} broke in the middle of the answer: check the endpoint and the network",
                place.at
            ),
        ),
        other => {
            let source: Option<&(dyn StdError + 'static)> = other.source();
            of_credentials(source, place).unwrap_or_else(|| {
                let why = source.map(|error| format!(" ({})", innermost(error))).unwrap_or_default();
                Error::new(
                    Code::Rejected,
                    format!("the request to {place} could not be made{why}: check region, endpoint and credentials"),
                )
            })
        }
    }
}

/// An answer that DynamoDB would not give.
pub fn not_dynamodb(place: &Place) -> Error {
    Error::new(
        Code::UnexpectedResponse,
        format!("{place} answered with something that is no DynamoDB response: check that the endpoint is DynamoDB"),
    )
}

/// Success, from something else than DynamoDB.
#[derive(Debug)]
pub struct NotDynamoDb;

impl fmt::Display for NotDynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is not DynamoDB's")
    }
}

impl StdError for NotDynamoDb {}

fn is_not_dynamodb(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<NotDynamoDb>())
}

/// No answer, because there is no connection.
fn of_connection(error: &ConnectorError, at: &str) -> Error {
    if error.is_timeout() {
        return Error::new(
            Code::Timeout,
            format!("no connection to {at} in time: check the endpoint, the network and the security groups"),
        );
    }
    let why = innermost(error);
    let remedy = if why.contains("certificate") {
        "give the certificate authorities to trust with the option \"ca_bundle\", or check the endpoint's certificate"
    } else {
        "check the endpoint and the network"
    };
    Error::new(Code::Connection, format!("the connection to {at} failed ({why}): {remedy}"))
}

/// An error that DynamoDB itself reported.
fn of_service(status: u16, code: Option<&str>, message: Option<&str>, place: &Place) -> Error {
    let code = code.unwrap_or_default();
    let quoted = message.and_then(quotable).map(|words| format!(" ({words})")).unwrap_or_default();
    match code {
        "ResourceNotFoundException" => Error::new(
            Code::TableNotFound,
            format!(
                "there is no {place}: create it with the partition key \"namespace\" (string) and the sort key \"key\" (string), or check table name, region and account"
            ),
        ),
        "AccessDeniedException" | "AccessDenied" => Error::new(
            Code::AccessDenied,
            format!("the credentials may not do this on {place}: allow it in the IAM policy{quoted}"),
        ),
        "ExpiredTokenException" | "ExpiredToken" => {
            Error::new(Code::ExpiredCredentials, format!("the credentials for {place} have expired: renew them"))
        }
        // AWS's message quotes the signed request, session token included, so it is left out.
        "InvalidSignatureException" | "SignatureDoesNotMatch" if mentions_time(message) => clock_skew(place),
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => clock_skew(place),
        "InvalidSignatureException" | "SignatureDoesNotMatch" => Error::new(
            Code::InvalidCredentials,
            format!("the signature for {place} is wrong: check the secret access key"),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "IncompleteSignatureException" => Error::new(
            Code::InvalidCredentials,
            format!("the credentials for {place} are not known to AWS: check the access key id and the session token"),
        ),
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "ThrottledException"
        | "TooManyRequestsException" => {
            Error::new(Code::Throttled, format!("{place} is throttled: raise its capacity, or switch it to on-demand"))
        }
        "ValidationException" if is_about_keys(message) => Error::new(
            Code::KeySchema,
            format!(
                "{place} has other keys: it needs the partition key \"namespace\" (string) and the sort key \"key\" (string)"
            ),
        ),
        "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException" => service_fault(status, place),
        _ if status >= 500 => service_fault(status, place),
        _ if status == 429 => Error::new(Code::Throttled, format!("{place} is throttled (status 429)")),
        "" => Error::new(
            Code::UnexpectedResponse,
            format!("{place} answered with status {status} and no DynamoDB error: check that the endpoint is DynamoDB"),
        ),
        _ => {
            let name = if is_name(code) { code } else { "an error of its own" };
            Error::new(
                Code::Rejected,
                format!(
                    "{place} refused the request with {name}{quoted}: check the table's settings, and that the endpoint is DynamoDB"
                ),
            )
        }
    }
}

fn service_fault(status: u16, place: &Place) -> Error {
    Error::new(Code::Service, format!("{place} reported a fault of its own (status {status}): try again later"))
}

fn clock_skew(place: &Place) -> Error {
    Error::new(
        Code::ClockSkew,
        format!("the request to {place} was refused, because this machine's clock is off: set the clock"),
    )
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
fn of_credentials(source: Option<&(dyn StdError + 'static)>, place: &Place) -> Option<Error> {
    let failure = causes(source?).find_map(|cause| cause.downcast_ref::<LoadFailure>())?;
    Some(credentials_error(failure, place))
}

/// An error and what caused it, down to the bottom.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

/// What a failure to find or load credentials means.
fn credentials_error(LoadFailure { kind, why }: &LoadFailure, place: &Place) -> Error {
    let (code, remedy) = match kind {
        LoadFailureKind::NotFound => return no_credentials(place),
        LoadFailureKind::TimedOut => {
            let what = format!("the credentials for {} did not come in time ({why})", place.at);
            let remedy = "check the metadata service, STS or SSO, or the credential_process";
            return Error::new(Code::Timeout, format!("{what}: {remedy}"));
        }
        LoadFailureKind::Unreachable => (Code::Connection, "check the network to STS, SSO or the metadata service"),
        LoadFailureKind::Failing => (Code::Service, "check the credential_process, or try again later"),
        _ if why.contains("SSO token") => (Code::NoCredentials, "sign in with `aws sso login`"),
        _ if why.contains("credentials-login") => {
            (Code::NoCredentials, "use another way to sign in than `aws login`, such as `aws sso login`")
        }
        _ => (Code::NoCredentials, "check the profile, role or credential_process"),
    };
    Error::new(code, format!("loading the credentials for {} failed ({why}): {remedy}", place.at))
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
pub fn innermost(error: &(dyn StdError + 'static)) -> String {
    let deepest = causes(error).last().unwrap_or(error);
    let Some(service) = deepest.downcast_ref::<ErrorMetadata>() else {
        let text = deepest.to_string();
        // The metadata service's failures end with the whole answer, whatever that holds.
        return shortened(text.split(" Response {").next().unwrap_or_default());
    };
    // What STS and its like say. AWS's message on a wrong signature quotes the signed request, so it is left out.
    match (service.code().unwrap_or("an error without a name"), service.message()) {
        (code, Some(message)) if !code.contains("Signature") => shortened(&format!("{code}: {message}")),
        (code, _) => shortened(code),
    }
}

/// What the other side says, unless it looks as if it quoted a request: its JSON, its headers, or a page of HTML.
fn quotable(message: &str) -> Option<String> {
    let quotes = |letter: char| letter.is_control() || "{}<>\"=".contains(letter);
    (!message.is_empty() && !message.contains(quotes)).then(|| shortened(message))
}

/// Whether this is the name of an error, as AWS makes them.
fn is_name(code: &str) -> bool {
    code.len() <= 64 && code.chars().all(|letter| letter.is_ascii_alphanumeric())
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
