//! Who asks, and where: credentials with the endpoint and the signature that follow from them.
//!
//! Made when credentials are loaded; [`super::credentials`] says when that is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::FutureExt;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Uri};
use hyper::body::Bytes;
use sha2::{Digest, Sha256};

use super::credentials::{Errand, LoadFailure, LoadFailureKind, Loaded, Loader};
use super::http::Request;
use super::percent::{PATH, encoded};
use super::seen::{self, Shown};
use crate::runtime::lock;

/// DynamoDB's name in signatures, where the endpoint does not say another.
const SERVICE: &str = "dynamodb";

/// The header with the operation.
pub const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// The header with the time of the signature.
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// The header with the session's token.
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What decides where requests go, besides the account of the credentials.
#[derive(Debug)]
pub struct Destination {
    /// The region.
    pub region: String,
    /// The endpoint's URL, unless it is AWS's own.
    pub endpoint: Option<String>,
    /// Only endpoints with FIPS 140.
    pub fips: Option<bool>,
    /// Endpoints with IPv6.
    pub dual_stack: Option<bool>,
    /// Whether the endpoint may, or must, name the account: `preferred`, `disabled` or `required`.
    pub account_id_mode: String,
    /// The table's name.
    pub table: String,
}

/// The identity in use, and how to get the next one.
pub struct Identities(Origin);

enum Origin {
    /// It was given, and there is no other.
    Given(Arc<Identity>),
    /// It is loaded, again and again.
    Loaded(Loader<Identity, LoadFailure>),
}

/// Credentials and what follows from them.
pub struct Identity {
    credentials: Credentials,
    uri: Uri,
    host: HeaderValue,
    token: Option<HeaderValue>,
    /// The URL's path as it is signed.
    path: String,
    region: String,
    service: String,
    /// The key that signs the requests of one day, which depends on nothing else that changes.
    key: Mutex<Option<(String, Arc<[u8]>)>>,
}

impl Identities {
    /// The one of credentials that were given.
    pub fn fixed(destination: &Destination, credentials: Credentials) -> Result<Self, LoadFailure> {
        Ok(Identities(Origin::Given(Arc::new(destination.identity(credentials)?))))
    }

    /// Those of credentials that `load` gets, which may block. Loads nothing yet. A call that needs one waits at most so
    /// long.
    pub fn loaded(
        destination: Destination,
        patience: Duration,
        load: impl Fn(&Errand) -> Result<Loaded, LoadFailure> + Send + Sync + 'static,
    ) -> Self {
        Identities(Origin::Loaded(Loader::new(patience, move |errand| {
            let (credentials, life) = load(errand)?;
            Ok((destination.identity(credentials)?, life))
        })))
    }

    /// The identity to use now. Waits only when none is held that is valid.
    pub async fn current(&self, now: SystemTime) -> Result<Arc<Identity>, LoadFailure> {
        match &self.0 {
            Origin::Given(identity) => Ok(Arc::clone(identity)),
            Origin::Loaded(loader) => Ok(loader.current(now).await?),
        }
    }

    /// The service did not take this one: it has expired, or is not known, or its signature is wrong. The next that is
    /// asked for is loaded anew, though not by every request: a wrong key stays wrong.
    pub fn invalidate(&self, used: &Arc<Identity>) {
        if let Origin::Loaded(loader) = &self.0 {
            loader.refused(used);
        }
    }
}

impl Destination {
    fn identity(&self, credentials: Credentials) -> Result<Identity, LoadFailure> {
        let impossible = |error: BoxError| LoadFailure::new(LoadFailureKind::Misconfigured, error.to_string());
        if let Some(url) = &self.endpoint {
            return Identity::new(credentials, url, self.region.clone(), SERVICE.to_owned()).map_err(impossible);
        }
        self.of_aws(credentials).map_err(impossible)
    }

    /// At AWS's own endpoint, by the SDK's rules.
    fn of_aws(&self, credentials: Credentials) -> Result<Identity, BoxError> {
        let params = Params::builder()
            .region(&self.region)
            .set_use_fips(self.fips)
            .set_use_dual_stack(self.dual_stack)
            .set_account_id(credentials.account_id().map(|account| account.as_str().to_owned()))
            .account_id_endpoint_mode(&self.account_id_mode)
            .resource_arn(&self.table)
            .build()?;
        // It has nothing to wait for.
        let resolved = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).now_or_never();
        let endpoint = resolved.ok_or("the endpoint's rules did not end")??;
        let named = |name: &str| {
            let schemes = endpoint.auth_schemes().iter();
            schemes.filter_map(|scheme| scheme.get(name)?.as_string()).next().map(ToOwned::to_owned)
        };
        let region = named("signingRegion").unwrap_or_else(|| self.region.clone());
        let service = named("signingName").unwrap_or_else(|| SERVICE.to_owned());
        Identity::new(credentials, endpoint.url(), region, service)
    }
}

/// Where AWS has a service whose hosts are named as DynamoDB's are, by the SDK's rules for those.
pub fn service_url(host: &str, region: &str, fips: bool, dual_stack: bool) -> Result<String, BoxError> {
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build()?;
    let resolved = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &params).now_or_never();
    Ok(resolved.ok_or("the endpoint's rules did not end")??.url().replacen("//dynamodb", &format!("//{host}"), 1))
}

impl Identity {
    /// Credentials, and where they are used.
    pub fn new(credentials: Credentials, url: &str, region: String, service: String) -> Result<Self, BoxError> {
        let (scheme, rest) = url.split_once("://").ok_or("the endpoint's URL has no scheme")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let path = format!("{}/", path.trim_end_matches('/'));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let usual = if scheme == "https" { ":443" } else { ":80" };
        let token = credentials.session_token().map(HeaderValue::from_str).transpose()?;
        Ok(Identity {
            credentials,
            uri: format!("{scheme}://{authority}{path}").parse()?,
            host: HeaderValue::from_str(host.strip_suffix(usual).unwrap_or(host))?,
            token,
            // Encoded once more, as every service but S3 wants it signed.
            path: encoded(&path, PATH),
            region,
            service,
            key: Mutex::default(),
        })
    }

    /// What no message may hold.
    pub fn secrets(&self) -> [&str; 3] {
        let credentials = &self.credentials;
        let token = credentials.session_token().unwrap_or_default();
        [credentials.access_key_id(), credentials.secret_access_key(), token]
    }

    /// Who it is, without what no message may hold.
    pub fn shown(&self) -> Shown {
        seen::shown(&self.credentials)
    }

    /// Where its requests go.
    pub fn host(&self) -> &str {
        self.host.to_str().unwrap_or_default()
    }

    /// Whether these are the credentials of another identity.
    pub fn has_the_credentials_of(&self, other: &Identity) -> bool {
        self.credentials == other.credentials
    }

    /// Addresses a request and signs it: AWS Signature Version 4, as its documentation "Create a signed AWS API request"
    /// has it, for a POST without query.
    pub fn sign(&self, request: &mut Request, now: SystemTime) -> Result<(), BoxError> {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let time = DateTime::from_secs(i64::try_from(seconds)?).fmt(Format::DateTime)?;
        let time: String = time.chars().filter(|letter| !"-:".contains(*letter)).collect();
        let day = &time[..8];

        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(DATE, HeaderValue::from_str(&time)?);
        if let Some(token) = &self.token {
            headers.insert(TOKEN, token.clone());
        }

        let mut names = String::with_capacity(80);
        let mut canonical = String::with_capacity(512);
        for part in ["POST\n", &self.path, "\n\n"] {
            canonical.push_str(part);
        }
        for name in [CONTENT_TYPE, HOST, DATE, TOKEN, TARGET] {
            if let Some(value) = request.headers().get(&name) {
                for part in [name.as_str(), ":", value.to_str()?.trim(), "\n"] {
                    canonical.push_str(part);
                }
                names.push_str(if names.is_empty() { "" } else { ";" });
                names.push_str(name.as_str());
            }
        }
        let body = request.body().bytes().ok_or("the request's body is not in memory")?;
        for part in ["\n", &names, "\n", &hash(body)] {
            canonical.push_str(part);
        }

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
        let signature = calculate_signature(self.key_of(day, now), to_sign.as_bytes());
        let id = self.credentials.access_key_id();
        let signed = format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_maybe_shared(Bytes::from(signed))?);
        Ok(())
    }

    fn key_of(&self, day: &str, now: SystemTime) -> Arc<[u8]> {
        let mut kept = lock(&self.key);
        if let Some((of, key)) = &*kept
            && of == day
        {
            return Arc::clone(key);
        }
        let secret = self.credentials.secret_access_key();
        let key: Arc<[u8]> = generate_signing_key(secret, now, &self.region, &self.service).as_ref().into();
        *kept = Some((day.to_owned(), Arc::clone(&key)));
        key
    }
}

/// SHA-256 in hexadecimal.
fn hash(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    let mut hexadecimal = String::with_capacity(64);
    for byte in Sha256::digest(bytes).as_slice() {
        hexadecimal.push(digit(byte >> 4));
        hexadecimal.push(digit(byte & 15));
    }
    hexadecimal
}

#[cfg(test)]
mod tests {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(body: &'static str) -> Request {
        let mut request = Request::new(SdkBody::from(body));
        *request.method_mut() = http::Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
        request.headers_mut().insert(TARGET, HeaderValue::from_static("DynamoDB_20120810.GetItem"));
        request
    }

    /// What the SDK's own signer puts into the header.
    fn signed_by_the_sdk(request: &Request, credentials: Credentials, now: SystemTime) -> String {
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region("eu-west-1")
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .expect("all is given");
        let headers =
            ["content-type", "x-amz-target"].map(|name| (name, request.headers()[name].to_str().expect("text")));
        let body = SignableBody::Bytes(request.body().bytes().expect("in memory"));
        let signable = SignableRequest::new("POST", request.uri().to_string(), headers.into_iter(), body)
            .expect("it can be signed");
        let (instructions, _) = sign(signable, &params.into()).expect("it can be signed").into_parts();
        let mut headers = instructions.headers();
        headers.find_map(|(name, value)| (name == "authorization").then(|| value.to_owned())).expect("it is signed")
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn signatures_are_those_of_the_sdk() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_599);
        for token in [None, Some("a+token/with=signs".to_owned())] {
            let credentials = Credentials::new("AKIDEXAMPLE", "secret/with+signs", token, None, "test");
            for url in [
                "https://dynamodb.eu-west-1.amazonaws.com",
                "https://dynamodb.eu-west-1.amazonaws.com:443/",
                "http://127.0.0.1:8000",
                "http://localhost:80/prefix",
                "http://[::1]:8000/a%20b/c",
            ] {
                let region = "eu-west-1".to_owned();
                let identity =
                    Identity::new(credentials.clone(), url, region, SERVICE.to_owned()).expect("a usable URL");
                // The first two share a day, and so a key; the third is of the next.
                for seconds in [0, 0, 1] {
                    let now = start + Duration::from_secs(seconds);
                    let mut request = request("{\"TableName\":\"flags\"}");
                    identity.sign(&mut request, now).expect("it can be signed");
                    let ours = request.headers()["authorization"].to_str().expect("text");
                    assert_eq!(ours, signed_by_the_sdk(&request, credentials.clone(), now), "{url}");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn other_services_are_where_the_sdk_would_ask_them() {
        for (host, region, fips, dual_stack, url) in [
            ("sts", "eu-west-1", false, false, "https://sts.eu-west-1.amazonaws.com"),
            ("sts", "us-west-2", true, false, "https://sts-fips.us-west-2.amazonaws.com"),
            ("sts", "us-gov-west-1", true, false, "https://sts.us-gov-west-1.amazonaws.com"),
            ("sts", "cn-north-1", false, false, "https://sts.cn-north-1.amazonaws.com.cn"),
            ("sts", "eu-west-1", false, true, "https://sts.eu-west-1.api.aws"),
            ("oidc", "eu-central-1", false, false, "https://oidc.eu-central-1.amazonaws.com"),
            ("portal.sso", "eu-central-1", false, false, "https://portal.sso.eu-central-1.amazonaws.com"),
        ] {
            assert_eq!(service_url(host, region, fips, dual_stack).expect("a URL"), url);
        }
    }

    fn destination() -> Destination {
        Destination {
            region: "eu-west-1".into(),
            endpoint: None,
            fips: None,
            dual_stack: None,
            account_id_mode: "preferred".into(),
            table: "flags".into(),
        }
    }

    fn identity(account: Option<&str>, destination: &Destination) -> Result<Identity, LoadFailure> {
        let mut credentials =
            Credentials::builder().access_key_id("AKID").secret_access_key("secret").provider_name("test");
        credentials.set_account_id(account.map(Into::into));
        destination.identity(credentials.build())
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn requests_go_where_the_sdk_would_send_them() {
        let local = Some("http://127.0.0.1:8000".to_owned());
        for (account, destination, url) in [
            (None, destination(), "https://dynamodb.eu-west-1.amazonaws.com/"),
            (Some("123456789012"), destination(), "https://123456789012.ddb.eu-west-1.amazonaws.com/"),
            (
                Some("123456789012"),
                Destination { account_id_mode: "disabled".into(), ..destination() },
                "https://dynamodb.eu-west-1.amazonaws.com/",
            ),
            (
                None,
                Destination { region: "cn-north-1".into(), ..destination() },
                "https://dynamodb.cn-north-1.amazonaws.com.cn/",
            ),
            (
                None,
                Destination { region: "us-west-2".into(), fips: Some(true), ..destination() },
                "https://dynamodb-fips.us-west-2.amazonaws.com/",
            ),
            (None, Destination { dual_stack: Some(true), ..destination() }, "https://dynamodb.eu-west-1.api.aws/"),
            (Some("123456789012"), Destination { endpoint: local, ..destination() }, "http://127.0.0.1:8000/"),
        ] {
            assert_eq!(identity(account, &destination).expect("an identity").uri, url);
        }
        let required = Destination { account_id_mode: "required".into(), ..destination() };
        assert!(identity(None, &required).is_err());
    }
}
