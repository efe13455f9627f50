//! A table in memory, for tests: the same conditions, a log of requests, and a hook before each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{Answer, BigSegmentRow, Effort, Page, Table, When, Written};
use crate::model::large::Form;
use crate::model::row::{Attribute, RawLarge, RawRow, Version};
use crate::model::{Result, codec};
use crate::runtime::lock;

/// Rows by namespace and key.
type Rows = BTreeMap<(String, String), RawRow>;
/// Called before a request with its description; an error is the request's answer.
type Hook = dyn Fn(&str) -> Result<()> + Send + Sync;

/// A row as a test looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The text of the version attribute, whatever its type.
    pub version: Option<String>,
    /// The text of the item attribute.
    pub item: Option<String>,
}

/// A table in memory.
#[derive(Default)]
pub struct MemoryTable {
    rows: Mutex<Rows>,
    big_segments: Mutex<BTreeMap<(String, String), BigSegmentRow>>,
    requests: Mutex<Vec<String>>,
    hook: Mutex<Option<Arc<Hook>>>,
    /// Whether requests get no answer.
    silent: Mutex<bool>,
    spoken: Notify,
    /// What eventually consistent reads see, while that is behind.
    replica: Mutex<Option<Rows>>,
    /// Rows a page holds; 0 for all.
    page_size: usize,
}

impl MemoryTable {
    /// A table whose pages are short.
    pub fn with_pages_of(page_size: usize) -> Self {
        MemoryTable { page_size, ..MemoryTable::default() }
    }

    /// The requests so far, such as `put features/flag`.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }

    /// The requests that cost write units.
    pub fn writes(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter(|request| !request.starts_with("get") && !request.starts_with("page"))
            .collect()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        lock(&self.requests).clear();
    }

    /// Has a function called before each request.
    pub fn before_each(&self, hook: impl Fn(&str) -> Result<()> + Send + Sync + 'static) {
        *lock(&self.hook) = Some(Arc::new(hook));
    }

    /// Takes the hook away.
    pub fn undisturbed(&self) {
        *lock(&self.hook) = None;
    }

    /// From now on requests are taken and not answered,
    pub fn fall_silent(&self) {
        *lock(&self.silent) = true;
    }

    /// until now.
    pub fn speak(&self) {
        *lock(&self.silent) = false;
        self.spoken.notify_waiters();
    }

    /// From now on eventually consistent reads see nothing new,
    pub fn fall_behind(&self) {
        let rows = lock(&self.rows).clone();
        *lock(&self.replica) = Some(rows);
    }

    /// until now.
    pub fn catch_up(&self) {
        *lock(&self.replica) = None;
    }

    /// Puts a row as another writer would.
    pub fn insert(&self, namespace: &str, key: &str, version: Option<&str>, item: Option<&str>) {
        let version = version.map(|version| Attribute::Number(version.into()));
        self.insert_raw(namespace, key, version, item.map(|item| Attribute::Text(item.into())));
    }

    /// Puts a row with attributes of any type.
    pub fn insert_raw(&self, namespace: &str, key: &str, version: Option<Attribute>, item: Option<Attribute>) {
        let row = RawRow { key: Some(key.into()), version, item, ..RawRow::default() };
        lock(&self.rows).insert((namespace.into(), key.into()), row);
    }

    /// Gives a row that is there another deflated form.
    pub fn damage(&self, namespace: &str, key: &str, large: RawLarge) {
        if let Some(row) = lock(&self.rows).get_mut(&(namespace.to_owned(), key.to_owned())) {
            row.large = Some(Box::new(large));
        }
    }

    /// Removes a row as another writer would.
    pub fn remove(&self, namespace: &str, key: &str) {
        lock(&self.rows).remove(&(namespace.into(), key.into()));
    }

    /// Puts a row that big segments live in.
    pub fn insert_big_segment(&self, namespace: &str, key: &str, row: BigSegmentRow) {
        lock(&self.big_segments).insert((namespace.into(), key.into()), row);
    }

    /// A row as it stands.
    pub fn row(&self, namespace: &str, key: &str) -> Option<Seen> {
        self.raw(namespace, key).map(|row| seen(&row))
    }

    /// A row with its types.
    pub fn raw(&self, namespace: &str, key: &str) -> Option<RawRow> {
        lock(&self.rows).get(&(namespace.to_owned(), key.to_owned())).cloned()
    }

    /// Version and item of every row, by `namespace/key`.
    pub fn contents(&self) -> BTreeMap<String, Seen> {
        let rows = lock(&self.rows);
        rows.iter().map(|((namespace, key), row)| (format!("{namespace}/{key}"), seen(row))).collect()
    }

    async fn request(&self, request: String) -> Result<()> {
        let hook = lock(&self.hook).clone();
        let outcome = hook.map_or(Ok(()), |hook| hook(&request));
        lock(&self.requests).push(request);
        loop {
            let spoken = self.spoken.notified();
            if !*lock(&self.silent) {
                return outcome;
            }
            spoken.await;
        }
    }

    /// The rows that a read sees.
    fn seen<T>(&self, consistent: bool, look: impl FnOnce(&Rows) -> T) -> T {
        match &*lock(&self.replica) {
            Some(replica) if !consistent => look(replica),
            _ => look(&lock(&self.rows)),
        }
    }

    fn write(
        &self,
        place: (String, String),
        holds: impl FnOnce(Option<&RawRow>) -> bool,
        new: Option<RawRow>,
    ) -> Written {
        let mut rows = lock(&self.rows);
        let stored = rows.get(&place).cloned();
        if !holds(stored.as_ref()) {
            return Written::Conflict(stored);
        }
        match new {
            Some(row) => rows.insert(place, row),
            None => rows.remove(&place),
        };
        Written::Done
    }
}

/// What the description of a read ends with.
fn replica(consistent: bool) -> &'static str {
    if consistent { "" } else { ", eventually consistent" }
}

fn seen(row: &RawRow) -> Seen {
    let text = |attribute: &Option<Attribute>| match attribute {
        Some(Attribute::Text(text)) => Some(text.to_string()),
        Some(Attribute::Number(number)) => Some(number.to_string()),
        Some(Attribute::Truth(truth)) => Some(truth.to_string()),
        Some(Attribute::Binary(bytes)) => Some(format!("{bytes:?}")),
        Some(Attribute::Other(json)) => Some(json.to_string()),
        None => None,
    };
    Seen { version: text(&row.version), item: text(&row.item) }
}

/// DynamoDB's answer to the same condition.
fn holds(when: When<'_>, version: i64, stored: Option<&RawRow>) -> bool {
    let Some(stored) = stored else { return !matches!(when, When::AsRead(_)) };
    let may_go = |attribute: Option<&Attribute>| match codec::version_of(attribute) {
        Version::Absent => true,
        Version::Unreadable => false,
        Version::Number(stored) => stored < version || (stored == version && when == When::NotOlder),
    };
    match when {
        When::Absent => false,
        When::AsRead(read) => {
            (&stored.version, &stored.item, &stored.large) == (&read.version, &read.item, &read.large)
        }
        When::Newer | When::NotOlder => {
            may_go(stored.version.as_ref()) && may_go(stored.large.as_deref().map(|large| &large.version))
        }
    }
}

impl Table for MemoryTable {
    fn get<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        _: Effort<'a>,
    ) -> Answer<'a, Option<RawRow>> {
        Box::pin(async move {
            self.request(format!("get {namespace}/{key}{}", replica(consistent))).await?;
            // Somebody else's turn, so that concurrent readers meet.
            tokio::task::yield_now().await;
            let place = (namespace.to_owned(), key.to_owned());
            Ok(self.seen(consistent, |rows| rows.get(&place).cloned()))
        })
    }

    fn page<'a>(
        &'a self,
        namespace: &'a str,
        after: Option<String>,
        consistent: bool,
        _: Effort<'a>,
    ) -> Answer<'a, Page> {
        Box::pin(async move {
            self.request(format!("page {namespace}{}", replica(consistent))).await?;
            Ok(self.seen(consistent, |rows| {
                let mut matching = rows
                    .iter()
                    .filter(|((its, key), _)| its == namespace && after.as_ref().is_none_or(|after| key > after))
                    .map(|(_, row)| row.clone());
                let most = if self.page_size == 0 { usize::MAX } else { self.page_size };
                let page: Vec<RawRow> = matching.by_ref().take(most).collect();
                let next = matching.next().and(page.last()).and_then(|row| row.key.as_deref()).map(Into::into);
                Page { rows: page, next }
            }))
        })
    }

    fn put<'a>(&'a self, namespace: &'a str, form: Form<'a>, when: When<'a>, _: Effort<'a>) -> Answer<'a, Written> {
        Box::pin(async move {
            let row = form.row();
            self.request(format!("put {namespace}/{}", row.key)).await?;
            let number = |version: i64| Attribute::Number(version.to_string().into());
            let (version, item, large) = match form {
                Form::Plain(row) => (row.version, &row.item, None),
                Form::Large(row, deflated, older) => {
                    let item = Some(Attribute::Binary(Arc::clone(&deflated.bytes)));
                    (older.version, &older.item, Some(Box::new(RawLarge { version: number(row.version), item })))
                }
            };
            let new = RawRow {
                key: Some(row.key.clone()),
                version: Some(number(version)),
                item: Some(Attribute::Text(Arc::clone(item))),
                deleted: false,
                large,
            };
            let place = (namespace.to_owned(), row.key.to_string());
            Ok(self.write(place, |stored| holds(when, row.version, stored), Some(new)))
        })
    }

    fn delete<'a>(&'a self, namespace: &'a str, key: &'a str, read: &'a RawRow, _: Effort<'a>) -> Answer<'a, Written> {
        Box::pin(async move {
            self.request(format!("delete {namespace}/{key}")).await?;
            let place = (namespace.to_owned(), key.to_owned());
            Ok(self.write(place, |stored| holds(When::AsRead(read), 0, stored), None))
        })
    }

    fn mark<'a>(&'a self, name: &'a str, _: Effort<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            self.request(format!("mark {name}")).await?;
            self.insert(name, name, None, None);
            Ok(())
        })
    }

    fn big_segment<'a>(
        &'a self,
        namespace: &'a str,
        key: &'a str,
        consistent: bool,
        _: Effort<'a>,
    ) -> Answer<'a, Option<BigSegmentRow>> {
        Box::pin(async move {
            self.request(format!("get {namespace}/{key}{}", replica(consistent))).await?;
            Ok(lock(&self.big_segments).get(&(namespace.to_owned(), key.to_owned())).cloned())
        })
    }
}
