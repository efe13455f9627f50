//! Who asks, and where: credentials with the endpoint and the signature that follow from them.
//!
//! Made when credentials are loaded, and kept until shortly before they end.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sha2::{Digest, Sha256};

use super::credentials::{LoadFailure, LoadFailureKind};
use crate::runtime::lock;

/// How long before their end credentials are loaded anew; up to twice as long, so that a fleet does not ask at once.
const BEFORE_THE_END: Duration = Duration::from_secs(5);
/// How long credentials without an end are taken for granted.
const WITHOUT_END: Duration = Duration::from_secs(15 * 60);
/// DynamoDB's name in signatures, where the endpoint does not say another.
const SERVICE: &str = "dynamodb";

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
pub struct Identities {
    destination: Destination,
    credentials: SharedCredentialsProvider,
    resolver: DefaultResolver,
    current: RwLock<Option<Arc<Identity>>>,
    loading: tokio::sync::Mutex<()>,
}

/// Credentials and what follows from them.
pub struct Identity {
    credentials: Credentials,
    /// When the next one is to be loaded.
    until: SystemTime,
    url: String,
    host: String,
    /// The URL's path as it is signed.
    path: String,
    region: String,
    service: String,
    /// The key that signs the requests of one day, which depends on nothing else that changes.
    key: Mutex<Option<(String, Arc<[u8]>)>>,
}

impl Identities {
    /// Loads nothing yet.
    pub fn new(destination: Destination, credentials: SharedCredentialsProvider) -> Self {
        Identities {
            destination,
            credentials,
            resolver: DefaultResolver::new(),
            current: RwLock::default(),
            loading: tokio::sync::Mutex::default(),
        }
    }

    /// The identity to use now. Of those who need a new one at once, one loads it.
    pub async fn current(&self, now: SystemTime) -> Result<Arc<Identity>, LoadFailure> {
        match self.usable(now) {
            Some(identity) => Ok(identity),
            // Apart, since every request would carry the room that this needs once in a while.
            None => Box::pin(self.load(now)).await,
        }
    }

    /// The service does not take it: the next is loaded anew.
    pub fn invalidate(&self, used: &Arc<Identity>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, used)) {
            *current = None;
        }
    }

    async fn load(&self, now: SystemTime) -> Result<Arc<Identity>, LoadFailure> {
        let _loading = self.loading.lock().await;
        if let Some(identity) = self.usable(now) {
            return Ok(identity);
        }
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials
            .map_err(|error| LoadFailure::new(LoadFailureKind::Failing, super::failure::innermost(&error)))?;
        let identity = self.identity(credentials, now).await;
        let identity =
            Arc::new(identity.map_err(|error| LoadFailure::new(LoadFailureKind::Misconfigured, error.to_string()))?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&identity));
        Ok(identity)
    }

    fn usable(&self, now: SystemTime) -> Option<Arc<Identity>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|identity| now < identity.until).cloned()
    }

    async fn identity(&self, credentials: Credentials, now: SystemTime) -> Result<Identity, BoxError> {
        let to = &self.destination;
        let params = Params::builder()
            .region(&to.region)
            .set_endpoint(to.endpoint.clone())
            .set_use_fips(to.fips)
            .set_use_dual_stack(to.dual_stack)
            .set_account_id(credentials.account_id().map(|account| account.as_str().to_owned()))
            .account_id_endpoint_mode(&to.account_id_mode)
            .resource_arn(&to.table)
            .build()?;
        let endpoint = ResolveEndpoint::resolve_endpoint(&self.resolver, &params).await?;
        let named = |name: &str| {
            let schemes = endpoint.auth_schemes().iter();
            schemes.filter_map(|scheme| scheme.get(name)?.as_string()).next().map(ToOwned::to_owned)
        };
        let until = match credentials.expiry() {
            Some(end) => end - BEFORE_THE_END - BEFORE_THE_END.mul_f64(fastrand::f64()),
            None => now + WITHOUT_END,
        };
        Identity::new(
            credentials,
            until,
            endpoint.url(),
            named("signingRegion").unwrap_or_else(|| to.region.clone()),
            named("signingName").unwrap_or_else(|| SERVICE.to_owned()),
        )
    }
}

impl Identity {
    fn new(
        credentials: Credentials,
        until: SystemTime,
        url: &str,
        region: String,
        service: String,
    ) -> Result<Self, BoxError> {
        let (scheme, rest) = url.split_once("://").ok_or("the endpoint's URL has no scheme")?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let path = format!("{}/", path.trim_end_matches('/'));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let usual = if scheme == "https" { ":443" } else { ":80" };
        Ok(Identity {
            credentials,
            until,
            url: format!("{scheme}://{authority}{path}"),
            host: host.strip_suffix(usual).unwrap_or(host).to_owned(),
            path: encoded(&path),
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

    /// Whether these are the credentials of another identity.
    pub fn has_the_credentials_of(&self, other: &Identity) -> bool {
        self.credentials == other.credentials
    }

    /// Addresses a request and signs it: AWS Signature Version 4, as its documentation "Create a signed AWS API request"
    /// has it, for a POST without query.
    pub fn sign(&self, request: &mut HttpRequest, now: SystemTime) -> Result<(), BoxError> {
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let time = DateTime::from_secs(i64::try_from(seconds)?).fmt(Format::DateTime)?;
        let time: String = time.chars().filter(|letter| !"-:".contains(*letter)).collect();
        let day = &time[..8];

        request.set_uri(self.url.as_str())?;
        let headers = request.headers_mut();
        headers.try_insert("host", self.host.clone())?;
        headers.try_insert("x-amz-date", time.clone())?;
        if let Some(token) = self.credentials.session_token() {
            headers.try_insert("x-amz-security-token", token.to_owned())?;
        }

        let mut names = String::new();
        let mut canonical = format!("POST\n{}\n\n", self.path);
        for name in ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"] {
            if let Some(value) = request.headers().get(name) {
                for part in [name, ":", value.trim(), "\n"] {
                    canonical.push_str(part);
                }
                names.push_str(if names.is_empty() { "" } else { ";" });
                names.push_str(name);
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
        request.headers_mut().try_insert(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"),
        )?;
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
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A URL's path, encoded once more, as every service but S3 wants it signed.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").expect("a method");
        request.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        request.headers_mut().insert("x-amz-target", "DynamoDB_20120810.GetItem");
        request
    }

    /// What the SDK's own signer puts into the header.
    fn signed_by_the_sdk(request: &HttpRequest, credentials: Credentials, now: SystemTime) -> String {
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
            ["content-type", "x-amz-target"].map(|name| (name, request.headers().get(name).expect("it is set")));
        let body = SignableBody::Bytes(request.body().bytes().expect("in memory"));
        let signable =
            SignableRequest::new("POST", request.uri(), headers.into_iter(), body).expect("it can be signed");
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
                    Identity::new(credentials.clone(), start, url, region, SERVICE.to_owned()).expect("a usable URL");
                // The first two share a day, and so a key; the third is of the next.
                for seconds in [0, 0, 1] {
                    let now = start + Duration::from_secs(seconds);
                    let mut request = request("{\"TableName\":\"flags\"}");
                    identity.sign(&mut request, now).expect("it can be signed");
                    let ours = request.headers().get("authorization").expect("it is signed");
                    assert_eq!(ours, signed_by_the_sdk(&request, credentials.clone(), now), "{url}");
                }
            }
        }
    }

    fn identities(end: Option<SystemTime>, account: Option<&str>, destination: Destination) -> Identities {
        let mut credentials =
            Credentials::builder().access_key_id("AKID").secret_access_key("secret").provider_name("test");
        credentials.set_expiry(end);
        credentials.set_account_id(account.map(Into::into));
        Identities::new(destination, SharedCredentialsProvider::new(credentials.build()))
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

    fn current(identities: &Identities, now: SystemTime) -> Arc<Identity> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(identities.current(now)).expect("credentials are there")
    }

    #[test]
    fn an_identity_is_kept_until_shortly_before_its_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let hour = Duration::from_secs(3600);
        let ending = identities(Some(now + hour), None, destination());
        let first = current(&ending, now);
        assert!(Arc::ptr_eq(&first, &current(&ending, now + hour - 3 * BEFORE_THE_END)));
        assert!(!Arc::ptr_eq(&first, &current(&ending, now + hour - BEFORE_THE_END)));
        let endless = identities(None, None, destination());
        let first = current(&endless, now);
        assert!(Arc::ptr_eq(&first, &current(&endless, now + WITHOUT_END - BEFORE_THE_END)));
        assert!(!Arc::ptr_eq(&first, &current(&endless, now + WITHOUT_END)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn requests_go_where_the_sdk_would_send_them() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
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
            assert_eq!(current(&identities(None, account, destination), now).url, url);
        }
        let required = Destination { account_id_mode: "required".into(), ..destination() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert!(runtime.block_on(identities(None, None, required).current(now)).is_err());
    }
}
