//! The SDK's persistent data store, on the store.

use std::collections::HashMap;
use std::sync::Arc;

use flagstore::model::Result;
use flagstore::model::data_set;
use flagstore::model::options::LogLevel;
use flagstore::model::row::{Item, Row};
use flagstore::store::report::Report;
use flagstore::store::{Store, Upserted};
use launchdarkly_server_sdk::{AllData, DataKind, PersistentDataStore, PersistentStoreError, SerializedItem};

use crate::{Code, Error, readable};

const TARGET: &str = "flagstore";
const FEATURES: &str = "features";
const SEGMENTS: &str = "segments";

/// A store that is open. Clones are the same store; it is closed when the last one is dropped.
#[derive(Clone)]
pub struct DataStore {
    store: Arc<Store>,
}

impl DataStore {
    pub(crate) fn new(store: Arc<Store>) -> DataStore {
        store.set_logger(Some(Box::new(log_event)));
        let options = store.options();
        log::info!(
            target: TARGET,
            "using table \"{}\", prefix \"{}\", {}, flagstore {}",
            options.table,
            options.prefix,
            match (&options.endpoint, &options.region) {
                (Some(_), _) => "an endpoint of its own",
                (None, Some(region)) => region.as_str(),
                (None, None) => "the region of the environment",
            },
            env!("CARGO_PKG_VERSION"),
        );
        DataStore { store }
    }

    /// Replaces the data set and says what that took: what was written, deleted, kept, too large or left out.
    pub fn replace(&self, all_data: AllData<SerializedItem, SerializedItem>) -> Result<Report> {
        let given =
            vec![(SEGMENTS.to_owned(), items(all_data.segments)?), (FEATURES.to_owned(), items(all_data.flags)?)];
        let report = self.store.init(data_set::from_items(given)?)?;
        for item in &report.too_large {
            log::error!(
                target: TARGET,
                "\"{}\" of kind \"{}\" was not stored: DynamoDB takes 400 KB an item",
                item.key,
                item.kind
            );
        }
        Ok(report)
    }

    /// Whether the table can be asked; the error says why not.
    pub fn available(&self) -> Result<()> {
        self.store.available()
    }

    /// Everything that the library counts, as a JSON object.
    pub fn statistics(&self) -> String {
        self.store.statistics()
    }

    fn one(&self, kind: DataKind, key: &str) -> std::result::Result<Option<SerializedItem>, PersistentStoreError> {
        let found = self.store.get(name(&kind), key).map_err(told)?;
        Ok(found.and_then(|found| as_sdk_reads(&kind, &found.row)))
    }
}

impl PersistentDataStore for DataStore {
    fn init(
        &mut self,
        all_data: AllData<SerializedItem, SerializedItem>,
    ) -> std::result::Result<(), PersistentStoreError> {
        self.replace(all_data).map(|_| ()).map_err(told)
    }

    fn flag(&self, key: &str) -> std::result::Result<Option<SerializedItem>, PersistentStoreError> {
        self.one(DataKind::Flag, key)
    }

    fn segment(&self, key: &str) -> std::result::Result<Option<SerializedItem>, PersistentStoreError> {
        self.one(DataKind::Segment, key)
    }

    fn all_flags(&self) -> std::result::Result<HashMap<String, SerializedItem>, PersistentStoreError> {
        let found = self.store.all(FEATURES).map_err(told)?;
        let readable = |row: &Row| Some((row.key.to_string(), as_sdk_reads(&DataKind::Flag, row)?));
        Ok(found.rows.iter().filter_map(readable).collect())
    }

    fn upsert(
        &mut self,
        kind: DataKind,
        key: &str,
        serialized_item: SerializedItem,
    ) -> std::result::Result<bool, PersistentStoreError> {
        let item = item(key.to_owned(), serialized_item).map_err(told)?;
        match self.store.upsert(name(&kind), &item).map_err(told)? {
            Upserted::Written => Ok(true),
            Upserted::NewerExists(_) => Ok(false),
            Upserted::TooLarge => {
                log::error!(
                    target: TARGET,
                    "\"{key}\" of kind \"{}\" was not stored: DynamoDB takes 400 KB an item",
                    name(&kind)
                );
                Ok(false)
            }
        }
    }

    fn is_initialized(&self) -> bool {
        self.store.initialized().unwrap_or_else(|error| {
            log::warn!(target: TARGET, "{error}");
            false
        })
    }
}

/// A row as the SDK takes it; `None`, and a line in the log, if it would choke on it.
fn as_sdk_reads(kind: &DataKind, row: &Row) -> Option<SerializedItem> {
    let version = u64::try_from(row.version).unwrap_or_default();
    let Some(item) = row.item() else {
        let serialized_item = serde_json::json!({"version": version, "key": "$deleted", "deleted": true}).to_string();
        return Some(SerializedItem { version, deleted: true, serialized_item });
    };
    if let Some(complaint) = readable::complaint(kind, item) {
        log::error!(
            target: TARGET,
            "\"{}\" of kind \"{}\", version {version}, was left out: {complaint}",
            row.key.escape_debug(),
            name(kind)
        );
        return None;
    }
    Some(SerializedItem { version, deleted: false, serialized_item: item.to_owned() })
}

fn items(given: HashMap<String, SerializedItem>) -> Result<Vec<Item>> {
    given.into_iter().map(|(key, given)| item(key, given)).collect()
}

fn item(key: String, given: SerializedItem) -> Result<Item> {
    let Ok(version) = i64::try_from(given.version) else {
        let beyond = format!("\"{key}\" has version {}, which is beyond 64 bits with a sign", given.version);
        return Err(Error::new(Code::InvalidVersion, beyond));
    };
    Ok(Item { key, version, deleted: given.deleted, item: Some(given.serialized_item) })
}

fn name(kind: &DataKind) -> &'static str {
    match kind {
        DataKind::Flag => FEATURES,
        DataKind::Segment => SEGMENTS,
    }
}

fn told(error: Error) -> PersistentStoreError {
    PersistentStoreError::new(error.to_string())
}

fn log_event(level: LogLevel, message: &str) {
    let level = match level {
        LogLevel::Off => return,
        LogLevel::Error => log::Level::Error,
        LogLevel::Warn => log::Level::Warn,
        LogLevel::Info => log::Level::Info,
        LogLevel::Debug => log::Level::Debug,
    };
    log::log!(target: TARGET, level, "{message}");
}
