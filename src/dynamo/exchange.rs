//! One request and its answer: the SDK's serializers and connections around this library's signing and parsing.
//!
//! The SDK's own way from a request to its answer, its orchestrator, merges configurations, asks interceptors, resolves
//! the endpoint and derives the signing key for each request anew: two thirds of the instructions of a small read. Here,
//! what stays the same from one request to the next is made once.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_sdk_dynamodb::operation::delete_item::{DeleteItem, DeleteItemInput};
use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemInput};
use aws_sdk_dynamodb::operation::put_item::{PutItem, PutItemInput};
use aws_sdk_dynamodb::operation::query::{Query, QueryInput};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{SerializeRequest, SharedRequestSerializer};
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer, Layer};
use http::header::{CONTENT_TYPE, DATE, USER_AGENT};
use http::{HeaderValue, Method};
use serde::de::DeserializeOwned;

use super::counters::Counters;
use super::failure::{Failure, Place, of_connection};
use super::http::{Request, Response};
use super::identity::{Identities, Identity, TARGET};
use super::pool::{Generation, Pool};
use super::refusal::{Meaning, Refusal};
use super::skew::Clock;

/// What names this client in AWS's logs.
const NAME: &str = concat!("flagstore/", env!("CARGO_PKG_VERSION"));

/// What requests need, made from the options at the first.
pub struct Connection {
    /// Where requests go, for messages.
    pub place: Place,
    pool: Pool,
    identities: Identities,
    clock: Clock,
    get_item: FrozenLayer,
    query: FrozenLayer,
    put_item: FrozenLayer,
    delete_item: FrozenLayer,
}

/// An operation of the SDK, by what is asked.
pub trait Operation: Any + Debug + Send + Sync + Sized {
    /// What DynamoDB knows it by.
    const TARGET: &'static str;

    /// Where the SDK keeps how it is written.
    fn layer(connection: &Connection) -> &FrozenLayer;
}

macro_rules! operation {
    ($input:ty, $layer:ident, $name:literal) => {
        impl Operation for $input {
            const TARGET: &'static str = concat!("DynamoDB_20120810.", $name);

            fn layer(connection: &Connection) -> &FrozenLayer {
                &connection.$layer
            }
        }
    };
}

operation!(GetItemInput, get_item, "GetItem");
operation!(QueryInput, query, "Query");
operation!(PutItemInput, put_item, "PutItem");
operation!(DeleteItemInput, delete_item, "DeleteItem");

impl Connection {
    /// Connects nothing yet.
    pub fn new(place: Place, pool: Pool, identities: Identities) -> Self {
        let layer =
            |operation: &dyn RuntimePlugin| operation.config().unwrap_or_else(|| Layer::new("nothing").freeze());
        Connection {
            place,
            pool,
            identities,
            clock: Clock::default(),
            get_item: layer(&GetItem::new()),
            query: layer(&Query::new()),
            put_item: layer(&PutItem::new()),
            delete_item: layer(&DeleteItem::new()),
        }
    }

    /// One attempt, which ends at the given time. Repetitions are the caller's.
    pub async fn call<O: Operation, T: DeserializeOwned>(
        &self,
        counters: &Counters,
        ends: Instant,
        input: O,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let mut used = None;
        let answer = match tokio::time::timeout_at(ends.into(), self.answer(counters, input, &mut used)).await {
            Ok(answer) => answer?,
            Err(_) => {
                let anew = used.is_some_and(|used| self.pool.suspect(&used));
                return Err(Failure::TimedOut { after: ends.saturating_duration_since(started), anew });
            }
        };
        serde_json::from_slice(answer.body()).map_err(|_| not_dynamodb())
    }

    /// A success of DynamoDB's. `used` tells, also of an attempt that is given up, which connections it was on.
    async fn answer<O: Operation>(
        &self,
        counters: &Counters,
        input: O,
        used: &mut Option<Arc<Generation>>,
    ) -> Result<Response, Failure> {
        let identity = self.identities.current(self.now()).await.map_err(Failure::Credentials)?;
        let mut request = written(O::layer(self), input).map_err(unsent)?;
        identity.sign(&mut request, self.now()).map_err(unsent)?;
        let connections = used.insert(self.pool.current(Instant::now(), SystemTime::now()));
        Counters::add(&counters.requests);
        let response = match connections.send(request).await {
            Ok(response) => response,
            Err(failed) => {
                let anew = self.pool.suspect(connections);
                return Err(of_connection(failed, anew));
            }
        };
        self.pool.answered(connections, Instant::now(), SystemTime::now());
        if !response.status().is_success() {
            return Err(self.refused(&response, &identity).await);
        }
        if is_of_dynamodb(&response) { Ok(response) } else { Err(not_dynamodb()) }
    }

    /// What a refusal says. What it complains about is put right where that is possible.
    async fn refused(&self, response: &Response, identity: &Arc<Identity>) -> Failure {
        let mut refusal = Refusal::read(response, &identity.secrets());
        refusal.mended = match refusal.meaning {
            Meaning::Time => self.learn_the_time(response),
            Meaning::Signature => self.learn_the_time(response) || self.is_replaced(identity).await,
            Meaning::Expired | Meaning::Unknown => self.is_replaced(identity).await,
            _ => false,
        };
        Failure::Refused(Box::new(refusal))
    }

    fn learn_the_time(&self, response: &Response) -> bool {
        let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
        self.clock.learn(date, SystemTime::now())
    }

    /// Whether there is another identity than the one that the service does not take.
    async fn is_replaced(&self, refused: &Arc<Identity>) -> bool {
        self.identities.invalidate(refused);
        self.identities.current(self.now()).await.is_ok_and(|next| !next.has_the_credentials_of(refused))
    }

    /// Who asks, if that is known.
    pub async fn identity(&self) -> Option<Arc<Identity>> {
        self.identities.current(self.now()).await.ok()
    }

    /// What is added to this machine's clock, in milliseconds.
    pub fn clock_off(&self) -> i64 {
        self.clock.offset()
    }

    fn now(&self) -> SystemTime {
        self.clock.corrected(SystemTime::now())
    }
}

fn unsent(error: BoxError) -> Failure {
    Failure::Unsent(error.to_string())
}

fn not_dynamodb() -> Failure {
    Failure::Foreign("something that is no DynamoDB response".into())
}

/// What the SDK's serializer writes, under headers that are the same each time.
fn written<O: Operation>(layer: &FrozenLayer, input: O) -> Result<Request, BoxError> {
    let serializer = layer.load::<SharedRequestSerializer>().ok_or("the SDK has no serializer for it")?;
    let mut serialized = serializer.serialize_input(Input::erase(input), &mut ConfigBag::base())?;
    let mut request = Request::new(serialized.take_body());
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    headers.insert(TARGET, HeaderValue::from_static(O::TARGET));
    headers.insert(USER_AGENT, HeaderValue::from_static(NAME));
    Ok(request)
}

/// Whether a success is DynamoDB's: a proxy or a wrong endpoint that says 200 would otherwise make every flag read as
/// missing and every write as done.
fn is_of_dynamodb(response: &Response) -> bool {
    let headers = response.headers();
    let typed =
        headers.get(CONTENT_TYPE).is_some_and(|content| content.as_bytes().starts_with(b"application/x-amz-json"));
    // DynamoDB's shortest answer is `{}`.
    !response.body().is_empty() && (typed || headers.contains_key("x-amzn-requestid"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use aws_credential_types::Credentials;

    use super::super::answers::{One, Spelled};
    use super::super::credentials::{Errand, Life};
    use super::super::http::{Answer, Sends};
    use super::super::identity::Destination;
    use super::*;
    use crate::runtime::lock;

    /// Takes requests that are signed with one key, and knows no other any more.
    #[derive(Debug, Clone)]
    struct Service {
        taken: &'static str,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Sends for Service {
        fn send(&self, request: Request) -> Answer {
            let signature = request.headers()["authorization"].to_str().expect("text");
            let key = signature.split(['=', '/']).nth(1).expect("a key").to_owned();
            let (status, body) = if key == self.taken {
                (200, "{}")
            } else {
                (400, r#"{"__type":"x#ExpiredTokenException","message":"It has expired"}"#)
            };
            lock(&self.asked).push(key);
            let response = http::Response::builder().status(status).header(CONTENT_TYPE, "application/x-amz-json-1.0");
            Box::pin(std::future::ready(Ok(response.body(body.into()).expect("a response"))))
        }
    }

    /// What becomes of requests on a source that gives these keys one after the other, and the keys that were used.
    fn asked(keys: &'static [&'static str], requests: usize) -> (Vec<Result<(), Failure>>, Vec<String>) {
        let service = Service { taken: "NEWKEY", asked: Arc::default() };
        let client: Arc<dyn Sends> = Arc::new(service.clone());
        let destination = Destination {
            region: "eu-west-1".into(),
            endpoint: Some("http://127.0.0.1:1".into()),
            fips: None,
            dual_stack: None,
            account_id_mode: String::new(),
            table: "flags".into(),
        };
        let left = Mutex::new(keys.iter());
        let load = move |_: &Errand| {
            let key = lock(&left).next().unwrap_or(keys.last().expect("a key"));
            Ok((Credentials::new(*key, "secret", None, None, "test"), Life::Endless))
        };
        let connection = Connection::new(
            Place { table: "flags".into(), at: "eu-west-1".into() },
            Pool::new(Box::new(move || Arc::clone(&client))),
            Identities::loaded(destination, Duration::from_secs(10), load),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let outcomes = runtime.block_on(async {
            let mut outcomes = Vec::new();
            for _ in 0..requests {
                let input = GetItemInput::builder().table_name("flags").build().expect("complete");
                let ends = Instant::now() + Duration::from_secs(10);
                let outcome = connection.call::<_, One<Spelled>>(&Counters::default(), ends, input).await;
                outcomes.push(outcome.map(drop));
            }
            outcomes
        });
        let used = lock(&service.asked).clone();
        (outcomes, used)
    }

    fn is_mended(outcome: &Result<(), Failure>) -> bool {
        matches!(outcome, Err(Failure::Refused(refusal)) if refusal.meaning == Meaning::Expired && refusal.mended)
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn a_key_that_the_service_does_not_take_is_replaced_before_the_next_attempt() {
        let (outcomes, used) = asked(&["OLDKEY", "NEWKEY"], 3);
        assert!(is_mended(&outcomes[0]), "{outcomes:?}");
        assert_eq!(outcomes[1..], [Ok(()), Ok(())]);
        assert_eq!(used, ["OLDKEY", "NEWKEY", "NEWKEY"]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn where_the_source_has_no_other_key_trying_again_makes_no_sense() {
        let (outcomes, _) = asked(&["OLDKEY"], 1);
        assert!(outcomes[0].is_err() && !is_mended(&outcomes[0]), "{outcomes:?}");
        assert_eq!(outcomes[0].as_ref().map_err(Failure::again), Err(super::super::failure::Again::Never));
    }
}
