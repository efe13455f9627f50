//! Credentials: where they come from, when they are loaded, and what is said when there are none.
//!
//! [`state`] says when what is held is used and when the next is loaded; [`loader`] does that, on a thread of its own;
//! [`sources`] is what runs there: the order of AWS's SDKs, in which [`profile`], [`sts`], [`sso`], [`container`] and
//! [`instance`] are asked. [`super::identity`] is who needs them.

mod ask;
mod container;
mod failure;
mod files;
mod instance;
mod lines;
mod loader;
mod login;
mod outcome;
mod profile;
mod program;
mod sources;
mod sso;
mod state;
mod sts;
mod unused;

use aws_credential_types::Credentials;

use crate::model::options;
use crate::model::{Code, Error, Result};

pub use failure::{LoadFailure, LoadFailureKind, on_one_line};
pub use files::Files;
pub use instance::{Instance, LATE, Nothing};
pub use loader::{Errand, Loader, Unavailable};
pub use profile::{missing_profile, profiles};
pub use sources::{LONGEST_ANSWER, Loaded, Sources, finished, near};
pub use state::Life;

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The options of the store.
    Options,
    /// Variables of the environment.
    Environment,
    /// Keys in a profile.
    Profile,
    /// A program that a profile names.
    Program,
    /// A token that somebody else gave out.
    WebIdentity,
    /// IAM Identity Center.
    SignIn,
    /// `aws login`.
    Login,
    /// The endpoint of a container.
    Container,
    /// The metadata service of an instance.
    Instance,
    /// A role that others assumed.
    Role,
}

impl Origin {
    /// In words, to be read after "from".
    pub fn words(self) -> &'static str {
        match self {
            Origin::Options => "the options",
            Origin::Environment => "the environment",
            Origin::Profile => "a profile",
            Origin::Program => "a credential_process",
            Origin::WebIdentity => "a web identity",
            Origin::SignIn => "IAM Identity Center",
            Origin::Login => "a session of `aws login`",
            Origin::Container => "the container's endpoint",
            Origin::Instance => "the instance's metadata service",
            Origin::Role => "an assumed role",
        }
    }
}

/// The name of the threads on which credentials are loaded.
const THREAD: &str = "flagstore-creds";

/// Credentials given in the options.
pub fn fixed(given: &options::Credentials) -> Result<Credentials> {
    let options::Credentials { access_key_id, secret_access_key, session_token } = given.clone();
    let mut credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "options");
    credentials.set_property(Origin::Options);
    match unsendable(&credentials) {
        None => Ok(credentials),
        Some(what) => Err(Error::new(Code::OptionValue, format!("in the options, {what}"))),
    }
}

/// What no HTTP header can hold, such as the line break at the end of a file. The SDK would panic.
fn unsendable(credentials: &Credentials) -> Option<&'static str> {
    let unusual = |text: &str| text.bytes().any(|byte| !byte.is_ascii_graphic());
    if unusual(credentials.access_key_id()) {
        return Some("the access key id has a line break, a space or another character that no key id has");
    }
    credentials
        .session_token()
        .is_some_and(unusual)
        .then_some("the session token has a line break, a space or another character that no token has")
}
