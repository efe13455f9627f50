//! One request and its answer: the SDK's serializers, connections and parsers, with this library's signing in between.
//!
//! The SDK's own way from a request to its answer, its orchestrator, merges configurations, asks interceptors, resolves
//! the endpoint and derives the signing key for each request anew: two thirds of the instructions of a small read. Here,
//! what stays the same from one request to the next is made once.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::SystemTime;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::{DeleteItem, DeleteItemError, DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItem, GetItemError, GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItem, PutItemError, PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{Query, QueryError, QueryInput, QueryOutput};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer, Layer};

use super::failure::{NotDynamoDb, Place};
use super::identity::Identities;

/// What names this client in AWS's logs.
const USER_AGENT: &str = concat!("flagstore/", env!("CARGO_PKG_VERSION"));

/// What requests need, made from the options at the first.
pub struct Connection {
    /// Where requests go, for messages.
    pub place: Place,
    connector: SharedHttpConnector,
    identities: Identities,
    get_item: FrozenLayer,
    query: FrozenLayer,
    put_item: FrozenLayer,
    delete_item: FrozenLayer,
}

/// An operation of the SDK, by what is asked.
pub trait Operation: Any + Debug + Send + Sync + Sized {
    /// The answer.
    type Output: Any + Debug + Send + Sync;
    /// The refusal.
    type Refusal: StdError + Any + Send + Sync;

    /// Where the SDK keeps how it is written and read.
    fn layer(connection: &Connection) -> &FrozenLayer;
}

macro_rules! operation {
    ($input:ty, $output:ty, $refusal:ty, $layer:ident) => {
        impl Operation for $input {
            type Output = $output;
            type Refusal = $refusal;

            fn layer(connection: &Connection) -> &FrozenLayer {
                &connection.$layer
            }
        }
    };
}

operation!(GetItemInput, GetItemOutput, GetItemError, get_item);
operation!(QueryInput, QueryOutput, QueryError, query);
operation!(PutItemInput, PutItemOutput, PutItemError, put_item);
operation!(DeleteItemInput, DeleteItemOutput, DeleteItemError, delete_item);

/// What went wrong, as the SDK has it.
pub type Failure<O> = Box<SdkError<<O as Operation>::Refusal, HttpResponse>>;

impl Connection {
    /// Connects nothing yet.
    pub fn new(place: Place, connector: SharedHttpConnector, identities: Identities) -> Self {
        let layer =
            |operation: &dyn RuntimePlugin| operation.config().unwrap_or_else(|| Layer::new("nothing").freeze());
        Connection {
            place,
            connector,
            identities,
            get_item: layer(&GetItem::new()),
            query: layer(&Query::new()),
            put_item: layer(&PutItem::new()),
            delete_item: layer(&DeleteItem::new()),
        }
    }

    /// One attempt. Deadlines and repetitions are the caller's.
    pub async fn call<O: Operation>(&self, input: O) -> Result<O::Output, Failure<O>> {
        let response = self.answer(input).await?;
        read::<O>(O::layer(self), response)
    }

    /// One attempt whose answer is left unread.
    pub async fn answer<O: Operation>(&self, input: O) -> Result<HttpResponse, Failure<O>> {
        let layer = O::layer(self);
        let now = SystemTime::now();
        let identity = self.identities.current(now).await.map_err(SdkError::construction_failure)?;
        let mut request = written(layer, input).map_err(SdkError::construction_failure)?;
        identity.sign(&mut request, now).map_err(SdkError::construction_failure)?;
        let mut response = self.connector.call(request).await.map_err(SdkError::dispatch_failure)?;
        if let Err(error) = load_body(&mut response).await {
            return failed(SdkError::response_error(error, response));
        }
        if !response.status().is_success() {
            // Whatever a parser made of a status that is none of success, it is no answer.
            read::<O>(layer, response)?;
            return failed(SdkError::construction_failure("a refusal was taken for an answer"));
        }
        if !is_of_dynamodb(&response) {
            return failed(SdkError::response_error(NotDynamoDb, response));
        }
        Ok(response)
    }
}

fn failed<T, E>(error: SdkError<E, HttpResponse>) -> Result<T, Box<SdkError<E, HttpResponse>>> {
    Err(Box::new(error))
}

fn written<O: Operation>(layer: &FrozenLayer, input: O) -> Result<HttpRequest, BoxError> {
    let serializer = layer.load::<SharedRequestSerializer>().ok_or("the SDK has no serializer for it")?;
    let mut request = serializer.serialize_input(Input::erase(input), &mut ConfigBag::base())?;
    request.headers_mut().insert("user-agent", USER_AGENT);
    Ok(request)
}

/// Parsers want the whole body in memory.
async fn load_body(response: &mut HttpResponse) -> Result<(), BoxError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let bytes = ByteStream::new(body).collect().await?.into_bytes();
    *response.body_mut() = SdkBody::from(bytes);
    Ok(())
}

/// Whether a success is DynamoDB's. The SDK takes any object, even no body at all, for an answer without content: a proxy
/// or a wrong endpoint that says 200 would make every flag read as missing and every write as done.
fn is_of_dynamodb(response: &HttpResponse) -> bool {
    let headers = response.headers();
    let typed = headers.get("content-type").is_some_and(|content| content.starts_with("application/x-amz-json"));
    // DynamoDB's shortest answer is `{}`.
    let empty = response.body().bytes().is_some_and(<[u8]>::is_empty);
    !empty && (typed || headers.contains_key("x-amzn-requestid"))
}

fn read<O: Operation>(layer: &FrozenLayer, response: HttpResponse) -> Result<O::Output, Failure<O>> {
    let Some(parser) = layer.load::<SharedResponseDeserializer>() else {
        return failed(SdkError::response_error("the SDK has no parser for it", response));
    };
    let failure = match parser.deserialize_nonstreaming_with_config(&response, &ConfigBag::base()) {
        Ok(output) => match output.downcast::<O::Output>() {
            Ok(output) => return Ok(output),
            Err(_) => return failed(SdkError::response_error("the SDK's parser gave something else", response)),
        },
        Err(failure) => failure,
    };
    let mut refusal = None;
    let other = failure.map_operation_error(|error| refusal = error.downcast::<O::Refusal>().ok());
    failed(match refusal {
        Some(refusal) => SdkError::service_error(refusal, response),
        None => SdkError::response_error(format!("{other:?}"), response),
    })
}
