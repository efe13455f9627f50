//! The metadata service of an EC2 instance, in its second version, whose answers need a session. Never through a proxy.

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use http::{Response, Uri};
use hyper::body::Bytes;

use super::ask::{Said, Service, Unanswered, request};
use super::container::handed_out;
use super::{Files, LoadFailure, LoadFailureKind};
use crate::dynamo::http::Client;

/// How long one attempt may take: it is on the same machine, or not there at all.
const ATTEMPT: Duration = Duration::from_secs(1);
/// How long a session is asked for, in seconds. One load uses it.
const SESSION_SECONDS: &str = "300";

/// The metadata service, as the environment and the profile say that it is asked.
pub struct Instance {
    url: String,
}

/// Why there is nothing.
pub enum Nothing {
    /// Nobody answers there, as is usual where there is no instance; it was waited for in vain, if `late`.
    Absent {
        /// Whether time ran out.
        late: bool,
    },
    /// It has no such thing.
    Missing,
    /// What else it says.
    Failed(LoadFailure),
}

/// What to tell of a metadata service that was waited for in vain.
pub const LATE: &str = "the metadata service did not answer: in a container on EC2 raise the instance's hop limit to 2 \
    (http-put-response-hop-limit), elsewhere set AWS_EC2_METADATA_DISABLED=true";

impl Instance {
    /// `None` where it is not to be asked.
    pub fn of(files: &Files) -> Result<Option<Instance>, LoadFailure> {
        if files.flag("AWS_EC2_METADATA_DISABLED", None) == Some(true) {
            return Ok(None);
        }
        let setting = |variable, member| files.setting(variable, member);
        let url = match setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint") {
            Some(url) => url,
            None => match setting("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode") {
                Some(mode) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]".to_owned(),
                _ => "http://169.254.169.254".to_owned(),
            },
        };
        let usable = url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !usable {
            let why = "AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL such as http://169.254.169.254";
            return Err(LoadFailure::new(LoadFailureKind::Misconfigured, why));
        }
        Ok(Some(Instance { url: url.trim_end_matches('/').to_owned() }))
    }

    /// The credentials of its role.
    pub async fn credentials(&self, client: &Client, ends: Instant) -> Result<Credentials, Nothing> {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        let service = service(client, ends);
        let session = self.session(&service).await?;
        let role = self.text(&service, &session, ROLES).await?;
        let role = role.lines().next().unwrap_or_default().trim();
        let given = self.text(&service, &session, &format!("{ROLES}{role}")).await?;
        handed_out(&service, given.as_bytes(), "instance").map_err(Nothing::Failed)
    }

    /// The region that it is in.
    pub async fn region(&self, client: &Client, ends: Instant) -> Result<String, Nothing> {
        let service = service(client, ends);
        let session = self.session(&service).await?;
        Ok(self.text(&service, &session, "/latest/meta-data/placement/region").await?.trim().to_owned())
    }

    async fn session(&self, service: &Service<'_>) -> Result<String, Nothing> {
        let url = format!("{}/latest/api/token", self.url);
        let wanted = [("x-aws-ec2-metadata-token-ttl-seconds", SESSION_SECONDS)];
        match service.answer(|| request("PUT", &url, &wanted, "")).await {
            Ok(response) => Ok(text(&response)),
            Err(Unanswered::Failed(failure)) if failure.kind == LoadFailureKind::TimedOut => {
                Err(Nothing::Absent { late: true })
            }
            Err(Unanswered::Failed(failure)) if failure.kind == LoadFailureKind::Unreachable => {
                Err(Nothing::Absent { late: false })
            }
            Err(unanswered) => Err(Nothing::Failed(unanswered.into())),
        }
    }

    async fn text(&self, service: &Service<'_>, session: &str, path: &str) -> Result<String, Nothing> {
        let url = format!("{}{path}", self.url);
        match service.answer(|| request("GET", &url, &[("x-aws-ec2-metadata-token", session)], "")).await {
            Ok(response) => Ok(text(&response)),
            Err(Unanswered::Refused(404, _)) => Err(Nothing::Missing),
            Err(unanswered) => Err(Nothing::Failed(unanswered.into())),
        }
    }
}

fn service(client: &Client, ends: Instant) -> Service<'_> {
    Service { name: "the metadata service", client, attempt: ATTEMPT, ends, secrets: &[], said: |_| Said::default() }
}

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}
