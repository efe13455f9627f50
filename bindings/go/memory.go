package flagstore

import "unsafe"

// cError is store_error.
type cError struct {
	code      int32
	retriable int32
	message   *byte
}

// cItem is store_item.
type cItem struct {
	key     *byte
	keyLen  uintptr
	item    *byte
	itemLen uintptr
	version int64
	deleted int32
	stale   int32
	owner   *byte
}

// cCollection is store_collection.
type cCollection struct {
	kind     *byte
	kindLen  uintptr
	items    *cItem
	itemsLen uintptr
}

// taken copies an item with this key out of the library's memory.
func (c *cItem) taken(key string) Item {
	item := Item{Key: key, Version: c.version, Deleted: c.deleted != 0, Stale: c.stale != 0}
	if !item.Deleted {
		item.Payload = append([]byte(nil), unsafe.Slice(c.item, c.itemLen)...)
	}
	return item
}

// given lays items out as store_init reads them. What they point to is kept alive by the pointers.
func given(collections []Collection) []cCollection {
	laidOut := make([]cCollection, len(collections))
	for i, collection := range collections {
		items := make([]cItem, len(collection.Items))
		for j, item := range collection.Items {
			items[j] = cItem{
				key: unsafe.StringData(item.Key), keyLen: uintptr(len(item.Key)),
				item: unsafe.SliceData(item.Payload), itemLen: uintptr(len(item.Payload)),
				version: item.Version, deleted: flag(item.Deleted),
			}
		}
		laidOut[i] = cCollection{
			kind: unsafe.StringData(collection.Kind), kindLen: uintptr(len(collection.Kind)),
			items: unsafe.SliceData(items), itemsLen: uintptr(len(items)),
		}
	}
	return laidOut
}

func flag(set bool) int32 {
	if set {
		return 1
	}
	return 0
}

// pointer is the address that a C function returned. It is read as a pointer, not converted to one, since it was never
// one of Go's.
func pointer(address uintptr) *byte {
	return *(**byte)(unsafe.Pointer(&address))
}

// goString copies a text that ends with NUL; NULL is empty.
func goString(text *byte) string {
	if text == nil {
		return ""
	}
	length := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(text), length)) != 0 {
		length++
	}
	return string(unsafe.Slice(text, length))
}
