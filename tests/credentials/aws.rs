//! The services of AWS that hand out credentials, and DynamoDB, played by one stub.

use serde_json::{Value, json};

use super::stub::{Request, Response, Stub};

/// The end of credentials that last.
pub const LATER: &str = "2099-01-01T00:00:00Z";

/// The services, each answering as it does when all is well. What a service hands out bears its name.
pub fn start() -> Stub {
    Stub::start(answer)
}

/// The services, except where `other` has an answer of its own.
pub fn start_with(other: impl Fn(&Request) -> Option<Response> + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| other(request).unwrap_or_else(|| answer(request)))
}

/// The requests that DynamoDB got.
pub fn of_dynamo(stub: &Stub) -> Vec<Request> {
    stub.requests().into_iter().filter(is_dynamo).collect()
}

/// Whether a request is one to DynamoDB.
pub fn is_dynamo(request: &Request) -> bool {
    request.header("x-amz-target").is_some_and(|target| target.starts_with("DynamoDB"))
}

/// A JSON answer.
pub fn json(status: u16, body: &Value) -> Response {
    Response::new(status, "application/json", body.to_string())
}

/// DynamoDB's answer, which bears a request id.
pub fn dynamo(status: u16, body: &Value) -> Response {
    let mut response = Response::new(status, "application/x-amz-json-1.0", body.to_string());
    response.headers.push(("x-amzn-requestid", "1".into()));
    response
}

/// DynamoDB's answer to a request that it refuses.
pub fn refusal(status: u16, name: &str, message: &str) -> Response {
    dynamo(status, &json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": message}))
}

/// STS's answer to a request that it refuses.
pub fn sts_refusal(name: &str, message: &str) -> Response {
    Response::new(
        403,
        "text/xml",
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{name}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        ),
    )
}

/// STS's answer with the credentials of a role.
pub fn sts_credentials(action: &str, name: &str, expiration: &str) -> Response {
    Response::new(
        200,
        "text/xml",
        format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
             <AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId>\
             <Arn>arn:aws:sts::123456789012:assumed-role/flags/x</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>ASIA{name}</AccessKeyId><SecretAccessKey>PLANTED-{name}</SecretAccessKey>\
             <SessionToken>PLANTED-token-{name}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
             </{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

/// What the services answer when all is well.
pub fn answer(request: &Request) -> Response {
    if is_dynamo(request) {
        return dynamo(200, &json!({}));
    }
    let path = request.target.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/") if request.body.contains("Action=AssumeRoleWithWebIdentity&") => {
            sts_credentials("AssumeRoleWithWebIdentity", "WEBIDENTITY", LATER)
        }
        ("POST", "/") if request.body.contains("Action=AssumeRole&") => sts_credentials("AssumeRole", "ROLE", LATER),
        ("GET", "/container/credentials") => handed_out("CONTAINER"),
        ("PUT", "/latest/api/token") => {
            let mut response = Response::new(200, "text/plain", "imds-session");
            response.headers.push(("x-aws-ec2-metadata-token-ttl-seconds", "21600".into()));
            response
        }
        // Version 1 of the metadata service, without a session, is not served.
        ("GET", _) if path.starts_with("/latest/") && request.header("x-aws-ec2-metadata-token").is_none() => {
            Response::new(401, "text/plain", "")
        }
        ("GET", "/latest/meta-data/placement/region") => Response::new(200, "text/plain", "ap-southeast-2"),
        ("GET", "/latest/meta-data/iam/security-credentials/") => Response::new(200, "text/plain", "flags"),
        ("GET", "/latest/meta-data/iam/security-credentials/flags") => handed_out("INSTANCE"),
        ("GET", "/federation/credentials") => json(
            200,
            &json!({"roleCredentials": {
                "accessKeyId": "ASIASSO", "secretAccessKey": "PLANTED-SSO", "sessionToken": "PLANTED-token-SSO",
                "expiration": 4_070_908_800_000_i64,
            }}),
        ),
        ("POST", "/v1/token") if request.header("dpop").is_some() => json(
            200,
            &json!({
                "accessToken": {
                    "accessKeyId": "ASIARENEWED", "secretAccessKey": "PLANTED-renewed", "sessionToken": "PLANTED-renewed",
                },
                "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": "PLANTED-next",
            }),
        ),
        ("POST", "/token") => json(
            200,
            &json!({"accessToken": "PLANTED-renewed", "expiresIn": 28_800, "refreshToken": "PLANTED-refresh", "tokenType": "Bearer"}),
        ),
        _ => Response::new(404, "text/plain", ""),
    }
}

/// Credentials as the container's and the instance's endpoint give them.
fn handed_out(name: &str) -> Response {
    json(
        200,
        &json!({
            "Code": "Success", "LastUpdated": "2024-01-01T00:00:00Z", "Type": "AWS-HMAC", "Expiration": LATER,
            "AccessKeyId": format!("ASIA{name}"), "SecretAccessKey": format!("PLANTED-{name}"),
            "Token": format!("PLANTED-token-{name}"),
        }),
    )
}
