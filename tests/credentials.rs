//! Where credentials, region, endpoint and trust come from, and what is said when they are missing or refused.
//!
//! Each case is a process of its own with an environment of its own ([`host`]). AWS's services are a stub on
//! loopback ([`aws`]) that remembers who signed what: a source works if DynamoDB is asked with its key id.

#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

mod credentials {
    mod aws;
    mod environment;
    mod failures;
    mod host;
    mod isolation;
    mod places;
    mod process;
    mod proxies;
    mod refresh;
    mod sources;
    mod stub;
    mod tls;
}
