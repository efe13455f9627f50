//! What crosses the boundary besides numbers: items, lists of items, data sets, memberships.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::ffi::guard::{MAX_NAME_BYTES, MAX_TEXT_BYTES, not_null, text};
use crate::model::row::{Item, Payload, Row};
use crate::model::{Code, Error, Result};
use crate::store::big_segments::Membership;
use crate::store::{Found, FoundAll, Rows};

/// One item, seen or given. The struct is fixed for the life of the ABI.
///
/// As an out-param of `store_get` or `store_upsert` it is overwritten without being read, keeps what it points to
/// alive through `owner`, and is freed with `store_item_free`. Inside a list (`store_items_view`) it belongs to
/// the list. As input (`store_init`) only `key`, `item`, `version` and `deleted` are read.
#[repr(C)]
#[derive(Debug)]
pub struct StoreItem {
    /// The item's key: UTF-8, `key_len` bytes, no NUL at the end.
    pub key: *const c_char,
    /// Length of `key` in bytes.
    pub key_len: usize,
    /// The payload exactly as it was stored: UTF-8, `item_len` bytes, no NUL at the end. NULL for a deleted item.
    pub item: *const c_char,
    /// Length of `item` in bytes.
    pub item_len: usize,
    /// The item's version, 0 or more.
    pub version: i64,
    /// 1 if the item was deleted, else 0.
    pub deleted: i32,
    /// 1 if the item comes from the cache beyond its time to live because reading it failed, else 0.
    pub stale: i32,
    /// The library's own. NULL in items that you give.
    pub owner: *mut c_void,
}

impl StoreItem {
    /// No item: what a freed one looks like.
    pub fn empty() -> Self {
        StoreItem {
            key: std::ptr::null(),
            key_len: 0,
            item: std::ptr::null(),
            item_len: 0,
            version: 0,
            deleted: 0,
            stale: 0,
            owner: std::ptr::null_mut(),
        }
    }

    /// A view of a row that somebody else keeps alive.
    fn view(row: &Row) -> Self {
        let (item, item_len) = match &row.payload {
            Payload::Live(text) => (text.as_ptr().cast(), text.len()),
            Payload::Tombstone => (std::ptr::null(), 0),
        };
        StoreItem {
            key: row.key.as_ptr().cast(),
            key_len: row.key.len(),
            item,
            item_len,
            version: row.version,
            deleted: i32::from(row.deleted()),
            stale: 0,
            owner: std::ptr::null_mut(),
        }
    }

    /// A row that the struct keeps alive itself, without copying it.
    pub fn owning(found: Found) -> Self {
        let view = StoreItem::view(&found.row);
        StoreItem { stale: i32::from(found.stale), owner: Arc::into_raw(found.row).cast_mut().cast(), ..view }
    }

    /// Lets go of the row.
    ///
    /// # Safety
    /// `owner` must be NULL or come from [`StoreItem::owning`], and not have been freed.
    pub unsafe fn free(&mut self) {
        if !self.owner.is_null() {
            // SAFETY: `owner` is what Arc::into_raw returned for an Arc<Row>, by the caller's promise.
            drop(unsafe { Arc::from_raw(self.owner.cast::<Row>().cast_const()) });
        }
        *self = StoreItem::empty();
    }
}

/// All items of one kind: an opaque list, freed with `store_items_free`.
pub struct StoreItems {
    views: Vec<StoreItem>,
    /// What the views point into.
    _rows: Rows,
}

impl StoreItems {
    /// A list that C owns.
    pub fn into_raw(found: FoundAll) -> *mut StoreItems {
        let stale = i32::from(found.stale);
        let views = found.rows.iter().map(|row| StoreItem { stale, ..StoreItem::view(row) }).collect();
        Box::into_raw(Box::new(StoreItems { views, _rows: found.rows }))
    }

    /// The items, in no particular order.
    pub fn views(&self) -> &[StoreItem] {
        &self.views
    }
}

/// One kind of a data set, as input of `store_init`. The struct is fixed for the life of the ABI.
#[repr(C)]
#[derive(Debug)]
pub struct StoreCollection {
    /// The kind, such as "features" or "segments", without prefix: UTF-8, `kind_len` bytes.
    pub kind: *const c_char,
    /// Length of `kind` in bytes.
    pub kind_len: usize,
    /// The items of this kind; may be NULL if there are none, which deletes the kind's rows.
    pub items: *const StoreItem,
    /// How many items.
    pub items_len: usize,
}

/// Copies a data set out of the caller's memory.
///
/// # Safety
/// `collections` must be NULL or valid for reads of `length` structs, and so must everything they point to.
pub unsafe fn data_set(collections: *const StoreCollection, length: usize) -> Result<Vec<(String, Vec<Item>)>> {
    // SAFETY: the caller's promise.
    let collections = unsafe { slice("collections", collections, length) }?;
    collections
        .iter()
        .map(|collection| {
            // SAFETY: the caller's promise extends to what the structs point to.
            unsafe {
                let kind = text("kind", collection.kind, collection.kind_len, MAX_NAME_BYTES)?;
                let items = slice("items", collection.items, collection.items_len)?;
                let items = items.iter().map(|item| given_item(item)).collect::<Result<Vec<_>>>();
                Ok((kind.to_owned(), items.map_err(|error| error.during(format!("an item of kind \"{kind}\"")))?))
            }
        })
        .collect()
}

/// # Safety
/// What the item points to must be valid for reads of the lengths it says.
unsafe fn given_item(item: &StoreItem) -> Result<Item> {
    // SAFETY: the caller's promise.
    let (key, payload) = unsafe {
        (text("key", item.key, item.key_len, MAX_NAME_BYTES)?, text("item", item.item, item.item_len, MAX_TEXT_BYTES)?)
    };
    Ok(Item {
        key: key.to_owned(),
        version: item.version,
        deleted: item.deleted != 0,
        item: (!payload.is_empty()).then(|| payload.to_owned()),
    })
}

/// # Safety
/// `first` must be NULL or valid for reads of `length` values during `'a`.
unsafe fn slice<'a, T>(name: &str, first: *const T, length: usize) -> Result<&'a [T]> {
    if length == 0 {
        return Ok(&[]);
    }
    not_null(name, first)?;
    if length > MAX_TEXT_BYTES / size_of::<T>().max(1) {
        return Err(Error::new(
            Code::InvalidLength,
            format!("the argument \"{name}\" is said to hold {length} entries, which no memory can"),
        ));
    }
    // SAFETY: not NULL, a length that fits, and the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(first, length) })
}

/// The big segments that name one context: an opaque list, freed with `store_membership_free`.
pub struct StoreMembership {
    entries: Vec<(String, bool)>,
}

impl StoreMembership {
    /// A membership that C owns.
    pub fn into_raw(membership: Membership) -> *mut StoreMembership {
        Box::into_raw(Box::new(StoreMembership { entries: membership.entries }))
    }

    /// How many segments.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The segment at a place, and whether the context is included (or else excluded).
    pub fn entry(&self, place: usize) -> Option<(&str, bool)> {
        self.entries.get(place).map(|(segment, included)| (segment.as_str(), *included))
    }
}
