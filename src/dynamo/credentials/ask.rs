//! How what hands out credentials is asked: a few attempts, each with its own time, and failures in words that hold no secret.
//!
//! The AWS SDK has clients for this, which look for variables of the environment on the thread that asks; a host that sets
//! one meanwhile would crash. Four small requests do without.

use std::time::{Duration, Instant};

use aws_smithy_types::body::SdkBody;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue, Method};

use super::outcome::{is_transient, without_secrets};
use super::{LoadFailure, LoadFailureKind};
use crate::dynamo::http::{Client, Failed, Request, Response};

/// How often one service is asked before its failure counts.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt, which doubles: with the SDK's of a second, a call could end before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What names this client.
const NAME: &str = concat!("flagstore/", env!("CARGO_PKG_VERSION"));

/// A service, and how it is asked.
pub struct Service<'a> {
    /// What it is called in messages.
    pub name: &'static str,
    /// Asks it.
    pub client: &'a Client,
    /// How long one attempt may take.
    pub attempt: Duration,
    /// When there is no use for an answer any more.
    pub ends: Instant,
    /// What no message may hold: what it is given to present, and may echo.
    pub secrets: &'a [String],
    /// What its refusals say.
    pub said: fn(&Response) -> Said,
}

/// The name and the text of an error, as far as a service gives them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Said {
    /// Such as "AccessDenied".
    pub code: Option<String>,
    /// A sentence.
    pub message: Option<String>,
}

/// Why a service has no answer.
pub enum Unanswered {
    /// It says no, with this status.
    Refused(u16, LoadFailure),
    /// Nothing came of it.
    Failed(LoadFailure),
}

impl Unanswered {
    /// What is told of it.
    pub fn failure(&self) -> &LoadFailure {
        match self {
            Unanswered::Refused(_, failure) | Unanswered::Failed(failure) => failure,
        }
    }
}

impl From<Unanswered> for LoadFailure {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Refused(_, failure) | Unanswered::Failed(failure) => failure,
        }
    }
}

impl Service<'_> {
    /// The answer to what `question` makes, anew for each attempt.
    pub async fn answer(&self, question: impl Fn() -> Result<Request, LoadFailure>) -> Result<Response, Unanswered> {
        let mut asked = 0;
        loop {
            let outcome = self.once(question().map_err(Unanswered::Failed)?).await;
            asked += 1;
            let passes = outcome.as_ref().is_err_and(|unanswered| unanswered.failure().kind.passes());
            let pause = FIRST_PAUSE.saturating_mul(1 << asked).mul_f64(0.5 + fastrand::f64() / 2.0) / 2;
            if !passes || asked >= ATTEMPTS || Instant::now() + pause >= self.ends {
                return outcome;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn once(&self, mut request: Request) -> Result<Response, Unanswered> {
        let failed = |kind, why: &str| Unanswered::Failed(LoadFailure::new(kind, self.words(why)));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(NAME));
        let time = self.attempt.min(self.ends.saturating_duration_since(Instant::now()));
        let response = match tokio::time::timeout(time, self.client.answer(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(Failed::Unconnected(why))) if why.late => {
                let why = if why.why.is_empty() { "no connection in time" } else { &why.why };
                return Err(failed(LoadFailureKind::TimedOut, why));
            }
            Ok(Err(why)) => return Err(failed(LoadFailureKind::Unreachable, &why.to_string())),
            Err(_) => {
                return Err(failed(LoadFailureKind::TimedOut, &format!("no answer within {} ms", time.as_millis())));
            }
        };
        if response.status().is_success() { Ok(response) } else { Err(self.refused(&response)) }
    }

    fn refused(&self, response: &Response) -> Unanswered {
        let (status, mut said) = (response.status().as_u16(), (self.said)(response));
        said.code.get_or_insert_with(|| format!("status {status}"));
        let mut failure = self.no(&said);
        if status == 429 || status >= 500 {
            failure.kind = LoadFailureKind::Failing;
        }
        Unanswered::Refused(status, failure)
    }

    /// That it said no.
    pub fn no(&self, said: &Said) -> LoadFailure {
        let code = said.code.as_deref().unwrap_or("an error without a name");
        let kind = if is_transient(code) { LoadFailureKind::Failing } else { LoadFailureKind::Refused };
        let words = match &said.message {
            // AWS's message on a wrong signature quotes the signed request.
            Some(message) if !code.contains("Signature") => format!("{code}: {message}"),
            _ => code.to_owned(),
        };
        LoadFailure::new(kind, self.words(&words))
    }

    /// That it answered with something that makes no sense.
    pub fn nonsense(&self) -> LoadFailure {
        LoadFailure::new(
            LoadFailureKind::Refused,
            self.words("answered with something that is not what it was asked for"),
        )
    }

    fn words(&self, why: &str) -> String {
        format!("{}: {}", self.name, without_secrets(why, self.secrets))
    }
}

/// A request, its URL whole.
pub fn request(method: &str, url: &str, headers: &[(&'static str, &str)], body: &str) -> Result<Request, LoadFailure> {
    let unusable =
        || LoadFailure::new(LoadFailureKind::Misconfigured, "what is to be asked for credentials has no usable URL");
    let mut request = Request::new(SdkBody::from(body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| unusable())?;
    *request.uri_mut() = url.parse().map_err(|_| unusable())?;
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|_| {
            let why = format!("the header {name} would hold a line break or another character that no header can");
            LoadFailure::new(LoadFailureKind::Misconfigured, why)
        })?;
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_cannot_be_sent_is_named_and_not_quoted() {
        let failure =
            request("GET", "http://127.0.0.1/", &[("authorization", "PLANTED\n")], "").expect_err("a line break");
        assert!(failure.why.contains("authorization") && !failure.why.contains("PLANTED"), "{failure}");
    }
}
