//! `ls`, `get` and `diff`, on every endpoint that there is.

use std::process::Command;

use flagstore::model::data_set;
use flagstore::model::row::Item;
use flagstore::store::Store;
use flagstore::store::doctor::CHECKS;
use serde_json::Value;

use crate::endpoint::{Endpoint, endpoints, n, prefix, s};

/// Runs the program on an endpoint. Gives its status, its output and what it complains about.
fn run(endpoint: &Endpoint, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagstore"));
    command.args(arguments).args(["--table", &endpoint.table]);
    if !endpoint.url.is_empty() {
        command.args(["--endpoint", &endpoint.url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    }
    let output = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("it ends"), text(output.stdout), text(output.stderr))
}

fn filled(endpoint: &Endpoint, prefix: &str) {
    let store = Store::open(endpoint.options(prefix));
    let data = r#"{"segments":{"s":{"version":1}},"features":{"a":{"version":2,"on":true},"b":{"version":3}}}"#;
    store.init(data_set::from_json(data).expect("data")).expect("init");
    let gone = Item { key: "gone".into(), version: 4, deleted: true, item: None };
    store.upsert("features", &gone).expect("a tombstone");
}

#[test]
fn rows_are_listed_and_printed_also_those_that_cannot_be_read() {
    for endpoint in endpoints() {
        let prefix = prefix();
        let _removed = endpoint.removes_rows_of(&prefix);
        filled(endpoint, &prefix);
        let namespace = format!("{prefix}:features");
        let text = [("namespace", s(&namespace)), ("key", s("te\u{1b}xt")), ("version", s("7")), ("item", s("{}"))];
        endpoint.put(&text);
        let (status, listed, _) = run(endpoint, &["ls", "--prefix", &prefix]);
        let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<String>>().join(" ");
        let lines: Vec<String> = listed.lines().map(words).collect();
        assert_eq!((status, lines.len()), (0, 5), "{listed}");
        assert!(lines.iter().any(|line| line.starts_with("features 2 ") && line.ends_with(" a live")), "{listed}");
        assert!(
            lines.iter().any(|line| line.starts_with("features 4 ") && line.ends_with(" gone deleted")),
            "{listed}"
        );
        assert!(lines.iter().any(|line| line.contains("te\\u{1b}xt unreadable: its version is not")), "{listed}");
        let (_, listed, _) = run(endpoint, &["ls", "segments", "--json", "--prefix", &prefix]);
        let row: Value = serde_json::from_str(&listed).expect("JSON");
        assert_eq!((&row["key"], &row["version"], &row["state"]), (&"s".into(), &1.into(), &"live".into()));

        let get = |key: &str| run(endpoint, &["get", "features", key, "--prefix", &prefix]);
        assert_eq!(get("a"), (0, "{\"version\":2,\"on\":true}\n".to_owned(), String::new()));
        for (key, words) in
            [("gone", "was deleted, by version 4"), ("absent", "there is no row"), ("te\u{1b}xt", "cannot be read")]
        {
            let (status, printed, complaint) = get(key);
            assert!(status == 1 && printed.is_empty() && complaint.contains(words), "{key}: {complaint}");
            assert!(!complaint.contains('\u{1b}'));
        }
    }
}

#[test]
fn prefixes_are_compared_as_sdks_read_them() {
    for endpoint in endpoints() {
        let (left, right) = (prefix(), prefix());
        let (_left, _right) = (endpoint.removes_rows_of(&left), endpoint.removes_rows_of(&right));
        filled(endpoint, &left);
        filled(endpoint, &right);
        let diff = || run(endpoint, &["diff", "--prefix", &left, "--to-prefix", &right]);
        assert_eq!(diff(), (0, String::new(), String::new()), "on {}", endpoint.name);
        let namespace = format!("{right}:features");
        for (key, version, item) in
            [("a", "2", r#"{"on":false,"version":2}"#), ("b", "9", r#"{"version":9}"#), ("new", "1", "{}")]
        {
            endpoint.put(&[("namespace", s(&namespace)), ("key", s(key)), ("version", n(version)), ("item", s(item))]);
        }
        let (status, printed, _) = diff();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(status, 1);
        assert_eq!(
            lines,
            [
                "features/a: version 2 on both sides, with different contents",
                "features/b: version 3 on the left, 9 on the right",
                "features/new: only on the right, version 1",
            ]
        );
    }
}

#[test]
fn the_doctor_writes_nothing_on_any_endpoint() {
    for endpoint in endpoints() {
        let prefix = prefix();
        let _removed = endpoint.removes_rows_of(&prefix);
        filled(endpoint, &prefix);
        let kinds = ["features", "segments", "$inited"].map(|kind| format!("{prefix}:{kind}"));
        let all = || kinds.iter().map(|namespace| endpoint.rows(namespace)).collect::<Vec<_>>();
        let before = all();
        let (status, printed, complaint) = run(endpoint, &["doctor", "--prefix", &prefix]);
        assert_eq!((status, &*complaint), (0, ""), "on {}: {printed}", endpoint.name);
        assert!(printed.lines().all(|line| line.starts_with("ok ")), "on {}: {printed}", endpoint.name);
        assert!(printed.contains("3 rows, 1 of them deleted"), "{printed}");
        assert_eq!(all(), before);
    }
}

#[test]
fn help_version_and_a_wrong_command_line() {
    let said = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_flagstore")).args(arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, help, _) = said(&["--help"]);
    assert!(status == Some(0) && help.contains("flagstore doctor") && help.contains("Exit status"), "{help}");
    assert_eq!(said(&["--version"]).1, concat!("flagstore ", env!("CARGO_PKG_VERSION"), "\n"));
    let (status, printed, complaint) = said(&["doktor"]);
    assert_eq!((status, &*printed), (Some(2), ""));
    assert!(complaint.contains("\"doktor\"") && complaint.contains("flagstore --help"), "{complaint}");
}

/// The document, and what it says that each command prints.
fn documented() -> (String, Vec<(String, String)>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/doctor.md");
    let text = std::fs::read_to_string(path).expect("docs/doctor.md is there");
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            match (line.strip_prefix("$ flagstore "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((_, printed))) => *printed += &format!("{line}\n"),
                (None, None) => panic!("{line}: a block begins with a command"),
            }
        }
    }
    (text, commands)
}

/// What differs from run to run, made equal.
fn steady(printed: &str) -> String {
    let mut lines = String::new();
    for line in printed.lines() {
        let line = match (line.split_once("http://127.0.0.1:"), line.split_once("answer took ")) {
            (Some((before, after)), _) => {
                format!("{before}http://127.0.0.1:PORT{}", after.trim_start_matches(char::is_numeric))
            }
            (_, Some((before, _))) => format!("{before}answer took N ms"),
            _ => line.to_owned(),
        };
        lines += &(line + "\n");
    }
    lines
}

#[test]
fn the_document_s_commands_print_what_it_says() {
    let Some(endpoint) = endpoints().into_iter().find(|endpoint| endpoint.name == "flagstore-local") else { return };
    let production = Store::open(endpoint.options("production"));
    let flag = r#"{"key":"checkout","version":7,"on":true,"salt":"a"}"#;
    let item = Item { key: "checkout".into(), version: 7, deleted: false, item: Some(flag.into()) };
    production.upsert("features", &item).expect("a flag");
    let (_, commands) = documented();
    assert_eq!(commands.len(), 4);
    for (command, wanted) in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_flagstore"))
            .args(command.split(' '))
            .envs([("AWS_ENDPOINT_URL_DYNAMODB", &*endpoint.url), ("AWS_REGION", "us-east-1")])
            .envs([("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "local")])
            .output()
            .expect("the program runs");
        assert_eq!(steady(&String::from_utf8(output.stdout).expect("text")), wanted, "flagstore {command}");
    }
}

#[test]
fn the_document_names_every_check() {
    let (text, _) = documented();
    let table =
        text.split("| check |").nth(1).expect("a table").lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut named: Vec<&str> =
        table.filter_map(|line| line.split('|').nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let mut there = CHECKS.to_vec();
    named.sort_unstable();
    there.sort_unstable();
    assert_eq!(named, there);
    let header = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/abi.rs")).expect("src/abi.rs");
    let header = header.replace("\n/// ", " ");
    for check in there {
        assert!(
            header.contains(&format!("{check},")) || header.contains(&format!(" {check} ")),
            "{check} is not in the header"
        );
    }
}
