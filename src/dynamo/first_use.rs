//! The first use of what the SDK makes once per process: tables of partitions and metrics, system certificates.
//!
//! A thread that makes such a value when another one forks leaves it half-made in the child, where everyone who needs
//! it waits for ever. So the first use happens here, before any request, while no fork can.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::rows;
use crate::runtime::undisturbed_by_forks;

/// An address where nobody can listen: connecting fails at once, and sends nothing.
const NOWHERE: &str = "127.0.0.1:0";
/// A request that never waits is over long before it has been polled so often.
const MOST_POLLS: usize = 64;

/// What requests go through, as far as it is made once per process.
#[derive(Debug, Clone, Copy)]
pub enum Trust {
    /// No TLS.
    Plain,
    /// TLS with certificate authorities from a file.
    File,
    /// TLS with the system's certificate authorities.
    System,
}

/// Uses everything once. Returns at once if that was done; else takes about a millisecond, with TLS a few.
pub fn once(http: &SharedHttpClient, trust: Trust) {
    static DONE: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
    let done = &DONE[trust as usize];
    if done.load(Ordering::Acquire) {
        return;
    }
    undisturbed_by_forks(|| {
        if done.load(Ordering::Relaxed) {
            return;
        }
        request(base().http_client(http_client_fn(|_, _| SharedHttpConnector::new(Nothing))));
        if !matches!(trust, Trust::Plain) {
            request(base().http_client(http.clone()).endpoint_url(format!("https://{NOWHERE}")));
        }
        done.store(true, Ordering::Release);
    });
}

fn base() -> Builder {
    Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .sleep_impl(TokioSleep::new())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("first", "use", None, None, "first use"))
        .retry_config(RetryConfig::disabled())
        .retry_partition(RetryPartition::custom("first use").build())
}

/// Goes the whole way of a request as far as it goes without waiting.
fn request(config: Builder) {
    let client = Client::from_conf(config.build());
    let request = client.get_item().table_name("first-use").set_key(Some(rows::key("first", "use"))).send();
    let mut request = pin!(request);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..MOST_POLLS {
        if request.as_mut().poll(&mut context).is_ready() {
            return;
        }
    }
}

/// Answers every request with no row.
#[derive(Debug)]
struct Nothing;

impl HttpConnector for Nothing {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(match StatusCode::try_from(200) {
            Ok(status) => Ok(HttpResponse::new(status, SdkBody::from("{}"))),
            Err(error) => Err(ConnectorError::other(error.into(), None)),
        })
    }
}
