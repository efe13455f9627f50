//! HTTP/1.1: requests and their answers, on connections that are kept for the next request.
//!
//! One client speaks to one endpoint. The bound on requests in flight is its caller's, and with it the bound on connections:
//! each request has one for itself. [`connect`] is how they are made, [`proxy`] when they go through somebody else.

mod connect;
mod proxy;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use aws_smithy_types::body::SdkBody;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

pub use connect::{Connector, Kind, Unconnected};
use proxy::Proxy;
pub use proxy::{Proxies, is_loopback};

use super::failure::innermost;
use crate::runtime::{lock, whole_across_forks};

/// Idle connections are closed before load balancers and NAT gateways forget them.
const IDLE: Duration = Duration::from_secs(60);
/// Longest body that is read, in bytes. A page of DynamoDB's has at most 1 MB of data, which JSON's escapes and DynamoDB's
/// types and names make several times as long, but not sixteen times.
pub const LONGEST_BODY: usize = 16 << 20;

type Sender = SendRequest<SdkBody>;

/// Sends requests to one endpoint.
#[derive(Clone)]
pub struct Client {
    connector: Arc<Connector>,
    idle: Arc<Mutex<Idle>>,
    /// Most connections that are kept for later.
    most: usize,
}

/// Connections without a request.
#[derive(Default)]
struct Idle {
    /// Whom they are to: where this changes, with the account of the credentials, the others are of no more use.
    to: Option<Uri>,
    /// The one that was used last is the last.
    connections: Vec<(Connection, Instant)>,
    /// What looks after them, to close them in time, while there are any.
    watch: Option<Watch>,
}

/// A task that ends with whom it watches for: it sleeps for long, and would be kept that long for nothing.
struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Connection {
    sender: Sender,
    route: Route,
}

/// How requests are written on a connection.
#[derive(Clone)]
enum Route {
    /// To the endpoint, whatever the connection goes through.
    Direct,
    /// To a proxy, which is told the endpoint with each request.
    Forwarded(Box<Proxy>),
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// There is no connection.
    Unconnected(Unconnected),
    /// The connection ended before any of the answer came.
    Lost(String),
    /// The connection broke in the middle of the answer.
    Cut,
    /// The answer is longer than any that makes sense.
    TooLong,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Lost(why) => f.write_str(why),
            Failed::Unconnected(why) => fmt::Display::fmt(why, f),
            Failed::Cut => f.write_str("the connection broke in the middle of the answer"),
            Failed::TooLong => f.write_str("the answer is too long"),
        }
    }
}

impl std::error::Error for Failed {}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// A request, whose URL is whole.
pub type Request = http::Request<SdkBody>;
/// An answer, read to its end.
pub type Response = http::Response<Bytes>;
/// An answer, later.
pub type Answer = Pin<Box<dyn Future<Output = Result<Response, Failed>> + Send>>;

/// What sends requests.
pub trait Sends: fmt::Debug + Send + Sync {
    /// Sends one.
    fn send(&self, request: Request) -> Answer;
}

impl Sends for Client {
    fn send(&self, request: Request) -> Answer {
        let client = self.clone();
        Box::pin(async move { client.answer(request).await })
    }
}

impl Client {
    /// Connects nothing yet. So many connections are kept for later at most.
    pub fn new(connector: Arc<Connector>, most: usize) -> Self {
        Client { connector, idle: Arc::default(), most }
    }

    /// The answer to a request.
    pub async fn answer(&self, mut request: Request) -> Result<Response, Failed> {
        let to = request.uri().clone();
        loop {
            let (mut connection, used) = match self.kept(&to) {
                Some(connection) => (connection, true),
                None => (self.connected(&to).await?, false),
            };
            if connection.sender.ready().await.is_err() && used {
                continue;
            }
            address(&mut request, &to, &connection.route);
            match connection.sender.try_send_request(request).await {
                Ok(response) => {
                    if let Route::Forwarded(proxy) = &connection.route
                        && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
                    {
                        return Err(Failed::Unconnected(proxy.says_no()));
                    }
                    let (head, body) = response.into_parts();
                    let body = whole(body).await?;
                    self.keep(to, connection);
                    return Ok(http::Response::from_parts(head, body));
                }
                // Closed by the other side while it was idle, and nothing of the request was sent.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if used => request = unsent,
                    _ => return Err(Failed::Lost(innermost(&failed.into_error()))),
                },
            }
        }
    }

    /// A connection that has no request.
    fn kept(&self, to: &Uri) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        if idle.to.as_ref().is_none_or(|kept| !is_the_same_place(kept, to)) {
            return None;
        }
        while let Some((connection, since)) = idle.connections.pop() {
            if !connection.sender.is_closed() && since.elapsed() < IDLE {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, to: Uri, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.to.as_ref().is_none_or(|kept| !is_the_same_place(kept, &to)) {
            idle.connections.clear();
            idle.to = Some(to);
        }
        if idle.connections.len() < self.most && !connection.sender.is_closed() {
            idle.connections.push((connection, Instant::now()));
        }
        if idle.watch.is_none() && !idle.connections.is_empty() {
            let watch = tokio::spawn(whole_across_forks(close_in_time(Arc::downgrade(&self.idle))));
            idle.watch = Some(Watch(watch.abort_handle()));
        }
    }

    async fn connected(&self, to: &Uri) -> Result<Connection, Failed> {
        let (stream, route) = self.connector.connect(to).await.map_err(Failed::Unconnected)?;
        let shaken = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(|error| Failed::Lost(innermost(&error)))?;
        tokio::spawn(whole_across_forks(async move {
            // Whoever has a request on it is told by the sender.
            let _ = driver.await;
        }));
        Ok(Connection { sender, route })
    }
}

/// Closes connections that nobody used for long, until there are none.
async fn close_in_time(idle: Weak<Mutex<Idle>>) {
    loop {
        let next = {
            let Some(idle) = idle.upgrade() else { return };
            let mut idle = lock(&idle);
            idle.connections.retain(|(connection, since)| !connection.sender.is_closed() && since.elapsed() < IDLE);
            // Used last stands last, so the first is the first to go.
            match idle.connections.first() {
                Some((_, since)) => *since + IDLE,
                None => {
                    idle.watch = None;
                    return;
                }
            }
        };
        tokio::time::sleep_until(next.into()).await;
    }
}

/// Writes whom it is for as the connection wants it.
fn address(request: &mut Request, to: &Uri, route: &Route) {
    if !request.headers().contains_key(HOST)
        && let Some(host) = to.authority().and_then(|authority| authority.as_str().rsplit('@').next())
        && let Ok(host) = http::HeaderValue::from_str(host)
    {
        request.headers_mut().insert(HOST, host);
    }
    match route {
        Route::Direct => {
            let path = to.path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        }
        Route::Forwarded(proxy) => {
            *request.uri_mut() = to.clone();
            if let Some(authorization) = &proxy.authorization {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
        }
    }
}

fn is_the_same_place(one: &Uri, other: &Uri) -> bool {
    one.authority() == other.authority() && one.scheme() == other.scheme()
}

/// The whole body, unless it is longer than any that makes sense. What is not read to its end takes its connection with it.
async fn whole(mut body: Incoming) -> Result<Bytes, Failed> {
    let announced = hyper::body::Body::size_hint(&body).exact().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > LONGEST_BODY) {
        return Err(Failed::TooLong);
    }
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Failed::Cut)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > LONGEST_BODY {
            return Err(Failed::TooLong);
        }
        match (first.is_empty(), all.is_empty()) {
            // Nearly always the only one: no copy.
            (true, true) => first = data,
            (_, no_more) => {
                if no_more {
                    all = Vec::with_capacity(announced.unwrap_or(2 * first.len()));
                    all.extend_from_slice(&std::mem::take(&mut first));
                }
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(if all.is_empty() { first } else { all.into() })
}
