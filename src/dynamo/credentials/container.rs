//! The endpoint of a container: ECS, EKS Pod Identity, Greengrass, and what else speaks as they do. Never through a proxy.

use std::net::IpAddr;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::{Response, Uri};
use hyper::body::Bytes;
use serde_json::Value;

use super::ask::{Said, Service, request};
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::http::is_loopback;
use crate::model::environment::Environment;

/// Where ECS answers, for a URL that is only a path.
const ECS: &str = "http://169.254.170.2";
/// Who may be spoken to without TLS, beside loopback: ECS, and EKS by either protocol.
const WITHOUT_TLS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// Where credentials are asked for, if the environment says that they are.
pub fn url(environment: &Environment) -> Result<Option<String>, LoadFailure> {
    if let Some(path) = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(Some(format!("{ECS}/{}", path.trim_start_matches('/'))));
    }
    let Some(url) = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return Ok(None) };
    let refuse = |why: &str| {
        let why = format!("AWS_CONTAINER_CREDENTIALS_FULL_URI {why}");
        Err(LoadFailure::new(LoadFailureKind::Misconfigured, why))
    };
    let Ok(uri) = url.parse::<Uri>() else { return refuse("is not a URL") };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let near = is_loopback(host)
        || host.parse::<IpAddr>().is_ok_and(|address| WITHOUT_TLS.iter().any(|near| near.parse() == Ok(address)));
    match uri.scheme_str() {
        Some("https") => Ok(Some(url.to_owned())),
        Some("http") if near => Ok(Some(url.to_owned())),
        Some("http") => refuse("names a host that must not be asked without TLS: only loopback, ECS and EKS may"),
        _ => refuse("is not a URL of http or https"),
    }
}

/// What the request is allowed by. Reads a file, which may hang where its file system does.
pub fn authorization(environment: &Environment) -> Result<Option<String>, LoadFailure> {
    const FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let token = match environment.get(FILE) {
        Some(path) => Some(super::files::token(path)?),
        None => environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(ToOwned::to_owned),
    };
    Ok(token.map(|token| token.trim_end().to_owned()))
}

/// Asks for them.
pub async fn credentials(service: &Service<'_>, url: &str, allowed: Option<&str>) -> Result<Credentials, LoadFailure> {
    let mut headers = vec![("accept", "application/json")];
    headers.extend(allowed.map(|allowed| ("authorization", allowed)));
    let response = service.answer(|| request("GET", url, &headers, "")).await?;
    handed_out(service, response.body(), "container")
}

/// Credentials as a container's and an instance's endpoint give them.
pub fn handed_out(service: &Service<'_>, body: &[u8], source: &'static str) -> Result<Credentials, LoadFailure> {
    let given: Value = serde_json::from_slice(body).map_err(|_| service.nonsense())?;
    let text =
        |name: &str| given.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    if let Some(code) = text("Code").filter(|code| code != "Success") {
        return Err(service.no(&Said { code: Some(code), message: text("Message") }));
    }
    let read = || {
        let mut credentials = Credentials::builder()
            .access_key_id(text("AccessKeyId")?)
            .secret_access_key(text("SecretAccessKey")?)
            .session_token(text("Token")?)
            .provider_name(source);
        let end = DateTime::from_str(&text("Expiration")?, Format::DateTimeWithOffset).ok()?;
        credentials.set_expiry(Some(SystemTime::try_from(end).ok()?));
        credentials.set_account_id(text("AccountId").map(Into::into));
        Some(credentials.build())
    };
    read().ok_or_else(|| service.nonsense())
}

/// What it says of a refusal: only its names of errors, since an agent may echo what it was sent.
pub fn said(response: &Response<Bytes>) -> Said {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| body.get(name)?.as_str()).map(ToOwned::to_owned);
    let code = text(["code", "Code"]).map(|code| format!("status {}, {code}", response.status().as_u16()));
    Said { code, message: text(["message", "Message"]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_what_is_near_is_asked() {
        const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        for (name, value, expected) in [
            (RELATIVE, "/v2/credentials/x", Some("http://169.254.170.2/v2/credentials/x")),
            (FULL, "http://169.254.170.23/v1/credentials", Some("http://169.254.170.23/v1/credentials")),
            (FULL, "http://[fd00:ec2::23]/v1/credentials", Some("http://[fd00:ec2::23]/v1/credentials")),
            (FULL, "http://localhost:1/x", Some("http://localhost:1/x")),
            (FULL, "http://[::1]:1/x", Some("http://[::1]:1/x")),
            (FULL, "https://agent.test/x", Some("https://agent.test/x")),
            (FULL, "http://192.0.2.1/x", None),
            (FULL, "http://agent.test/x", None),
            (FULL, "http://127.0.0.1.agent.test/x", None),
            (FULL, "ftp://127.0.0.1/x", None),
            (FULL, "not a url", None),
        ] {
            let environment = [(name.to_owned(), value.to_owned())].into_iter().collect();
            assert_eq!(url(&environment).ok().flatten().as_deref(), expected, "{value}");
        }
        assert_eq!(url(&Environment::default()), Ok(None));
    }
}
