//! `credential_process`: a program of the user's that prints credentials.

use flagstore::model::Code;

use super::aws;
use super::host::Host;
use super::stub::Stub;

/// A host whose default profile names a program with this text.
fn host(stub: &Stub, script: &str) -> Host {
    let host = Host::new().on(stub);
    let program = program(&host, script);
    host.config(&format!("[default]\ncredential_process = {program} --user 'a b'\n"))
}

fn program(host: &Host, script: &str) -> String {
    host.program("program", script)
}

/// A program that prints credentials, with how often it ran in the key id.
fn counting(expiration: &str) -> String {
    format!(
        "echo run >> \"$0.runs\"\n\
         runs=$(wc -l < \"$0.runs\" | tr -d ' ')\n\
         test \"$1 $2\" = '--user a b' || exit 1\n\
         echo PLANTED-chatter >&2\n\
         printf '{{\"Version\":1,\"AccessKeyId\":\"ASIAPROCESS%s\",\"SecretAccessKey\":\"PLANTED\",' \"$runs\"\n\
         printf '\"SessionToken\":\"PLANTED-token\"{expiration}}}'"
    )
}

fn key_ids(stub: &Stub) -> Vec<String> {
    aws::of_dynamo(stub).iter().map(|request| request.key_id().unwrap_or_default().to_owned()).collect()
}

#[test]
fn its_credentials_are_used_while_they_last() {
    for expiration in ["", r#","Expiration":"2099-01-01T00:00:00Z""#] {
        let stub = aws::start();
        host(&stub, &counting(expiration)).calls(&["get", "get"]).run().expect_success();
        assert_eq!(key_ids(&stub), ["ASIAPROCESS1", "ASIAPROCESS1"]);
        assert_eq!(aws::of_dynamo(&stub)[0].session_token(), Some("PLANTED-token"));
    }
}

#[test]
fn expired_credentials_are_asked_for_again_but_not_by_every_request() {
    let stub = aws::start();
    let script = counting(r#","Expiration":"2020-01-01T00:00:00Z""#);
    host(&stub, &script).calls(&["get", "get", "wait", "get", "get"]).run().expect_success();
    assert_eq!(key_ids(&stub), ["ASIAPROCESS1", "ASIAPROCESS1", "ASIAPROCESS2", "ASIAPROCESS2"]);
}

#[test]
fn a_host_that_ignores_its_children_s_end_may_use_it() {
    let stub = aws::start();
    host(&stub, &counting("")).ignoring_sigchld().run().expect_success();
    assert_eq!(key_ids(&stub), ["ASIAPROCESS1"]);
}

#[test]
fn the_profile_of_the_option_and_of_the_environment_is_the_one_that_counts() {
    let text = |host: &Host| {
        let script = counting("");
        let program = program(host, &script);
        format!("[default]\nregion = eu-west-1\n[profile work]\ncredential_process = {program} --user 'a b'\n")
    };
    let stub = aws::start();
    let host = Host::new().on(&stub).env("AWS_PROFILE", "work");
    let config = text(&host);
    host.config(&config).run().expect_success();
    assert_eq!(key_ids(&stub), ["ASIAPROCESS1"]);

    let stub = aws::start();
    let host = Host::new().on(&stub).option("profile", "work");
    let config = text(&host);
    host.config(&config)
        .env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
        .env("AWS_SECRET_ACCESS_KEY", "PLANTED")
        .run()
        .expect_success();
    assert_eq!(key_ids(&stub), ["ASIAPROCESS1"]);
}

#[test]
fn keys_in_the_same_profile_go_first() {
    let stub = aws::start();
    host(&stub, &counting(""))
        .credentials("[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = PLANTED\n")
        .run()
        .expect_success();
    assert_eq!(key_ids(&stub), ["AKIADEFAULT"]);
}

#[test]
fn it_may_stand_behind_a_role() {
    for roles in [
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nsource_profile = base\n[profile base]\n",
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nsource_profile = default\nexternal_id = x\n",
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/flags\nsource_profile = middle\n[profile middle]\n\
         role_arn = arn:aws:iam::123456789012:role/middle\nsource_profile = base\n[profile base]\n",
    ] {
        let stub = aws::start();
        let host = Host::new().on(&stub).env("AWS_ENDPOINT_URL_STS", stub.url());
        let program = program(&host, &counting(""));
        let config = format!("{roles}credential_process = {program} --user 'a b'\n");
        host.config(&config).calls(&["get", "get"]).run().expect_success();
        assert_eq!(key_ids(&stub), ["ASIAROLE", "ASIAROLE"], "{roles}");
        assert_eq!(stub.requests()[0].key_id(), Some("ASIAPROCESS1"), "{roles}");
    }
}

#[test]
fn one_slower_than_one_attempt_is_waited_for_and_runs_once() {
    let stub = aws::start();
    let script = format!("sleep 1\n{}", counting(""));
    host(&stub, &script).option("attempt_timeout_ms", 800).run().expect_success();
    assert_eq!(key_ids(&stub), ["ASIAPROCESS1"]);
}

#[test]
fn its_failure_is_named_and_its_output_is_not_shown() {
    for (name, script, words) in [
        ("says nothing", "exit 0", "not JSON"),
        ("is chatty", "echo 'PLANTED: please sign in'", "not JSON"),
        ("speaks another version", r#"echo '{"Version":2,"SecretAccessKey":"PLANTED"}'"#, "version 1"),
        ("has no keys", r#"echo '{"Version":1,"SecretAccessKey":"PLANTED"}'"#, "no AccessKeyId"),
        (
            "has no time",
            r#"echo '{"Version":1,"AccessKeyId":"AKIAPLANTED","SecretAccessKey":"PLANTED","Expiration":"PLANTED"}'"#,
            "expiration",
        ),
    ] {
        eprintln!("a program that {name}");
        let stub = aws::start();
        let words = ["credential_process", words];
        host(&stub, script).calls(&["get", "upsert"]).run().expect_failure(Code::NoCredentials, &words);
        assert_eq!(stub.requests().len(), 0);
    }
}

#[test]
fn one_that_fails_may_be_tried_again() {
    let stub = aws::start();
    let script = "echo run >> \"$0.runs\"; echo PLANTED; echo PLANTED >&2; exit 3";
    host(&stub, script)
        .calls(&["get", "upsert"])
        .run()
        .expect_failure(Code::Service, &["credential_process", "failed"]);
    assert!(Code::Service.retriable());
}

#[test]
fn one_that_does_not_exist_is_named() {
    let stub = aws::start();
    let host = Host::new().on(&stub).config("[default]\ncredential_process = /no/such/program\n");
    host.run().expect_failure(Code::NoCredentials, &["credential_process"]);
}

#[test]
fn one_that_hangs_meets_the_deadline_and_is_named() {
    let stub = aws::start();
    let host = host(&stub, "exec sleep 30").option("timeout_ms", 3_000).option("attempt_timeout_ms", 1_000);
    host.run().expect_failure(Code::Timeout, &["credential_process"]);
}
