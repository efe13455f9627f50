//! `ls`, `get` and `diff`, on every endpoint that there is.

use std::process::Command;

use flagstore::model::data_set;
use flagstore::model::row::Item;
use flagstore::store::Store;
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
