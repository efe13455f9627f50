//! What hangs, hangs alone: no other store, no cached read, no fork and no host's `setenv` notices. And what is given is
//! not looked for.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flagstore::abi::{store_available, store_open};
use flagstore::model::Code;
use flagstore::model::options::Options;
use flagstore::store::Store;
use serde_json::{Value, json};

use super::aws;
use super::host::{Host, on_stage};
use super::stub::Stub;

/// What does not hang is done in this time, also on a busy machine; what waits for it would take longer.
const SOON: Duration = Duration::from_millis(700);
/// The deadline of calls that hang.
const DEADLINE: Duration = Duration::from_millis(2_000);

/// A file that nobody writes: opening it to read hangs, as on a file system that is away.
fn hanging_file(path: &Path) {
    let name = CString::new(path.as_os_str().as_bytes()).expect("a path");
    // SAFETY: the name is a string that lives for the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "a FIFO");
}

fn open(options: &Value) -> Arc<Store> {
    Store::open(Options::from_json(&options.to_string()).expect("options"))
}

/// A store with everything given, and a cache.
fn healthy(options: &Value) -> Arc<Store> {
    let store = open(&json!({
        "table": "healthy", "endpoint": options["endpoint"], "access_key_id": "AKIAOPTIONS",
        "secret_access_key": "PLANTED", "cache_ttl_ms": 60_000,
    }));
    store.get("features", "cached").expect("it is healthy");
    store
}

fn in_time<T>(what: &str, action: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = action();
    assert!(begun.elapsed() < SOON, "{what} took {:?}", begun.elapsed());
    done
}

/// Everything that must not notice.
fn nothing_else_hangs(healthy: &Arc<Store>, number: usize) {
    in_time("a cached read", || healthy.get("features", "cached")).expect("it is cached");
    in_time("another store", || healthy.get("features", &format!("new {number}"))).expect("it is healthy");
    in_time("a fork", || {
        // SAFETY: the child does nothing but end.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: ends this process at once.
            unsafe { libc::_exit(0) };
        }
        assert!(child > 0);
        // SAFETY: waits for the child just made, and wants no status.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    });
}

#[cfg(target_os = "linux")]
fn loaders() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("threads");
    let names = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.trim() == "flagstore-creds").count()
}

#[test]
#[ignore = "a scene"]
fn two_stores_on_a_file_system_that_is_away() {
    let Some(options) = on_stage() else { return };
    let healthy = healthy(&options);
    let stores = [open(&options), open(&options)];
    let calls: Vec<_> = stores
        .iter()
        .map(|store| {
            let store = Arc::clone(store);
            std::thread::spawn(move || store.get("features", "flag").map(|_| ()).expect_err("its files hang"))
        })
        .collect();
    let mut round = 0;
    while calls.iter().any(|call| !call.is_finished()) {
        round += 1;
        nothing_else_hangs(&healthy, round);
        std::thread::sleep(Duration::from_millis(50));
    }
    for call in calls {
        let error = call.join().expect("it ends");
        assert_eq!(error.code, Code::Timeout, "{error}");
        assert!(error.message.contains("AWS configuration files"), "{error}");
    }
    for store in &stores {
        store.get("features", "flag").expect_err("its files hang still");
    }
    #[cfg(target_os = "linux")]
    assert_eq!(loaders(), 2, "threads that hang: one a store");
    // The file system is back.
    let file = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").expect("it is set");
    std::thread::spawn(move || {
        loop {
            let _ = std::fs::write(&file, "[default]\naws_access_key_id = AKIABACK\naws_secret_access_key = PLANTED\n");
        }
    });
    for store in &stores {
        let begun = Instant::now();
        while let Err(error) = store.get("features", "flag") {
            assert!(begun.elapsed() < Duration::from_secs(15), "it is back, and was not seen: {error}");
        }
    }
}

#[test]
fn a_file_system_that_hangs_holds_up_nobody_else() {
    let stub = aws::start();
    let host = Host::new().on(&stub);
    let file = host.home().join("hanging");
    hanging_file(&file);
    host.env("AWS_SHARED_CREDENTIALS_FILE", &file)
        .option("endpoint", stub.url())
        .option("timeout_ms", DEADLINE.as_millis() as u64)
        .option("shared", false)
        .play("isolation::two_stores_on_a_file_system_that_is_away");
}

#[test]
#[ignore = "a scene"]
fn stores_whose_programs_hang() {
    let Some(options) = on_stage() else { return };
    let healthy = healthy(&options);
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let store = open(&options);
            std::thread::spawn(move || store.get("features", "flag").map(|_| ()).expect_err("its program hangs"))
        })
        .collect();
    let mut round = 0;
    while calls.iter().any(|call| !call.is_finished()) {
        round += 1;
        nothing_else_hangs(&healthy, round);
        std::thread::sleep(Duration::from_millis(50));
    }
    for call in calls {
        assert_eq!(call.join().expect("it ends").code, Code::Timeout);
    }
}

#[test]
fn programs_that_hang_hold_up_nobody_else() {
    let stub = aws::start();
    let host = Host::new().on(&stub).config("[default]\ncredential_process = exec sleep 8\n");
    // By a name, which takes a thread of the runtime to look up.
    host.option("endpoint", stub.url().replace("127.0.0.1", "localhost"))
        .option("timeout_ms", DEADLINE.as_millis() as u64)
        .option("shared", false)
        .play("isolation::stores_whose_programs_hang");
}

#[test]
fn nothing_is_read_where_everything_is_given() {
    // Whatever is looked for hangs or leads astray.
    let stub = aws::start();
    let elsewhere = Stub::start(|request| panic!("{} was asked", request.target));
    let host = Host::new();
    for name in [".aws/config", ".aws/credentials", "hanging"] {
        let path = host.home().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        hanging_file(&path);
    }
    let hanging = host.home().join("hanging");
    let url = elsewhere.url();
    [
        ("AWS_CONFIG_FILE", hanging.as_os_str()),
        ("AWS_SHARED_CREDENTIALS_FILE", hanging.as_os_str()),
        ("AWS_CA_BUNDLE", hanging.as_os_str()),
        ("SSL_CERT_FILE", hanging.as_os_str()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", hanging.as_os_str()),
        ("AWS_ENDPOINT_URL", url.as_ref()),
        ("AWS_ENDPOINT_URL_DYNAMODB", url.as_ref()),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_ref()),
        ("AWS_USE_FIPS_ENDPOINT", "true".as_ref()),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true".as_ref()),
        ("AWS_REGION", "elsewhere-1".as_ref()),
    ]
    .into_iter()
    .fold(host, |host, (name, value)| host.env(name, value))
    .on_instance(&url)
    .option("endpoint", stub.url())
    .option("region", "eu-west-1")
    .option("access_key_id", "AKIAOPTIONS")
    .option("secret_access_key", "PLANTED")
    .calls(&["get", "upsert"])
    .run()
    .expect_success();
    assert_eq!(aws::of_dynamo(&stub)[0].region(), Some("eu-west-1"));
    assert_eq!((stub.requests().len(), elsewhere.requests().len()), (2, 0));
}

#[test]
#[ignore = "a scene"]
fn a_host_that_serves_one_tenant_after_the_other() {
    let Some(options) = on_stage() else { return };
    let options = options.to_string();
    for tenant in ["TENANTA", "TENANTB", "TENANTA"] {
        for (name, value) in [("AWS_ACCESS_KEY_ID", tenant), ("AWS_SECRET_ACCESS_KEY", "PLANTED")] {
            // SAFETY: no other thread of this process reads or writes the environment; the library's do not.
            unsafe { std::env::set_var(name, value) };
        }
        let mut handle = 0;
        // SAFETY: the pointers are to live values; the errors are not wanted.
        let codes = unsafe {
            let opened = store_open(options.as_ptr().cast(), options.len(), &raw mut handle, std::ptr::null_mut());
            [opened, store_available(handle, std::ptr::null_mut())]
        };
        assert_eq!(codes, [0, 0]);
    }
}

#[test]
fn stores_are_shared_only_by_who_has_the_same_settings() {
    let stub = aws::start();
    Host::new().option("endpoint", stub.url()).play("isolation::a_host_that_serves_one_tenant_after_the_other");
    let asked: Vec<_> = aws::of_dynamo(&stub).iter().map(|ask| ask.key_id().unwrap_or_default().to_owned()).collect();
    assert_eq!(asked, ["TENANTA", "TENANTB", "TENANTA"]);
}

/// Sets and unsets variables of the host, as no host should and some do: many and long ones, so that libc moves its list of
/// them about, and writes text to where the list was.
fn churn(stop: &AtomicBool) {
    for round in 0_usize.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let many = 200 + round * 37 % 400;
        let names = (0..many).map(|number| CString::new(format!("APP_VARIABLE_{number}")).expect("a name"));
        let names: Vec<_> = names.collect();
        for (number, name) in names.iter().enumerate() {
            let value = CString::new("v".repeat(10 + (round + number) * 53 % 590)).expect("a value");
            // SAFETY: both are strings that live for the call. That other threads may read is what is tested.
            unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
        }
        for name in &names {
            // SAFETY: as above.
            unsafe { libc::unsetenv(name.as_ptr()) };
        }
    }
}

#[test]
#[ignore = "a scene"]
fn a_host_that_sets_variables_while_it_calls() {
    let Some(options) = on_stage() else { return };
    let stores: Vec<_> = (0..200).map(|_| open(&options)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let churning = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || churn(&stop)
    });
    // The first starts the library's threads; each finds out its settings and loads its credentials now.
    for store in stores {
        store.get("features", "flag").expect("it has what it needs since it was opened");
    }
    stop.store(true, Ordering::Relaxed);
    churning.join().expect("it ends");
}

#[test]
fn a_host_may_set_variables_while_it_calls() {
    let stub = aws::start();
    let keys = "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = PLANTED\n";
    let of_file = Host::new().on(&stub).credentials(keys);
    let of_variables =
        Host::new().on(&stub).env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "PLANTED");
    for host in [of_file, of_variables] {
        host.option("shared", false).play("isolation::a_host_that_sets_variables_while_it_calls");
    }
    assert_eq!(aws::of_dynamo(&stub).len(), 400);
}
