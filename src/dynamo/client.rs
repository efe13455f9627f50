//! The AWS client of one store: made from the options at the first request, kept for the store's life.

use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::OnceCell;

use super::counters::Counters;
use super::credentials;
use super::failure::Place;
use crate::model::options::Options;
use crate::model::{Code, Error, Result};

/// The region that signs requests to an endpoint given by URL when no region is known. Such endpoints ignore it.
const SIGNING_REGION: &str = "us-east-1";
/// Idle connections are closed before load balancers and NAT gateways forget them.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);

/// A table in DynamoDB, or in something that speaks its protocol.
pub struct DynamoTable {
    options: Options,
    pub(super) counters: Arc<Counters>,
    connection: OnceCell<Connection>,
}

/// What a request needs.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) place: Place,
}

impl DynamoTable {
    /// Remembers the options; nothing is resolved or connected before the first request.
    pub fn new(options: Options, counters: Arc<Counters>) -> Self {
        DynamoTable { options, counters, connection: OnceCell::new() }
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
        self.connection.get_or_try_init(|| connect(&self.options)).await
    }
}

async fn connect(options: &Options) -> Result<Connection> {
    let http = http_client(options)?;
    let provider_config =
        ProviderConfig::without_region().with_http_client(http.clone()).with_sleep_impl(TokioSleep::new());
    let region = region(options, &provider_config).await?;
    let credentials = credentials(options, &provider_config, region.clone()).await;
    let place = Place {
        table: options.table.clone(),
        at: options.endpoint.clone().unwrap_or_else(|| format!("DynamoDB in {region}")),
    };
    let shared = ConfigLoader::default()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(region)
        .credentials_provider(credentials)
        .sleep_impl(TokioSleep::new())
        .identity_cache(IdentityCache::lazy().load_timeout(options.timeout).build())
        // Retries, pacing and deadlines are this library's own; an answer of a few kilobytes cannot stall for long.
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(options.connect_timeout).build());
    let mut shared = shared;
    if let Some(profile) = &options.profile {
        shared = shared.profile_name(profile);
    }
    if let Some(endpoint) = &options.endpoint {
        shared = shared.endpoint_url(endpoint);
    }
    if options.use_fips {
        shared = shared.use_fips(true);
    }
    if options.use_dual_stack {
        shared = shared.use_dual_stack(true);
    }
    Ok(Connection { client: Client::new(&shared.load().await), place })
}

async fn region(options: &Options, config: &ProviderConfig) -> Result<Region> {
    if let Some(region) = &options.region {
        return Ok(Region::new(region.clone()));
    }
    // With everything else given there is nothing to look up, and looking would ask the metadata service.
    if options.endpoint.is_some() && options.credentials.is_some() {
        return Ok(Region::new(SIGNING_REGION));
    }
    let mut profile = ProfileFileRegionProvider::builder().configure(config);
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .or_else(ImdsRegionProvider::builder().configure(config).build());
    match (chain.region().await, &options.endpoint) {
        (Some(region), _) => Ok(region),
        (None, Some(_)) => Ok(Region::new(SIGNING_REGION)),
        (None, None) => Err(Error::new(
            Code::NoRegion,
            format!(
                "no AWS region for table \"{}\" in the options, the environment, the profile or the instance: set the option \"region\" or AWS_REGION",
                options.table
            ),
        )),
    }
}

async fn credentials(options: &Options, config: &ProviderConfig, region: Region) -> SharedCredentialsProvider {
    match &options.credentials {
        Some(given) => credentials::fixed(given),
        None => credentials::chain(config, Some(region), options.profile.as_deref()).await,
    }
}

/// TLS is set up, and certificates are read, only where a request may need them.
fn http_client(options: &Options) -> Result<SharedHttpClient> {
    let builder = aws_smithy_http_client::Builder::new().pool_idle_timeout(IDLE_CONNECTION);
    let plain = options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    if plain && options.credentials.is_some() {
        return Ok(builder.build_http());
    }
    let trust = match &options.ca_bundle {
        None => TrustStore::default(),
        Some(path) => {
            TrustStore::empty().with_native_roots(false).with_pem_certificate(std::fs::read(path).map_err(|error| {
                Error::new(
                    Code::OptionValue,
                    format!("the option \"ca_bundle\" names the file {path}, which cannot be read ({error})"),
                )
            })?)
        }
    };
    let tls = TlsContext::builder().with_trust_store(trust).build().map_err(|_| {
        Error::new(
            Code::OptionValue,
            "the certificates of \"ca_bundle\" cannot be used: give a PEM file with certificate authorities",
        )
    })?;
    Ok(builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https())
}
