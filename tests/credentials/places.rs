//! The region and the endpoint: where they come from, and what is said when they are missing or make no sense.

use std::net::TcpListener;

use flagstore::model::Code;

use super::aws;
use super::host::Host;
use super::stub::{Response, Stub};

/// A host with keys and an endpoint, without a region.
fn host(stub: &Stub) -> Host {
    keys(Host::new()).env("AWS_ENDPOINT_URL_DYNAMODB", stub.url())
}

fn keys(host: Host) -> Host {
    host.env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "PLANTED")
}

#[test]
fn every_source_of_the_region_is_used() {
    type Prepare = fn(Host, &Stub) -> Host;
    let cases: &[(&str, &str, Prepare)] = &[
        ("option", "eu-north-1", |host, _| host.option("region", "eu-north-1").env("AWS_REGION", "eu-south-1")),
        ("AWS_REGION", "eu-south-1", |host, _| {
            host.env("AWS_REGION", "eu-south-1").env("AWS_DEFAULT_REGION", "eu-south-2")
        }),
        ("AWS_DEFAULT_REGION", "eu-south-2", |host, _| host.env("AWS_DEFAULT_REGION", "eu-south-2")),
        ("an empty AWS_REGION", "eu-south-2", |host, _| {
            host.env("AWS_REGION", "").env("AWS_DEFAULT_REGION", "eu-south-2")
        }),
        ("default profile", "ca-west-1", |host, _| host.config("[default]\nregion = ca-west-1\n")),
        ("AWS_PROFILE", "ca-central-1", |host, _| {
            host.env("AWS_PROFILE", "work")
                .config("[default]\nregion = ca-west-1\n[profile work]\nregion = ca-central-1\n")
        }),
        ("option profile", "ca-central-1", |host, _| {
            host.option("profile", "work")
                .config("[default]\nregion = ca-west-1\n[profile work]\nregion = ca-central-1\n")
        }),
        ("source profile", "ca-west-1", |host, _| {
            host.config("[default]\nsource_profile = base\n[profile base]\nregion = ca-west-1\n")
        }),
        ("instance", "ap-southeast-2", |host, stub| host.on_instance(&stub.url())),
        ("endpoint and keys in the options", "us-east-1", |host, stub| {
            host.option("endpoint", stub.url())
                .option("access_key_id", "AKIAOPTIONS")
                .option("secret_access_key", "PLANTED")
        }),
        ("endpoint in the options", "us-east-1", |host, stub| host.option("endpoint", stub.url())),
    ];
    for (name, region, prepare) in cases {
        eprintln!("{name}");
        let stub = aws::start();
        prepare(host(&stub), &stub).run().expect_success();
        assert_eq!(aws::of_dynamo(&stub)[0].region(), Some(*region), "{name}");
    }
}

#[test]
fn no_region_anywhere_is_said_with_the_remedy() {
    let stub = aws::start();
    let words = ["no AWS region", "\"flags\"", "option \"region\"", "AWS_REGION"];
    host(&stub).run().expect_failure(Code::NoRegion, &words);
    host(&stub).config("[default]\noutput = json\n").run().expect_failure(Code::NoRegion, &words);
    // Outside EC2 packets to the metadata service may vanish; here they are taken and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    host(&stub).on_instance(&url).run().expect_failure(Code::NoRegion, &words);
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn a_region_that_is_none_is_said_with_where_it_came_from() {
    let stub = aws::start();
    for wrong in ["eu west 1", "eu-west-1\n", "evil.example.com/", "région", "eu-west-1#", "-"] {
        eprintln!("{wrong:?}");
        let words = ["region", "such as eu-west-1"];
        keys(Host::new()).env("AWS_REGION", wrong).run().expect_failure(Code::OptionValue, &words);
        keys(Host::new()).option("region", wrong).run().expect_failure(Code::OptionValue, &words);
    }
    keys(Host::new())
        .config("[default]\nregion = eu west 1\n")
        .run()
        .expect_failure(Code::OptionValue, &["region", "such as eu-west-1"]);
    assert_eq!(stub.requests().len(), 0);
}

#[test]
fn every_source_of_the_endpoint_is_used() {
    type Prepare = fn(Host, &str) -> Host;
    type Choose = fn(Host, &str, &str) -> Host;
    // Whoever listens here answers nothing that DynamoDB would.
    let elsewhere = Stub::start(|_| Response::new(404, "text/plain", ""));
    let wrong = elsewhere.url();
    let cases: &[(&str, Prepare)] = &[
        ("AWS_ENDPOINT_URL_DYNAMODB", |host, url| host.env("AWS_ENDPOINT_URL_DYNAMODB", url)),
        ("AWS_ENDPOINT_URL", |host, url| host.env("AWS_ENDPOINT_URL", url)),
        ("endpoint_url of the profile", |host, url| host.config(&format!("[default]\nendpoint_url = {url}\n"))),
        ("endpoint_url of the profile's service", |host, url| {
            host.config(&format!("[default]\nservices = here\n[services here]\ndynamodb =\n  endpoint_url = {url}\n"))
        }),
        ("endpoint_url of the option's profile", |host, url| {
            host.option("profile", "work").config(&format!("[profile work]\nendpoint_url = {url}\n"))
        }),
    ];
    for (name, prepare) in cases {
        eprintln!("{name}");
        let stub = aws::start();
        prepare(keys(Host::new()).env("AWS_REGION", "eu-west-1"), &stub.url()).run().expect_success();
        assert_eq!(aws::of_dynamo(&stub).len(), 1, "{name}");
    }
    let precedence: &[(&str, Choose)] = &[
        ("option before the environment", |host, url, wrong| {
            host.option("endpoint", url).env("AWS_ENDPOINT_URL_DYNAMODB", wrong).env("AWS_ENDPOINT_URL", wrong)
        }),
        ("AWS_ENDPOINT_URL_DYNAMODB before AWS_ENDPOINT_URL", |host, url, wrong| {
            host.env("AWS_ENDPOINT_URL_DYNAMODB", url).env("AWS_ENDPOINT_URL", wrong)
        }),
        ("environment before the profile", |host, url, wrong| {
            host.env("AWS_ENDPOINT_URL", url).config(&format!("[default]\nendpoint_url = {wrong}\n"))
        }),
    ];
    for (name, prepare) in precedence {
        eprintln!("{name}");
        let stub = aws::start();
        prepare(keys(Host::new()).env("AWS_REGION", "eu-west-1"), &stub.url(), &wrong).run().expect_success();
        assert_eq!(aws::of_dynamo(&stub).len(), 1, "{name}");
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn failures_name_the_endpoint_wherever_it_came_from() {
    let stub = Stub::start(|_| Response::new(404, "text/html", "<html>PLANTED</html>"));
    let url = stub.url();
    let words = [url.as_str(), "check that the endpoint is DynamoDB"];
    let named = keys(Host::new()).env("AWS_REGION", "eu-west-1");
    named.env("AWS_ENDPOINT_URL", &url).run().expect_failure(Code::UnexpectedResponse, &words);
    host(&stub).env("AWS_REGION", "eu-west-1").run().expect_failure(Code::UnexpectedResponse, &words);
    host(&stub).option("endpoint", url.as_str()).run().expect_failure(Code::UnexpectedResponse, &words);
}

#[test]
fn an_endpoint_that_is_no_url_is_said() {
    for wrong in ["not a url", "localhost:8000", "http://", "ftp://127.0.0.1"] {
        eprintln!("{wrong}");
        let host = keys(Host::new()).env("AWS_REGION", "eu-west-1").env("AWS_ENDPOINT_URL_DYNAMODB", wrong);
        host.run().expect_failure(Code::OptionValue, &["AWS_ENDPOINT_URL", "http://127.0.0.1:8000"]);
    }
}

#[test]
fn fips_and_dual_stack_are_for_aws_s_own_endpoints() {
    let stub = aws::start();
    for option in ["use_fips", "use_dual_stack"] {
        let host = host(&stub).env("AWS_REGION", "eu-west-1").option(option, true);
        host.run().expect_failure(Code::OptionValue, &["endpoint", option]);
    }
    // Whoever hands out credentials is asked at such an endpoint too. They cannot be combined with an endpoint of
    // one's own, which is how it is seen here that it was told.
    for (option, words) in [("use_fips", "FIPS"), ("use_dual_stack", "dual-stack")] {
        let host = Host::new().env("AWS_REGION", "eu-west-1").option(option, true);
        let token = host.file("token", "PLANTED.jwt");
        host.env("AWS_WEB_IDENTITY_TOKEN_FILE", token)
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
            .env("AWS_ENDPOINT_URL_STS", stub.url())
            .run()
            .expect_failure(Code::NoCredentials, &["loading the credentials", words]);
    }
    assert_eq!(stub.requests().len(), 0);
}
