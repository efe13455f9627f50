//! Every usual source of credentials, each seen to arrive at DynamoDB.

use std::net::TcpListener;
use std::time::Duration;

use flagstore::model::Code;

use super::aws;
use super::host::Host;
use super::stub::{Request, Response, Stub};

/// Runs a host and returns the one request that DynamoDB got.
fn asked(stub: &Stub, host: Host) -> Request {
    host.run().expect_success();
    let requests = aws::of_dynamo(stub);
    assert_eq!(requests.len(), 1);
    requests[0].clone()
}

/// Static keys in a profile.
fn keys(name: &str) -> String {
    format!("aws_access_key_id = AKIA{name}\naws_secret_access_key = PLANTED-{name}\n")
}

/// The environment's keys, which most other sources give way to.
fn with_environment_keys(host: Host) -> Host {
    host.env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "PLANTED-environment")
}

/// A role that another profile's keys assume.
fn role() -> String {
    format!(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nsource_profile = base\n[profile base]\n{}",
        keys("BASE")
    )
}

/// A profile that signs in by IAM Identity Center, with a token that the AWS CLI left in its cache. The file's name
/// is the SHA-1 of the session's name.
fn sso(host: Host, token: &str) -> Host {
    host.file(".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json", token);
    host.config(
        "[default]\nsso_session = dev\nsso_account_id = 123456789012\nsso_role_name = flags\n\
         [sso-session dev]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n",
    )
}

/// What the AWS CLI caches after `aws sso login`.
fn sso_token(expires: &str) -> String {
    serde_json::json!({
        "accessToken": "PLANTED-sso", "expiresAt": expires, "refreshToken": "PLANTED-refresh",
        "clientId": "client", "clientSecret": "PLANTED-client", "registrationExpiresAt": aws::LATER,
        "region": "eu-central-1", "startUrl": "https://example.awsapps.com/start",
    })
    .to_string()
}

/// A profile with what the AWS CLI caches after `aws login`. The file's name is the SHA-256 of the session's.
pub fn login(host: Host, expires: &str) -> Host {
    let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let session = serde_json::json!({
        "accessToken": {
            "accessKeyId": "ASIALOGIN", "secretAccessKey": "PLANTED-login", "sessionToken": "PLANTED-token",
            "accountId": "123456789012", "expiresAt": expires,
        },
        "tokenType": "aws_sigv4", "refreshToken": "PLANTED-refresh", "idToken": "PLANTED-id",
        "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": key, "signInRegion": "eu-central-1",
    });
    host.file(LOGIN, session.to_string());
    host.config("[default]\nlogin_session = arn:aws:iam::123456789012:user/x\n")
}

/// The file of that session.
pub const LOGIN: &str = ".aws/login/cache/2ff2a80db794fe2d23248219d580c027ab8e3592f5c59254e6a865b9c22fc859.json";

#[test]
fn every_source_signs_with_its_own_key() {
    type Prepare = fn(Host, &Stub) -> Host;
    let cases: &[(&str, &str, Option<&str>, Prepare)] = &[
        ("options", "AKIAOPTIONS", None, |host, _| {
            with_environment_keys(host)
                .option("access_key_id", "AKIAOPTIONS")
                .option("secret_access_key", "PLANTED-options")
        }),
        ("options with a session token", "ASIAOPTIONS", Some("PLANTED-token"), |host, _| {
            host.option("access_key_id", "ASIAOPTIONS")
                .option("secret_access_key", "PLANTED-options")
                .option("session_token", "PLANTED-token")
        }),
        ("environment", "AKIAENVIRONMENT", None, |host, _| {
            with_environment_keys(host).credentials(&format!("[default]\n{}", keys("DEFAULT")))
        }),
        ("environment with a session token", "AKIAENVIRONMENT", Some("PLANTED-token"), |host, _| {
            with_environment_keys(host).env("AWS_SESSION_TOKEN", "PLANTED-token")
        }),
        ("default profile in ~/.aws/credentials", "AKIADEFAULT", None, |host, _| {
            host.credentials(&format!("[default]\n{}", keys("DEFAULT")))
        }),
        ("default profile in ~/.aws/config", "AKIADEFAULT", Some("PLANTED-token"), |host, _| {
            host.config(&format!("[default]\n{}aws_session_token = PLANTED-token\n", keys("DEFAULT")))
        }),
        ("files elsewhere", "AKIAELSEWHERE", None, |host, _| {
            let config = host.file("elsewhere/config", "[profile work]\nregion = eu-west-1\n");
            let credentials = host.file("elsewhere/credentials", format!("[work]\n{}", keys("ELSEWHERE")));
            host.env("AWS_CONFIG_FILE", config)
                .env("AWS_SHARED_CREDENTIALS_FILE", credentials)
                .env("AWS_PROFILE", "work")
        }),
        ("AWS_PROFILE", "AKIAWORK", None, |host, _| {
            host.credentials(&format!("[default]\n{}[work]\n{}", keys("DEFAULT"), keys("WORK")))
                .env("AWS_PROFILE", "work")
        }),
        ("option profile before AWS_PROFILE and the environment", "AKIAWORK", None, |host, _| {
            with_environment_keys(host)
                .env("AWS_PROFILE", "other")
                .credentials(&format!("[work]\n{}[other]\n{}", keys("WORK"), keys("OTHER")))
                .option("profile", "work")
        }),
        ("option profile without credentials of its own", "AKIAENVIRONMENT", None, |host, _| {
            with_environment_keys(host).config("[profile work]\nregion = eu-west-1\n").option("profile", "work")
        }),
        ("assumed role", "ASIAROLE", Some("PLANTED-token-ROLE"), |host, stub| {
            host.config(&role()).env("AWS_ENDPOINT_URL_STS", stub.url())
        }),
        ("assumed role by option profile", "ASIAROLE", Some("PLANTED-token-ROLE"), |host, stub| {
            with_environment_keys(host)
                .config(
                    "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/flags\n\
                     credential_source = Environment\n",
                )
                .env("AWS_ENDPOINT_URL_STS", stub.url())
                .option("profile", "work")
        }),
        ("web identity", "ASIAWEBIDENTITY", Some("PLANTED-token-WEBIDENTITY"), |host, stub| {
            let token = host.file("token", "PLANTED.jwt");
            host.env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
                .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
                .env("AWS_ENDPOINT_URL_STS", stub.url())
        }),
        ("web identity by profile", "ASIAWEBIDENTITY", Some("PLANTED-token-WEBIDENTITY"), |host, stub| {
            let token = host.file("token", "PLANTED.jwt");
            host.config(&format!(
                "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nweb_identity_token_file = {}\n",
                token.display()
            ))
            .env("AWS_ENDPOINT_URL_STS", stub.url())
        }),
        ("container", "ASIACONTAINER", Some("PLANTED-token-CONTAINER"), |host, stub| {
            let token = host.file("token", "PLANTED-pod");
            host.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container/credentials", stub.url()))
                .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
        }),
        ("instance", "ASIAINSTANCE", Some("PLANTED-token-INSTANCE"), |host, stub| host.on_instance(&stub.url())),
        ("instance beside an option profile", "ASIAINSTANCE", Some("PLANTED-token-INSTANCE"), |host, stub| {
            host.on_instance(&stub.url()).config("[profile work]\nregion = eu-west-1\n").option("profile", "work")
        }),
        ("IAM Identity Center", "ASIASSO", Some("PLANTED-token-SSO"), |host, stub| {
            sso(host, &sso_token(aws::LATER)).env("AWS_ENDPOINT_URL_SSO", stub.url())
        }),
        ("a session of `aws login`", "ASIALOGIN", Some("PLANTED-token"), |host, _| login(host, aws::LATER)),
        ("a session of `aws login` to renew", "ASIARENEWED", Some("PLANTED-renewed"), |host, stub| {
            login(host, "2020-01-01T00:00:00Z").env("AWS_ENDPOINT_URL_SIGNIN", stub.url())
        }),
        ("IAM Identity Center with a token to renew", "ASIASSO", Some("PLANTED-token-SSO"), |host, stub| {
            sso(host, &sso_token("2020-01-01T00:00:00Z"))
                .env("AWS_ENDPOINT_URL_SSO", stub.url())
                .env("AWS_ENDPOINT_URL_SSO_OIDC", stub.url())
        }),
    ];
    for (name, key, token, prepare) in cases {
        eprintln!("{name}");
        let stub = aws::start();
        let request = asked(&stub, prepare(Host::new().on(&stub), &stub));
        assert_eq!((request.key_id(), request.session_token()), (Some(*key), *token), "{name}");
        assert_eq!(request.region(), Some("eu-west-1"), "{name}");
    }
}

#[test]
fn what_hands_out_credentials_is_asked_as_it_wants_to_be() {
    let stub = aws::start();
    Host::new().on(&stub).config(&role()).env("AWS_ENDPOINT_URL_STS", stub.url()).run().expect_success();
    let requests = stub.requests();
    assert_eq!((requests[0].key_id(), requests[0].region()), (Some("AKIABASE"), Some("eu-west-1")));
    assert!(requests[0].body.contains("role%2Fflags"), "{}", requests[0].body);

    let stub = aws::start();
    let host = Host::new().on(&stub);
    let token = host.file("token", "PLANTED.jwt");
    host.env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
        .env("AWS_ENDPOINT_URL_STS", stub.url())
        .run()
        .expect_success();
    let requests = stub.requests();
    assert!(requests[0].key_id().is_none() && requests[0].body.contains("WebIdentityToken=PLANTED.jwt"));

    let stub = aws::start();
    let host = Host::new().on(&stub);
    let token = host.file("token", "PLANTED-pod");
    host.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/container/credentials", stub.url()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
        .run()
        .expect_success();
    assert_eq!(stub.requests()[0].header("authorization"), Some("PLANTED-pod"));

    let stub = aws::start();
    let host = sso(Host::new().on(&stub), &sso_token(aws::LATER)).env("AWS_ENDPOINT_URL_SSO", stub.url());
    host.run().expect_success();
    let request = stub.requests()[0].clone();
    assert_eq!(request.header("x-amz-sso_bearer_token"), Some("PLANTED-sso"));
    assert!(request.target.contains("account_id=123456789012") && request.target.contains("role_name=flags"));
}

#[test]
fn a_session_of_aws_login_is_renewed_by_a_proof_and_left_for_the_next() {
    let stub = aws::start();
    let keeper = login(Host::new(), "2020-01-01T00:00:00Z");
    let file = keeper.home().join(LOGIN);
    let host = login(Host::new().on(&stub), "2020-01-01T00:00:00Z")
        .env("AWS_ENDPOINT_URL_SIGNIN", stub.url())
        .env("AWS_LOGIN_CACHE_DIRECTORY", file.parent().expect("a folder"));
    host.calls(&["get", "get"]).run().expect_success();
    let asked: Vec<_> = stub.requests().into_iter().filter(|request| request.target == "/v1/token").collect();
    assert_eq!(asked.len(), 1, "it is renewed once");
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).expect("JSON");
    assert_eq!((&body["grantType"], &body["refreshToken"]), (&"refresh_token".into(), &"PLANTED-refresh".into()));
    assert_eq!(asked[0].header("dpop").map(|proof| proof.split('.').count()), Some(3));
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("a session")).expect("JSON");
    assert_eq!(kept["accessToken"]["accessKeyId"], "ASIARENEWED");
    assert_eq!((&kept["refreshToken"], &kept["idToken"]), (&"PLANTED-next".into(), &"PLANTED-id".into()));
    assert_eq!(kept["accessToken"]["accountId"], "123456789012");
}

#[test]
fn profiles_are_read_as_the_aws_cli_writes_them() {
    let sections = |name: &str, body: &str| format!("[{name}]\n{body}");
    for (what, config, credentials, selected, key) in [
        ("a name in quotes", sections("profile \"work\"", &keys("WORK")), String::new(), "work", "AKIAWORK"),
        ("a name with spaces", sections("profile \"my work\"", &keys("WORK")), String::new(), "my work", "AKIAWORK"),
        ("a name in single quotes", sections("profile 'my work'", &keys("WORK")), String::new(), "my work", "AKIAWORK"),
        (
            "a name with spaces in the other file",
            String::new(),
            sections("my work", &keys("WORK")),
            "my work",
            "AKIAWORK",
        ),
        (
            "nested properties",
            sections(
                "profile work",
                &format!("s3 =\n  max_concurrent_requests = 20\n  addressing_style = path\n{}", keys("WORK")),
            ),
            String::new(),
            "work",
            "AKIAWORK",
        ),
        (
            "comments, spaces and empty lines",
            "# first\n\n [ profile   work ] # mine\n; second\naws_access_key_id=AKIAWORK\n\naws_secret_access_key   =   PLANTED # not a part\n"
                .to_owned(),
            String::new(),
            "work",
            "AKIAWORK",
        ),
        (
            "line ends of Windows",
            sections("profile work", &keys("WORK")).replace('\n', "\r\n"),
            String::new(),
            "work",
            "AKIAWORK",
        ),
    ] {
        for by in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "option"] {
            eprintln!("{what} by {by}");
            let stub = aws::start();
            let host = Host::new().on(&stub).config(&config).credentials(&credentials);
            let host = if by == "option" { host.option("profile", selected) } else { host.env(by, selected) };
            assert_eq!(asked(&stub, host).key_id(), Some(key), "{what} by {by}");
        }
    }
    let stub = aws::start();
    let both = format!("[one]\n{}[two]\n{}", keys("ONE"), keys("TWO"));
    let host = Host::new().on(&stub).credentials(&both).env("AWS_PROFILE", "one").env("AWS_DEFAULT_PROFILE", "two");
    assert_eq!(asked(&stub, host).key_id(), Some("AKIAONE"));
}

#[test]
fn a_role_is_assumed_for_as_long_as_the_profile_says() {
    let stub = aws::start();
    let config = role().replacen(
        "source_profile",
        "duration_seconds = 1800\nexternal_id = a&b\nrole_session_name = me\nsource_profile",
        1,
    );
    Host::new().on(&stub).config(&config).env("AWS_ENDPOINT_URL_STS", stub.url()).run().expect_success();
    let body = &stub.requests()[0].body;
    for part in ["&DurationSeconds=1800", "&ExternalId=a%26b", "&RoleSessionName=me"] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[test]
fn what_a_profile_has_that_is_not_used_is_said_once() {
    let stub = aws::start();
    let config = role().replacen(
        "source_profile",
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\nregoin = eu-west-2\nPLANTEDKEY8AND9NUMBERS = x\noutput = json\nsource_profile",
        1,
    ) + "max_attempts = 7\n";
    let host = Host::new().on(&stub).config(&config).env("AWS_ENDPOINT_URL_STS", stub.url());
    let outcome = host.calls(&["get", "get"]).run();
    outcome.expect_success();
    let said = &outcome.calls[0].message;
    for words in [
        "[the profile \"default\" has mfa_serial, which is not used: nobody can be asked for a code]",
        "[the profile \"default\" has properties that are not used: regoin and 1 more, whose names are none that AWS has]",
        "[the profile \"base\" has max_attempts, which is not used: how often is tried again follows",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    assert_eq!(outcome.calls[1].message, "");
    // Nothing of a profile is used where everything is given.
    let host = Host::new().config(&config).option("endpoint", stub.url());
    let outcome = host.option("access_key_id", "AKIAOPTIONS").option("secret_access_key", "PLANTED").run();
    assert_eq!((outcome.calls[0].code, &*outcome.calls[0].message), (None, ""));
}

#[test]
fn credentials_are_asked_for_once_while_they_last() {
    let stub = aws::start();
    let host = Host::new().on(&stub).config(&role()).env("AWS_ENDPOINT_URL_STS", stub.url());
    host.calls(&["get", "upsert", "get"]).run().expect_success();
    assert_eq!((aws::of_dynamo(&stub).len(), stub.requests().len()), (3, 4));
}

#[test]
fn credentials_that_have_expired_are_renewed() {
    let stub = aws::start_with(|request| {
        request
            .body
            .contains("Action=AssumeRole&")
            .then(|| aws::sts_credentials("AssumeRole", "ROLE", "2020-01-01T00:00:00Z"))
    });
    let host = Host::new().on(&stub).config(&role()).env("AWS_ENDPOINT_URL_STS", stub.url());
    host.calls(&["get", "wait", "get"]).run().expect_success();
    assert_eq!((aws::of_dynamo(&stub).len(), stub.requests().len()), (2, 4));
}

#[test]
fn a_source_slower_than_one_attempt_is_waited_for() {
    // The role's credentials come when the library has given up the attempt that asked for them.
    let stub = aws::start_with(|request| {
        if request.body.contains("Action=AssumeRole&") {
            std::thread::park_timeout(Duration::from_millis(900));
        }
        None
    });
    let host = Host::new().on(&stub).config(&role()).env("AWS_ENDPOINT_URL_STS", stub.url());
    host.option("attempt_timeout_ms", 600).run().expect_success();
    let assumed = stub.requests().iter().filter(|request| request.body.contains("Action=AssumeRole&")).count();
    assert_eq!(assumed, 1, "the role is assumed once");
}

#[test]
fn credentials_that_come_later_are_found() {
    for (name, before) in
        [("nothing", ""), ("another profile", "[profile work]\n"), ("a mistake", "[default]\nPLANTED\n")]
    {
        eprintln!("{name}");
        let stub = aws::start();
        let host = Host::new().on(&stub).config(before);
        host.file("later/credentials", format!("[default]\n{}", keys("DEFAULT")));
        let outcome = host.calls(&["get", "sign in", "get"]).run();
        let codes: Vec<_> = outcome.calls.iter().map(|call| call.code).collect();
        assert_eq!(codes, [Some(Code::NoCredentials), None], "{name}");
        assert_eq!(aws::of_dynamo(&stub)[0].key_id(), Some("AKIADEFAULT"));
    }
}

#[test]
fn no_credentials_anywhere_is_said_with_the_remedy() {
    let words = ["no AWS credentials", "DynamoDB in eu-west-1", "AWS_ACCESS_KEY_ID"];
    Host::new().env("AWS_REGION", "eu-west-1").run().expect_failure(Code::NoCredentials, &words);
}

#[test]
fn an_instance_without_a_role_is_no_credentials() {
    let stub = aws::start_with(|request| {
        request.target.contains("security-credentials").then(|| Response::new(404, "text/plain", ""))
    });
    Host::new()
        .on(&stub)
        .on_instance(&stub.url())
        .run()
        .expect_failure(Code::NoCredentials, &["give the process a role"]);
}

#[test]
fn a_metadata_service_that_never_answers_is_no_credentials_in_time() {
    // Outside EC2 packets to the metadata service may vanish; here they are taken and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let stub = aws::start();
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    Host::new()
        .on(&stub)
        .on_instance(&url)
        .run()
        .expect_failure(Code::NoCredentials, &["AWS_ACCESS_KEY_ID", "raise the instance's hop limit to 2"]);
}
