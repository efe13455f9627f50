//! What AWS refuses, and what is wrong in the configuration files: the cause and the remedy, and no secret.

use std::net::TcpListener;

use flagstore::model::Code;
use serde_json::json;

use super::aws;
use super::host::Host;
use super::sources::{LOGIN, login};
use super::stub::{Response, Stub};

/// What AWS quotes when a signature is wrong: the whole request, session token included.
const CANONICAL: &str = "The Canonical String for this request should have been\n'POST\n/\n\n\
     x-amz-security-token:PLANTED-token\n' and the request signature we calculated does not match";

/// A host with keys of every kind that a message could give away.
fn host(stub: &Stub) -> Host {
    Host::new()
        .on(stub)
        .env("AWS_ACCESS_KEY_ID", "ASIAPLANTED")
        .env("AWS_SECRET_ACCESS_KEY", "PLANTED-secret")
        .env("AWS_SESSION_TOKEN", "PLANTED-token")
}

#[test]
fn what_dynamodb_refuses_has_its_code_and_remedy() {
    let signature = format!("Signature not yet current: 20240101T000000Z is still later than now. {CANONICAL}");
    for (status, name, message, code, words) in [
        (
            400,
            "ResourceNotFoundException",
            "Requested resource not found",
            Code::TableNotFound,
            ["\"flags\"", "create it"],
        ),
        (
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Code::ExpiredCredentials,
            ["flags", "renew"],
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Code::InvalidCredentials,
            ["flags", "access key id"],
        ),
        (400, "InvalidSignatureException", CANONICAL, Code::InvalidCredentials, ["flags", "secret access key"]),
        (
            400,
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256 Credential=ASIAPLANTED",
            Code::InvalidCredentials,
            ["flags", "access key id"],
        ),
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20200101T000000Z is now earlier than 20240101T000000Z (20240101T000500Z - 5 min.)",
            Code::ClockSkew,
            ["flags", "set the clock"],
        ),
        (400, "InvalidSignatureException", signature.as_str(), Code::ClockSkew, ["flags", "set the clock"]),
        (400, "RequestTimeTooSkewed", "", Code::ClockSkew, ["flags", "set the clock"]),
        (
            400,
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/x is not authorized to perform: dynamodb:GetItem on resource: \
             arn:aws:dynamodb:eu-west-1:123456789012:table/flags because no identity-based policy allows the \
             dynamodb:GetItem action",
            Code::AccessDenied,
            ["\"flags\"", "IAM policy"],
        ),
        (
            400,
            "ValidationException",
            "The provided key element does not match the schema",
            Code::KeySchema,
            ["\"flags\"", "partition key \"namespace\""],
        ),
        (
            400,
            "ValidationException",
            "One or more parameter values were invalid: Missing the key id in the item",
            Code::KeySchema,
            ["\"flags\"", "sort key \"key\""],
        ),
        (
            400,
            "ValidationException",
            "One or more parameter values were invalid: Type mismatch for key namespace expected: N actual: S",
            Code::KeySchema,
            ["\"flags\"", "sort key \"key\""],
        ),
        (500, "InternalServerError", "", Code::Service, ["flags", "later"]),
        (503, "ServiceUnavailable", "", Code::Service, ["flags", "later"]),
    ] {
        eprintln!("{name}");
        let (answer, message) = (name.to_owned(), message.to_owned());
        let stub = Stub::start(move |_| aws::refusal(status, &answer, &message));
        host(&stub).calls(&["get", "upsert"]).run().expect_failure(code, &words);
    }
}

#[test]
fn throttling_is_said_when_waiting_did_not_help() {
    // Each is tried for several seconds, so they are at the same time.
    std::thread::scope(|scope| {
        for (status, name) in [
            (400, "ProvisionedThroughputExceededException"),
            (400, "ThrottlingException"),
            (400, "RequestLimitExceeded"),
            (429, "PLANTED"),
        ] {
            scope.spawn(move || {
                let stub = Stub::start(move |_| aws::refusal(status, name, "PLANTED"));
                // Longer than all the pauses together.
                let host = host(&stub).option("timeout_ms", 30_000);
                host.run().expect_failure(Code::Throttled, &["\"flags\"", "throttled"]);
            });
        }
    });
}

#[test]
fn answers_that_are_not_dynamodb_s_are_told_apart() {
    for (status, body, code, words) in [
        (200, "<html>PLANTED</html>", Code::UnexpectedResponse, "no DynamoDB response"),
        (200, "{\"Item\":\"PLANTED\"}", Code::UnexpectedResponse, "no DynamoDB response"),
        (301, "", Code::UnexpectedResponse, "status 301"),
        (403, "<html>PLANTED</html>", Code::UnexpectedResponse, "status 403"),
        (407, "PLANTED", Code::UnexpectedResponse, "status 407"),
        (502, "<html>PLANTED</html>", Code::Service, "502"),
    ] {
        eprintln!("{status} {body}");
        let stub = Stub::start(move |_| Response::new(status, "application/x-amz-json-1.0", body));
        host(&stub).run().expect_failure(code, &[words, "flags"]);
    }
}

#[test]
fn a_source_that_refuses_is_named() {
    type Prepare = fn(Host, &Stub) -> Host;
    type Answer = fn() -> Response;
    let role: Prepare = |host, stub| {
        host.config(
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nsource_profile = base\n\
             [profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = PLANTED\n",
        )
        .env("AWS_ENDPOINT_URL_STS", stub.url())
    };
    let web: Prepare = |host, stub| {
        let token = host.file("token", "PLANTED.jwt");
        host.env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
            .env("AWS_ENDPOINT_URL_STS", stub.url())
    };
    let container: Prepare = |host, stub| {
        host.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container/credentials", stub.url()))
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "PLANTED-pod")
    };
    let instance: Prepare = |host, stub| host.on_instance(&stub.url());
    let cases: &[(&str, Prepare, Answer, &str)] = &[
        (
            "a role that may not be assumed",
            role,
            || aws::sts_refusal("AccessDenied", "User: arn:x is not authorized to perform: sts:AssumeRole"),
            "not authorized to perform: sts:AssumeRole",
        ),
        (
            "a role assumed with a wrong key",
            role,
            || aws::sts_refusal("SignatureDoesNotMatch", CANONICAL),
            "SignatureDoesNotMatch",
        ),
        (
            "a role assumed with an unknown key",
            role,
            || aws::sts_refusal("InvalidClientTokenId", "The security token included in the request is invalid."),
            "InvalidClientTokenId",
        ),
        (
            "a web identity that has expired",
            web,
            || aws::sts_refusal("ExpiredTokenException", "Token expired: current date/time must be before"),
            "Token expired",
        ),
        ("a container that says no", container, || Response::new(403, "text/plain", "PLANTED"), "403"),
        (
            "a container that answers nonsense",
            container,
            || Response::new(200, "application/json", r#"{"AccessKeyId":"AKIAPLANTED" "SecretAccessKey":"PLANTED"}"#),
            "",
        ),
        (
            "an instance whose role is broken",
            instance,
            || {
                aws::json(
                    200,
                    &json!({"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}),
                )
            },
            "EC2 cannot assume the role",
        ),
        (
            "an instance that forbids its metadata",
            instance,
            || Response { status: 403, headers: vec![], body: "PLANTED".into() },
            "403",
        ),
    ];
    for (name, prepare, answer, words) in cases {
        eprintln!("{name}");
        let answer = *answer;
        let stub = aws::start_with(move |request| {
            // The metadata service's session and the role's name are not what fails.
            let preliminary = ["/latest/api/token", "/security-credentials/"];
            (!preliminary.iter().any(|end| request.target.ends_with(end))).then(answer)
        });
        let host = prepare(Host::new().on(&stub), &stub);
        host.run().expect_failure(Code::NoCredentials, &["loading the credentials", &stub.url(), words]);
    }
}

#[test]
fn a_source_that_cannot_be_reached_may_be_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let stub = aws::start();
    let host = Host::new().on(&stub);
    let token = host.file("token", "PLANTED.jwt");
    let host = host
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
        .env("AWS_ENDPOINT_URL_STS", nobody);
    host.run().expect_failure(Code::Connection, &["Connection refused", "check the network to STS"]);
    assert!(Code::Connection.retriable());
}

#[test]
fn sign_in_that_has_ended_is_said() {
    let stub = aws::start();
    let host = Host::new().on(&stub).config(
        "[default]\nsso_session = dev\nsso_account_id = 123456789012\nsso_role_name = flags\n\
         [sso-session dev]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n",
    );
    let cache = ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
    host.file(cache, json!({"accessToken": "PLANTED", "expiresAt": "2020-01-01T00:00:00Z"}).to_string());
    let words = ["expired", "aws sso login"];
    host.env("AWS_ENDPOINT_URL_SSO", stub.url()).run().expect_failure(Code::NoCredentials, &words);
}

#[test]
fn a_session_of_aws_login_that_is_over_is_said() {
    for (name, damage, answer, words) in [
        (
            "over",
            "",
            Some(json!({"error": "TOKEN_EXPIRED", "message": "PLANTED-refresh is over"})),
            "has ended and is not renewed (AWS Sign-In: TOKEN_EXPIRED",
        ),
        ("without a key", "dpopKey", None, "has no usable dpopKey"),
        ("without a token", "refreshToken", None, "has nothing to renew it with"),
    ] {
        eprintln!("{name}");
        let stub = aws::start_with(move |request| {
            (request.target == "/v1/token").then(|| aws::json(403, answer.as_ref().expect("it is not asked")))
        });
        let host = login(Host::new().on(&stub), "2020-01-01T00:00:00Z").env("AWS_ENDPOINT_URL_SIGNIN", stub.url());
        let session = std::fs::read_to_string(host.home().join(LOGIN)).expect("a session");
        host.file(LOGIN, if damage.is_empty() { session } else { session.replace(damage, "damaged") });
        host.run().expect_failure(Code::NoCredentials, &[words, "sign in with `aws login`"]);
    }
    let stub = aws::start();
    let host = login(Host::new().on(&stub), aws::LATER);
    host.file(LOGIN, "{\"accessToken\": PLANTED");
    host.run().expect_failure(Code::NoCredentials, &["is damaged", "sign in with `aws login`"]);
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    for (name, config, option, words) in [
        ("a line that is none", "[default]\nPLANTED\n", None, "line 2"),
        ("a section that is not closed", "[default\naws_secret_access_key = PLANTED\n", None, "line 1"),
        ("a key without its secret", "[default]\naws_access_key_id = AKIAPLANTED\n", None, "aws_secret_access_key"),
        ("a role without its source", "[default]\nrole_arn = arn:aws:iam::1:role/x\n", None, "source_profile"),
        (
            "a role from a profile that is missing",
            "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nope\n",
            None,
            "nope",
        ),
        (
            "a loop of roles",
            "[default]\nrole_arn = a\nsource_profile = b\n[profile b]\nrole_arn = b\nsource_profile = default\n",
            None,
            "loop",
        ),
        (
            "a sign-in without its session",
            "[default]\nsso_session = nope\nsso_account_id = 1\nsso_role_name = x\n",
            None,
            "nope",
        ),
        (
            "a session that nobody began",
            "[default]\nlogin_session = arn:aws:iam::1:user/x\n",
            None,
            ".json cannot be read: No such file or directory (os error 2)): sign in with `aws login`",
        ),
        ("a profile that is missing", "[default]\nregion = eu-west-1\n", Some("nope"), "\"nope\""),
    ] {
        eprintln!("{name}");
        let stub = aws::start();
        let mut host = Host::new().on(&stub).config(config);
        if let Some(profile) = option {
            host = host.option("profile", profile);
        }
        host.run().expect_failure(Code::NoCredentials, &[words]);
    }
}

#[test]
fn mistakes_in_the_environment_are_named() {
    for (name, variables, words) in [
        ("a profile that is missing", &[("AWS_PROFILE", "nope")][..], ["\"nope\"", "AWS_PROFILE"]),
        ("a file that is missing", &[("AWS_CONFIG_FILE", "/no/such/file")], ["/no/such/file", "cannot be read"]),
        ("a file that is a folder", &[("AWS_SHARED_CREDENTIALS_FILE", "/")], ["the file /", "cannot be read"]),
        ("half of the keys", &[("AWS_ACCESS_KEY_ID", "AKIAPLANTED")], ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]),
        (
            "a web identity without its role",
            &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token")],
            ["AWS_ROLE_ARN", "loading the credentials"],
        ),
        (
            "a web identity without its token",
            &[
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags"),
            ],
            ["No such file", "loading the credentials"],
        ),
        (
            "a container's endpoint that is elsewhere",
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/credentials")],
            ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "loading the credentials"],
        ),
        (
            "a metadata service that is none",
            &[("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "not a url")],
            ["AWS_EC2_METADATA_SERVICE_ENDPOINT", "loading the credentials"],
        ),
    ] {
        eprintln!("{name}");
        let stub = aws::start();
        let host = variables.iter().fold(Host::new().on(&stub), |host, (name, value)| host.env(name, value));
        host.run().expect_failure(Code::NoCredentials, &words);
    }
}

#[test]
fn keys_that_no_header_can_hold_are_refused() {
    let stub = aws::start();
    for (id, token, words) in [
        ("AKIAPLANTED\n", "PLANTED", "access key id"),
        ("AKIA PLANTED", "PLANTED", "access key id"),
        ("ASIAPLANTED", "PLANTED\r\n", "session token"),
        ("ASIAPLANTED", "PLANTED\u{1}", "session token"),
    ] {
        host(&stub)
            .option("access_key_id", id)
            .option("secret_access_key", "PLANTED")
            .option("session_token", token)
            .run()
            .expect_failure(Code::OptionValue, &[words, "line break"]);
    }
    let line_inside = host(&stub).env("AWS_ACCESS_KEY_ID", "AKIA\nPLANTED");
    line_inside.run().expect_failure(Code::NoCredentials, &["access key id", "line break"]);
    assert_eq!(stub.requests().len(), 0);
    // The line break at the end of a variable is one that nobody meant.
    host(&stub).env("AWS_SESSION_TOKEN", "PLANTED\n").run().expect_success();
}

#[test]
fn what_an_endpoint_s_url_holds_besides_the_host_is_in_no_message() {
    let url = |stub: &Stub| stub.url().replace("http://", "http://user:PLANTED@");
    type Answer = fn() -> Response;
    let answers: [Answer; 4] = [
        || aws::refusal(400, "AccessDeniedException", "not authorized"),
        || Response::new(404, "text/html", "<html></html>"),
        || Response::new(200, "text/plain", "hello"),
        || Response::new(503, "text/plain", ""),
    ];
    for answer in answers {
        let stub = Stub::start(move |_| answer());
        for end in ["", "/?token=PLANTED", "/#PLANTED"] {
            let url = url(&stub) + end;
            let outcome = host(&stub).option("endpoint", url.as_str()).run();
            assert!(outcome.calls[0].message.contains(&stub.address.to_string()), "{}", outcome.calls[0].message);
            let outcome = host(&stub).env("AWS_ENDPOINT_URL_DYNAMODB", url).run();
            assert!(outcome.calls[0].message.contains(&stub.address.to_string()), "{}", outcome.calls[0].message);
        }
    }
    let closed = Stub::start(|_| Response::new(200, "text/plain", ""));
    let gone = url(&closed);
    drop(closed);
    let stub = aws::start();
    host(&stub).option("endpoint", gone).run().expect_failure(Code::Connection, &["check the endpoint"]);
}

#[test]
fn a_secret_that_came_to_the_place_of_a_region_is_not_quoted() {
    let stub = aws::start();
    for region in ["PLANTED/bPxRfiCYEXAMPLEKEY", "PLANTED", "x\n aws_secret_access_key = PLANTED"] {
        let outcome = Host::new()
            .env("AWS_ACCESS_KEY_ID", "AKIAPLANTED")
            .env("AWS_SECRET_ACCESS_KEY", "PLANTED")
            .env("AWS_REGION", region)
            // Nobody is there, if this is taken for a region.
            .option("connect_timeout_ms", 100)
            .option("timeout_ms", 500)
            .run();
        assert!(outcome.calls[0].code.is_some());
    }
    let lines = "[default]\nregion = eu-west-1\n aws_secret_access_key = PLANTED\n";
    let outcome = Host::new().env("AWS_ENDPOINT_URL_DYNAMODB", stub.url()).config(lines).run();
    outcome.expect_failure(Code::OptionValue, &["not an AWS region"]);
}

#[test]
fn what_a_source_echoes_is_not_quoted() {
    let stub = aws::start_with(|request| {
        request.body.contains("WebIdentity").then(|| {
            aws::sts_refusal(
                "InvalidIdentityToken",
                "the token PLANTED.jwt, or Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==, is not valid",
            )
        })
    });
    let host = Host::new().on(&stub);
    let token = host.file("token", "PLANTED.jwt");
    let outcome = host
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
        .env("AWS_ENDPOINT_URL_STS", stub.url())
        .run();
    outcome.expect_failure(Code::NoCredentials, &["InvalidIdentityToken", "is not valid"]);
    assert!(!outcome.calls[0].message.contains("Zm9v"), "{}", outcome.calls[0].message);
}

#[test]
fn a_damaged_file_does_not_pass_for_a_missing_region() {
    let stub = aws::start();
    let host = Host::new()
        .env("AWS_ENDPOINT_URL_DYNAMODB", stub.url())
        .env("AWS_ACCESS_KEY_ID", "AKIAPLANTED")
        .env("AWS_SECRET_ACCESS_KEY", "PLANTED")
        .config("[default]\nregion = eu-west-1\nPLANTED\n");
    host.run().expect_failure(Code::NoRegion, &["line 3", ".aws/config"]);
    let host = Host::new().env("AWS_ACCESS_KEY_ID", "AKIAPLANTED").env("AWS_SECRET_ACCESS_KEY", "PLANTED");
    host.file(".aws/config", [0xff, 0xfe, b'[']);
    host.run().expect_failure(Code::NoRegion, &["UTF-8"]);
}

#[test]
fn a_damaged_file_does_not_matter_to_who_needs_none() {
    let stub = aws::start();
    host(&stub).config("[default]\nPLANTED\n").run().expect_success();
}
