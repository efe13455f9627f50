//! The AWS client of one store: made from the options at the first request, kept for the store's life.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_types::service_config::ServiceConfigKey;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::OnceCell;

use super::counters::Counters;
use super::credentials;
use super::exchange::Connection;
use super::failure::{Place, innermost};
use super::identity::{Destination, Identities};
use super::resolver::Resolver;
use crate::model::options::Options;
use crate::model::{Code, Error, Result};
use crate::runtime;

/// The region that signs requests to an endpoint given by URL when no region is known. Such endpoints ignore it.
const SIGNING_REGION: &str = "us-east-1";
/// Idle connections are closed before load balancers and NAT gateways forget them.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);
/// The smaller of the SDK's TLS implementations.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// A table in DynamoDB, or in something that speaks its protocol.
pub struct DynamoTable {
    options: Options,
    pub(super) counters: Arc<Counters>,
    /// The runtime that its connections are of, see [`runtime::generation`].
    generation: u64,
    connection: OnceCell<Connection>,
}

impl DynamoTable {
    /// Remembers the options; nothing is resolved or connected before the first request.
    pub fn new(options: Options, counters: Arc<Counters>) -> Self {
        DynamoTable { options, counters, generation: runtime::generation(), connection: OnceCell::new() }
    }

    /// A table whose requests go through another connector.
    #[cfg(any(test, fuzzing))]
    pub async fn through(options: Options, connector: SharedHttpConnector) -> Result<Self> {
        let connection = OnceCell::new_with(Some(connect_through(&options, connector).await?));
        Ok(DynamoTable { options, counters: Arc::default(), generation: runtime::generation(), connection })
    }

    /// The table's name.
    pub(super) fn name(&self) -> &str {
        &self.options.table
    }

    /// How long one request may take.
    pub(super) fn attempt_timeout(&self) -> Duration {
        self.options.attempt_timeout
    }

    /// The client, made at the first use. A failure (no region yet, say) is not kept.
    pub(super) async fn connection(&self) -> Result<&Connection> {
        runtime::check(self.generation)?;
        match self.connection.get() {
            Some(connection) => Ok(connection),
            // Apart, since every request would carry the room that this needs once.
            None => Box::pin(self.connection.get_or_try_init(|| connect(&self.options))).await,
        }
    }
}

async fn connect(options: &Options) -> Result<Connection> {
    connect_through(options, connector(options)?).await
}

async fn connect_through(options: &Options, connector: SharedHttpConnector) -> Result<Connection> {
    let http = http_client(options)?;
    let region = region(options, &http).await?;
    let mut shared = ConfigLoader::default()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(region.clone())
        .no_credentials()
        .sleep_impl(TokioSleep::new())
        .timeout_config(TimeoutConfig::builder().connect_timeout(options.connect_timeout).build());
    if let Some(profile) = &options.profile {
        shared = shared.profile_name(profile);
    }
    if options.use_fips {
        shared = shared.use_fips(true);
    }
    if options.use_dual_stack {
        shared = shared.use_dual_stack(true);
    }
    let shared = shared.load().await;
    let credentials = match &options.credentials {
        Some(given) => credentials::fixed(given)?,
        None => credentials::chain(options, &shared),
    };
    let endpoint = endpoint(options, &shared)?;
    if endpoint.is_some() && (shared.use_fips() == Some(true) || shared.use_dual_stack() == Some(true)) {
        return Err(Error::new(
            Code::OptionValue,
            "an endpoint given by its URL is neither FIPS nor dual-stack: leave out the URL, or \"use_fips\" and \"use_dual_stack\"",
        ));
    }
    let place =
        Place { table: options.table.clone(), at: endpoint.clone().unwrap_or_else(|| format!("DynamoDB in {region}")) };
    let destination = Destination {
        region: region.to_string(),
        endpoint,
        fips: shared.use_fips(),
        dual_stack: shared.use_dual_stack(),
        account_id_mode: shared.account_id_endpoint_mode().cloned().unwrap_or_default().to_string(),
        table: options.table.clone(),
    };
    Ok(Connection::new(place, connector, Identities::new(destination, credentials)))
}

async fn region(options: &Options, http: &SharedHttpClient) -> Result<Region> {
    if let Some(region) = &options.region {
        return valid_region(Region::new(region.clone()));
    }
    // With everything else given there is nothing to look up, and looking would ask the metadata service.
    if options.endpoint.is_some() && options.credentials.is_some() {
        return Ok(Region::new(SIGNING_REGION));
    }
    let config = ProviderConfig::without_region().with_http_client(http.clone()).with_sleep_impl(TokioSleep::new());
    let mut profile = ProfileFileRegionProvider::builder().configure(&config);
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    // A variable that is set to nothing is one that is not set, as for AWS's other SDKs.
    let variable = |name| std::env::var(name).ok().filter(|region| !region.is_empty()).map(Region::new);
    let chain = RegionProviderChain::first_try(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")))
        .or_else(profile.build())
        .or_else(ImdsRegionProvider::builder().configure(&config).build());
    match (chain.region().await, &options.endpoint) {
        (Some(region), _) => valid_region(region),
        (None, Some(_)) => Ok(Region::new(SIGNING_REGION)),
        (None, None) => Err(no_region(options).await),
    }
}

/// A region becomes a part of a host's name.
fn valid_region(region: Region) -> Result<Region> {
    let name = region.as_ref();
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !name.is_empty() && name.bytes().all(of_a_host) && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(region);
    }
    Err(Error::new(
        Code::OptionValue,
        format!(
            "{name:?} is not an AWS region such as eu-west-1: correct the option \"region\", AWS_REGION or the profile"
        ),
    ))
}

async fn no_region(options: &Options) -> Error {
    let table = &options.table;
    let why = match credentials::profiles(options.profile.as_deref()).await {
        Err(error) => Some(innermost(&error)),
        Ok(_) => credentials::amiss().await,
    };
    let what = match why {
        Some(why) => format!("no AWS region for table \"{table}\" was found, and {why}: correct that, or"),
        None => {
            format!("no AWS region for table \"{table}\" in the options, the environment, the profile or the instance:")
        }
    };
    Error::new(Code::NoRegion, format!("{what} set the option \"region\" or AWS_REGION"))
}

/// The endpoint's URL, unless it is AWS's own: from the options, else as for AWS's other clients.
fn endpoint(options: &Options, shared: &SdkConfig) -> Result<Option<String>> {
    if options.endpoint.is_some() {
        return Ok(options.endpoint.clone());
    }
    let key =
        ServiceConfigKey::builder().service_id("DynamoDB").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_dynamo = key.ok().and_then(|key| shared.service_config()?.load_config(key));
    let Some(url) = of_dynamo.or_else(|| shared.endpoint_url().map(ToOwned::to_owned)) else { return Ok(None) };
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && !url.contains(char::is_whitespace) {
        return Ok(Some(url));
    }
    Err(Error::new(
        Code::OptionValue,
        "the endpoint in AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the profile is not a URL such as http://127.0.0.1:8000",
    ))
}

/// The connections to DynamoDB.
fn connector(options: &Options) -> Result<SharedHttpConnector> {
    let settings = HttpConnectorSettings::builder().connect_timeout(options.connect_timeout).build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .pool_idle_timeout(IDLE_CONNECTION);
    let tls = match tls(options)? {
        None if options.endpoint.as_deref().is_some_and(is_address) => {
            return Ok(SharedHttpConnector::new(builder.build_http()));
        }
        // The SDK takes a resolver together with TLS only; such a connector takes plain connections too.
        None => TlsContext::builder().with_trust_store(TrustStore::empty()).build().map_err(unusable)?,
        Some(tls) => tls,
    };
    Ok(SharedHttpConnector::new(builder.tls_provider(TLS).tls_context(tls).build_with_resolver(resolver(options))))
}

/// What asks for credentials and regions, with time limits that each of its clients sets.
fn http_client(options: &Options) -> Result<SharedHttpClient> {
    let builder = aws_smithy_http_client::Builder::new();
    Ok(match tls(options)? {
        None => builder.build_http(),
        Some(tls) => builder.tls_provider(TLS).tls_context(tls).build_with_resolver(resolver(options)),
    })
}

/// Whether a plain endpoint has an address for a host, which nobody has to look up.
fn is_address(endpoint: &str) -> bool {
    let authority = endpoint.strip_prefix("http://").unwrap_or_default().split('/').next().unwrap_or_default();
    authority.parse::<SocketAddr>().is_ok() || authority.parse::<IpAddr>().is_ok()
}

fn resolver(options: &Options) -> Resolver {
    Resolver::new(options.connect_timeout)
}

/// TLS is set up, and certificates are read, only where a request may need them.
fn tls(options: &Options) -> Result<Option<TlsContext>> {
    let plain = options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    if plain && options.credentials.is_some() {
        return Ok(None);
    }
    let store = match &options.ca_bundle {
        None => TrustStore::default(),
        Some(path) => TrustStore::empty().with_pem_certificate(authorities(path)?),
    };
    TlsContext::builder().with_trust_store(store).build().map(Some).map_err(unusable)
}

fn unusable(_: impl std::error::Error) -> Error {
    Error::new(Code::OptionValue, "TLS cannot be set up with the certificates of \"ca_bundle\"")
}

/// The text of a PEM file. The SDK's client panics on certificates that it cannot use, so each is tried before.
fn authorities(path: &str) -> Result<Vec<u8>> {
    let refuse =
        |why: String| Error::new(Code::OptionValue, format!("the option \"ca_bundle\" names the file {path}, {why}"));
    let pem = std::fs::read(path).map_err(|error| refuse(format!("which cannot be read ({error})")))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(drop).and_then(|certificate| store.add(certificate).map_err(drop)).map_err(|()| {
            refuse("which has a damaged certificate: give a PEM file with certificate authorities".into())
        })?;
    }
    if store.is_empty() {
        return Err(refuse("which has no certificate: give a PEM file with certificate authorities".into()));
    }
    Ok(pem)
}
