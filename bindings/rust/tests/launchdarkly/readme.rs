//! What the READMEs show, as it stands there.

use flagstore_launchdarkly::DynamoDb;
use launchdarkly_server_sdk::{BuildError, ConfigBuilder};

fn the_projects_line(sdk_key: &str) -> Result<(), BuildError> {
    let config = ConfigBuilder::new(sdk_key)
        .data_store(&flagstore_launchdarkly::DynamoDb::table("my-table").data_store())
        .build()?;
    assert_eq!(config.sdk_key(), sdk_key);
    Ok(())
}

fn one_line() -> Result<(), BuildError> {
    let config = ConfigBuilder::new("sdk-key")
        .data_store(&DynamoDb::table("my-table").prefix("production").data_store())
        .build()?;
    assert!(!config.offline());
    Ok(())
}

fn with_the_sdk() -> Result<(), BuildError> {
    let flags = DynamoDb::table("my-table").prefix("production").region("eu-west-1");

    let mut store = flags.data_store(); // the SDK's PersistentDataStoreBuilder
    store.cache_seconds(30); // the SDK's cache: 15 seconds by default
    let config = ConfigBuilder::new("sdk-key").data_store(&store).daemon_mode(true).build()?;
    assert!(config.daemon_mode());
    Ok(())
}

/// The one thing that these settings lack is a TLS, which the application chooses, and the tests have none.
#[test]
fn what_the_readmes_show_makes_settings() {
    for built in [the_projects_line("sdk-key"), one_line(), with_the_sdk()] {
        if let Err(refused) = built {
            assert!(format!("{refused:?}").contains("native-tls features are disabled"), "{refused:?}");
        }
    }
}

#[test]
fn what_the_readmes_show_stands_here() {
    let here = closely(include_str!("readme.rs"));
    let readmes = [include_str!("../../README.md"), include_str!("../../../../README.md")];
    let blocks: Vec<_> = readmes.iter().flat_map(|readme| readme.split("```rust\n").skip(1)).collect();
    assert_eq!(blocks.len(), 3);
    for paragraph in blocks.iter().flat_map(|block| block.split("```").next().unwrap().split("\n\n")) {
        assert!(here.contains(&closely(paragraph)), "{paragraph}");
    }
}

/// Without spaces, which rustfmt sets its own way.
fn closely(code: &str) -> String {
    code.split_whitespace().collect()
}
