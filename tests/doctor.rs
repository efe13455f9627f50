//! `flagstore doctor` on set-ups that are broken in one way each: it names what is wrong and what to do, shows no secret, and
//! writes nothing. And `ls`, `get` and `diff`, on every endpoint.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may end where it cannot go on")]

#[path = "doctor/commands.rs"]
mod commands;
#[allow(dead_code, reason = "not every test program uses all of it")]
mod endpoint;
#[path = "doctor/setup.rs"]
mod setup;
#[path = "credentials/stub.rs"]
#[allow(dead_code, reason = "not every test program uses all of it")]
mod stub;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use setup::{Setup, error, ok, row, untrusted};
use stub::Stub;

/// The finding that a set-up must lead to: what was looked at, how bad it is, and words of what was found.
type Wanted<'a> = (&'a str, &'a str, &'a [&'a str]);

fn expect(setup: Setup, wanted: Wanted<'_>) {
    let name = setup.name;
    let run = setup.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{name}: {run:?}"));
    let (check, level, words) = wanted;
    let findings = report["findings"].as_array().expect("findings");
    let found = findings
        .iter()
        .find(|finding| finding["check"] == check && finding["level"] == level)
        .unwrap_or_else(|| panic!("{name}: no {level} of {check:?}: {report:#}"));
    for word in words {
        assert!(found["found"].as_str().expect("text").contains(word), "{name}: {word:?} is not in {found}");
    }
    assert!(found["remedy"].as_str().is_some_and(|remedy| remedy.len() > 10), "{name}: what to do? {found}");
    let of_level = |level: &str| findings.iter().filter(|finding| finding["level"] == level).count();
    assert_eq!(report["problems"], of_level("problem"), "{name}");
    assert_eq!(report["warnings"], of_level("warning"), "{name}");
    // What was broken is all that is wrong.
    let wrong = of_level("problem") + of_level("warning");
    assert_eq!(wrong, 1, "{name}: {report:#}");
    assert_eq!(run.status, i32::from(level == "problem"), "{name}: {run:?}");
    // The table says the same, and what to do stands under it.
    let table = setup.run(&["doctor"]);
    let mut lines = table.stdout.lines().skip_while(|line| !line.starts_with(level));
    let line = lines.next().unwrap_or_else(|| panic!("{name}: no {level}: {table:?}"));
    assert!(line[level.len()..].trim_start().starts_with(check), "{name}: {line}");
    assert!(lines.next().is_some_and(|line| line.trim_start().starts_with("-> ")), "{name}: {table:?}");
    assert_eq!(table.status, run.status, "{name}");
}

#[test]
fn a_set_up_that_is_well_is_found_well() {
    let stub = Stub::start(ok);
    let run = Setup::on("well", &stub).run(&["doctor"]);
    assert_eq!(run.status, 0, "{run:?}");
    for line in run.stdout.lines() {
        assert!(line.starts_with("ok "), "{line}");
    }
    for check in ["library", "region", "credentials", "clock", "get", "query", "put", "delete", "initialised"] {
        assert!(
            run.stdout.lines().any(|line| line.split_whitespace().nth(1) == Some(check)),
            "{check}: {}",
            run.stdout
        );
    }
    assert!(run.stdout.contains("ends in MPLE") && run.stdout.contains("from the environment"), "{}", run.stdout);
    // What would need the right to write came with a condition that no row can meet, the deletion first.
    let asked: Vec<_> = stub.requests().iter().filter_map(setup::operation).collect();
    let writes: Vec<_> =
        asked.iter().filter(|(operation, _)| ["PutItem", "DeleteItem"].contains(&&**operation)).collect();
    assert_eq!(writes.iter().map(|(operation, _)| &**operation).collect::<Vec<_>>(), ["DeleteItem", "PutItem"]);
    for (operation, body) in &asked {
        match &**operation {
            "GetItem" | "Query" => assert!(body.to_string().contains("p:"), "only under its own prefix: {body}"),
            "PutItem" | "DeleteItem" => {
                let condition = body["ConditionExpression"].as_str().expect("a condition");
                assert!(condition.starts_with("attribute_exists(#namespace) AND #version = :version"), "{condition}");
                assert_eq!(body["ExpressionAttributeValues"][":version"]["N"], "9".repeat(38));
            }
            other => panic!("it asked for {other}"),
        }
    }
}

#[test]
fn settings_that_are_missing_or_wrong() {
    expect(Setup::nowhere("no region").without("AWS_REGION"), ("region", "problem", &["no AWS region"]));
    expect(Setup::nowhere("no region's name").env("AWS_REGION", "eu west 1"), ("settings", "problem", &["eu west 1"]));
    expect(
        Setup::nowhere("no such bundle").arguments(&["--option", "ca_bundle=/nowhere/ca.pem"]),
        ("settings", "problem", &["ca_bundle", "/nowhere/ca.pem"]),
    );
}

#[test]
fn credentials_that_are_missing_or_wrong() {
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let without_keys = |name| keys.into_iter().fold(Setup::nowhere(name), Setup::without);
    expect(without_keys("no credentials"), ("credentials", "problem", &["no AWS credentials"]));
    expect(
        Setup::nowhere("half a pair").without("AWS_SECRET_ACCESS_KEY"),
        ("credentials", "problem", &["AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY"]),
    );
    expect(
        without_keys("no such profile").arguments(&["--profile", "absent"]),
        ("credentials", "problem", &["absent"]),
    );
    let broken = "[default]\naws_access_key_id = AKIAEXAMPLE\nPLANTED-line without an equals sign\n";
    expect(without_keys("a broken file").file(".aws/credentials", broken), ("credentials", "problem", &[]));
    let says_no = |name: &'static str| {
        move |request: &stub::Request| match setup::operation(request) {
            Some(_) => error(400, name, "The security token PLANTED-session included in the request is wrong"),
            None => error(404, "UnknownOperation", ""),
        }
    };
    for (name, answer, words) in [
        ("expired", "ExpiredTokenException", "expired"),
        ("unknown", "UnrecognizedClientException", "not known"),
        ("wrongly signed", "InvalidSignatureException", "secret access key"),
    ] {
        expect(Setup::on(name, &Stub::start(says_no(answer))), ("credentials", "problem", &[words]));
    }
}

#[test]
fn sources_of_credentials_that_fail_or_refuse() {
    let without_keys = |setup: Setup| {
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].into_iter().fold(setup, Setup::without)
    };
    let says = |status, body: &'static str| {
        Stub::start(move |request| match setup::operation(request) {
            Some(_) => ok(request),
            None => stub::Response::new(status, "text/xml", body),
        })
    };
    let profile = |name, text: &str| without_keys(Setup::nowhere(name)).file(".aws/config", text);
    for (name, text, words) in [
        ("never signed in", "[default]\nlogin_session = arn:aws:iam::1:user/x\n", "the session of `aws login` in"),
        (
            "no sign-in to IAM Identity Center",
            "[default]\nsso_start_url = https://x.test\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = x\n",
            "the SSO token in",
        ),
        (
            "a program that fails",
            "[default]\ncredential_process = echo PLANTED; echo PLANTED >&2; exit 3\n",
            "the credential_process of the profile failed",
        ),
        (
            "a program that prints nonsense",
            "[default]\ncredential_process = echo '{\"AccessKeyId\": \"PLANTED'\n",
            "the credential_process of the profile",
        ),
        ("a secret in the place of a source", "[default]\nrole_arn = x\ncredential_source = PLANTED\n", "is none of"),
    ] {
        // A program that failed may not fail the next time: the message has its own code.
        expect(profile(name, text).arguments(&["--option", "timeout_ms=900"]), ("credentials", "problem", &[words]));
    }
    let refusal = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>PLANTED.jwt is none</Message></Error></ErrorResponse>";
    let sts = says(400, refusal);
    let setup = without_keys(Setup::on("a web identity that is refused", &sts)).file("token", "PLANTED.jwt");
    let token = setup.path("token");
    let web = setup
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/x")
        .env("AWS_ENDPOINT_URL_STS", &sts.url());
    expect(web, ("credentials", "problem", &["STS: InvalidIdentityToken: … is none"]));
    let agent = says(403, "PLANTED-pod may not");
    let container = without_keys(Setup::on("a container that says no", &agent))
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", agent.url()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "PLANTED-pod");
    expect(container, ("credentials", "problem", &["the container's endpoint: status 403"]));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let metadata = format!("http://{}", silent.local_addr().expect("an address"));
    let instance = without_keys(Setup::nowhere("a container on EC2 that is one hop too far"))
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata);
    expect(instance, ("credentials", "problem", &["raise the instance's hop limit to 2"]));
}

#[test]
fn who_asks_is_told_by_where_the_credentials_come_from() {
    let stub = Stub::start(ok);
    let profile = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = PLANTED\nmfa_serial = x\nregoin = y\n";
    let setup = Setup::on("a profile", &stub).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    let run = setup.without("AWS_SESSION_TOKEN").file(".aws/config", profile).run(&["doctor"]);
    assert!(run.stdout.contains("ends in MPLE, from a profile"), "{}", run.stdout);
    for words in ["has mfa_serial, which is not used: nobody can be", "has properties that are not used: regoin"] {
        assert!(
            run.stdout.lines().any(|line| line.starts_with("note     profile ") && line.contains(words)),
            "{run:?}"
        );
    }
    assert_eq!(run.status, 0);
    let options = r#"{"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "PLANTED"}"#;
    let setup = Setup::on("options", &stub).file("options.json", options);
    let path = setup.path("options.json");
    let run = setup.arguments(&["--options", &path]).run(&["doctor"]);
    assert!(run.stdout.contains("ends in MPLE, from the options"), "{}", run.stdout);
}

#[test]
fn a_proxy_or_an_authority_that_stands_in_the_way() {
    let proxy = Stub::start(|_| stub::Response::new(407, "text/plain", "PLANTED"));
    let through = |name, user: &str| {
        let url = proxy.url().replace("http://", &format!("http://{user}"));
        Setup::nowhere(name).env("HTTPS_PROXY", &url).arguments(&["--endpoint", "https://db.test"])
    };
    let named = proxy.url();
    for (name, user, words) in [
        ("a proxy that wants a password", "", "wants a user and a password"),
        ("a proxy with another password", "user:PLANTED@", "does not take the user and password"),
    ] {
        expect(through(name, user), ("proxy", "problem", &[words, &named]));
    }
    let gone = Setup::nowhere("a proxy that is gone").env("HTTPS_PROXY", "http://user:PLANTED@127.0.0.1:1");
    let gone = gone.arguments(&["--endpoint", "https://db.test"]);
    expect(gone, ("proxy", "problem", &["through the proxy http://127.0.0.1:1", "refused"]));
    let wrong = Setup::nowhere("a proxy of another kind").env("HTTPS_PROXY", "socks5://user:PLANTED@proxy");
    expect(wrong.arguments(&["--endpoint", "https://db.test"]), ("settings", "problem", &["HTTPS_PROXY"]));

    let secure = Stub::start_tls(untrusted(), ok);
    let setup = Setup::on("no authorities on the machine", &secure).file("none.pem", "").file("certs/none", "");
    let (file, folder) = (setup.path("none.pem"), setup.path("certs"));
    let bare = setup.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", &folder);
    expect(bare, ("certificate", "problem", &["install the package ca-certificates"]));
}

#[test]
fn secrets_that_came_to_the_wrong_place() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let endpoint = format!("http://user:PLANTED@{address}/?token=PLANTED");
    let setup = Setup::nowhere("in an endpoint").arguments(&["--endpoint", &endpoint]);
    expect(setup, ("connection", "problem", &["refused", &address.to_string()]));
    let setup = Setup::nowhere("in a region").env("AWS_REGION", "PLANTED/bPxRfiCYEXAMPLEKEY");
    expect(setup, ("settings", "problem", &["what is given as the region is not an AWS region"]));
    let lines = "[default]\nregion = eu-west-1\n aws_secret_access_key = PLANTED\n";
    let setup = Setup::nowhere("in the line after a region").without("AWS_REGION").file(".aws/config", lines);
    expect(setup, ("settings", "problem", &["not an AWS region"]));
    let setup = Setup::nowhere("in an access key id").env("AWS_ACCESS_KEY_ID", "AKIA\nPLANTED");
    expect(setup, ("credentials", "problem", &["access key id has a line break"]));
}

#[test]
fn a_clock_that_is_off() {
    let words = "Signature expired: 20200101T000000Z is now earlier than 20200101T000001Z";
    let never = Stub::start(move |_| error(400, "InvalidSignatureException", words));
    expect(Setup::on("a clock that nothing helps", &never), ("clock", "problem", &["clock"]));
    // Who says what time it is gets requests of that time.
    let corrected = Stub::start(move |request| {
        let date = request.header("x-amz-date").expect("a date").to_owned();
        if date.starts_with("2033") {
            return ok(request);
        }
        let mut refusal = error(400, "InvalidSignatureException", words);
        refusal.headers.push(("date", "Wed, 18 May 2033 03:33:20 GMT".to_owned()));
        refusal
    });
    expect(Setup::on("a clock that is years behind", &corrected), ("clock", "warning", &["behind", "days"]));
}

#[test]
fn an_endpoint_that_is_not_reached() {
    let unknown = Setup::nowhere("no such name").arguments(&["--endpoint", "http://no-such-host.invalid"]);
    expect(unknown, ("name", "problem", &["no-such-host.invalid"]));
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let refused = Setup::nowhere("nobody listens").arguments(&["--endpoint", &format!("http://{address}")]);
    expect(refused, ("connection", "problem", &["refused", &address.to_string()]));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let hangs = Setup::nowhere("nobody answers").arguments(&[
        "--endpoint",
        &format!("http://{address}"),
        "--option",
        "timeout_ms=400",
    ]);
    expect(hangs, ("connection", "problem", &["no answer within"]));
    let nobodys = Stub::start_tls(untrusted(), ok);
    expect(Setup::on("a certificate of nobody's", &nobodys), ("certificate", "problem", &["certificate"]));
}

#[test]
fn a_table_that_is_not_there_or_another_one() {
    for (name, answer, words, check) in [
        ("no table", "ResourceNotFoundException", "Requested resource not found", "table"),
        ("other keys", "ValidationException", "The provided key element does not match the schema", "schema"),
        ("throttled", "ProvisionedThroughputExceededException", "slow down", "capacity"),
        ("a fault", "InternalServerError", "oh", "service"),
    ] {
        let stub = Stub::start(move |_| error(400, answer, words));
        let setup = Setup::on(name, &stub).arguments(&["--option", "timeout_ms=400"]);
        expect(setup, (check, "problem", &["\"flags\""]));
    }
    let page = Stub::start(|_| stub::Response::new(200, "text/html", "<html>PLANTED</html>"));
    let setup = Setup::on("a web page", &page).arguments(&["--option", "timeout_ms=400"]);
    expect(setup, ("endpoint", "problem", &["no DynamoDB response"]));
}

#[test]
fn rights_that_are_missing() {
    let denied = |wanted: &'static str| {
        Stub::start(move |request| match setup::operation(request) {
            Some((operation, _)) if operation == wanted => {
                error(400, "AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized")
            }
            _ => ok(request),
        })
    };
    for (operation, check, level) in [
        ("GetItem", "get", "problem"),
        ("Query", "query", "problem"),
        ("PutItem", "put", "warning"),
        ("DeleteItem", "delete", "warning"),
    ] {
        let stub = denied(operation);
        let setup = Setup::on(operation, &stub);
        if operation == "GetItem" {
            // The big segments' row is one too.
            let run = setup.run(&["doctor"]);
            assert!(run.status == 1 && run.stdout.contains("allow dynamodb:GetItem"), "{run:?}");
            continue;
        }
        expect(setup, (check, level, &["may not do this"]));
    }
}

#[test]
fn an_endpoint_that_ignores_conditions_is_never_written_to() {
    let stub = Stub::start(|request| match setup::operation(request) {
        Some((operation, _)) if operation == "DeleteItem" => setup::answer(&json!({})),
        Some((operation, _)) if operation == "PutItem" => panic!("it was written to"),
        _ => ok(request),
    });
    expect(Setup::on("no conditions", &stub), ("conditions", "problem", &["every writer would overwrite"]));
    assert!(stub.requests().iter().filter_map(setup::operation).all(|(operation, _)| operation != "PutItem"));
}

#[test]
fn data_that_are_missing_or_cannot_be_read() {
    let nothing = |request: &stub::Request| match setup::operation(request) {
        Some((operation, _)) if operation == "GetItem" => setup::answer(&json!({})),
        _ => ok(request),
    };
    expect(Setup::on("never initialised", &Stub::start(nothing)), ("initialised", "problem", &["\"p\"", "$inited"]));

    let elsewhere = Stub::start(move |request| match setup::operation(request) {
        Some((operation, body)) if operation == "GetItem" && body["Key"]["key"]["S"] == "$inited" => {
            setup::answer(&json!({"Item": body["Key"]}))
        }
        Some((operation, _)) if operation == "Query" => setup::answer(&json!({"Items": []})),
        _ => nothing(request),
    });
    let run = Setup::on("another prefix", &elsewhere).run(&["doctor"]);
    assert!(run.stdout.contains("there is a data set without a prefix"), "{}", run.stdout);

    let rows = |rows: Value| {
        Stub::start(move |request| match setup::operation(request) {
            Some((operation, body)) if operation == "Query" && body.to_string().contains("p:features") => {
                setup::answer(&json!({"Items": rows}))
            }
            _ => ok(request),
        })
    };
    let broken = rows(json!([row("fine", "1", "{}"), row("em\nty", "2", "")]));
    expect(Setup::on("unreadable", &broken), ("unreadable rows", "warning", &["1 features", "em\\nty", "is empty"]));
    let wide = rows(json!([row("wide", "1", &format!("{{\"PLANTED\":\"{}\"}}", "x".repeat(390_000)))]));
    expect(Setup::on("nearly too large", &wide), ("large rows", "warning", &["\"wide\" has 390"]));
    let bomb = json!({
        "key": {"S": "bomb"}, "version": {"N": "1"}, "item": {"S": "{}"},
        "flagstore_version": {"N": "2"}, "flagstore_item": {"B": setup::bomb()},
    });
    expect(Setup::on("a bomb", &rows(json!([bomb]))), ("unreadable rows", "warning", &["bomb", "16 MiB"]));

    let stale = Stub::start(|request| match setup::operation(request) {
        Some((operation, body)) if operation == "GetItem" && body.to_string().contains("big_segments_metadata") => {
            let mut item = body["Key"].clone();
            item["synchronizedOn"] = json!({"N": "1700000000000"});
            setup::answer(&json!({"Item": item}))
        }
        _ => ok(request),
    });
    expect(Setup::on("stale big segments", &stale), ("big segments", "warning", &["days ago"]));
}

#[test]
fn a_cache_directory_that_cannot_be_used() {
    let stub = Stub::start(ok);
    let setup = Setup::on("anybody's", &stub);
    let path = setup.folder("cache");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    let option = format!("cache_dir={}", path.display());
    expect(setup.arguments(&["--option", &option]), ("cache directory", "problem", &["others may write to it"]));
    let lost = Setup::on("below nothing", &stub).arguments(&["--option", "cache_dir=/nowhere/at/all"]);
    expect(lost, ("cache directory", "problem", &["/nowhere/at/all"]));
    // One that would be made is not made by looking.
    let setup = Setup::on("not yet", &stub);
    let path = setup.folder("a").join("cache");
    let run = setup.arguments(&["--option", &format!("cache_dir={}", path.display())]).run(&["doctor"]);
    assert!(run.status == 0 && run.stdout.contains("it will be made") && !path.exists(), "{run:?}");
}

#[test]
fn it_ends_in_time_where_everything_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let started = std::time::Instant::now();
    let run =
        Setup::nowhere("hangs").arguments(&["--endpoint", &endpoint, "--option", "timeout_ms=300"]).run(&["doctor"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(started.elapsed() < Duration::from_secs(30), "it took {:?}", started.elapsed());
}
