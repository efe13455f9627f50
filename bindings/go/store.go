package flagstore

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	outcomeOK          Code = 0
	outcomeNotFound    Code = 1
	outcomeNewerExists Code = 2
	outcomeTooLarge    Code = 3
	outcomeNotCached   Code = 4
)

// Item is a flag, a segment, or any other item.
type Item struct {
	Key string
	// Version decides which of two writes wins: 0 or more.
	Version int64
	// Payload is UTF-8 text, exactly as it was stored; nil for a deleted item.
	Payload []byte
	Deleted bool
	// Stale is whether the item stands in for a read that failed: out of the cache beyond its time to live, out of
	// CacheDir, or as the store was told.
	Stale bool
}

// Collection is all items of one kind, such as "features" or "segments".
type Collection struct {
	Kind  string
	Items []Item
}

// Outcome is what came of an upsert.
type Outcome int

const (
	// Written means that the table holds the new item.
	Written Outcome = iota
	// NewerExists means that the table held this version or a newer one, which stays.
	NewerExists
	// TooLarge means that the item is over DynamoDB's 400 KB; the older row, if any, stays.
	TooLarge
)

// String returns the name of the outcome.
func (o Outcome) String() string {
	return [...]string{"written", "newer exists", "too large"}[o]
}

// UpsertResult is what came of an upsert, and the item that stood in its way.
type UpsertResult struct {
	Outcome Outcome
	// Stored is the item in the table where Outcome is NewerExists, else nil.
	Stored *Item
}

// InitReport is what an init did, in rows.
type InitReport struct {
	Written   int `json:"written"`
	Unchanged int `json:"unchanged"`
	Deleted   int `json:"deleted"`
	// KeptNewer counts rows that stayed because they were newer than the data set.
	KeptNewer int `json:"kept_newer"`
	// TooLarge are the items that were left out because they are over DynamoDB's 400 KB.
	TooLarge []TooLargeItem `json:"too_large"`
	// Replaced are rows written over what a version alone would have kept, by reason. The names of the reasons are those
	// of flagstore.h.
	Replaced map[string]Reason `json:"replaced"`
	// Kept are rows that the data set would not have, by reason.
	Kept map[string]Reason `json:"kept"`
	// LeftOut are items that were not taken, by reason.
	LeftOut map[string]Reason `json:"left_out"`
}

// Reason is how many rows something happened to for one reason, and the first ten of them.
type Reason struct {
	Count int   `json:"count"`
	Keys  []Row `json:"keys"`
}

// Row is the place of an item.
type Row struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// TooLargeItem is an item that an init left out.
type TooLargeItem struct {
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	Bytes int    `json:"bytes"`
}

// Statistics is what a store did since it was opened in this process. CachedItems, CachedLists and CachedBytes are what
// its cache holds now.
type Statistics struct {
	Hits          uint64  `json:"hits"`
	Misses        uint64  `json:"misses"`
	Coalesced     uint64  `json:"coalesced"`
	Stale         uint64  `json:"stale"`
	Refreshes     uint64  `json:"refreshes"`
	Requests      uint64  `json:"requests"`
	Retries       uint64  `json:"retries"`
	Throttles     uint64  `json:"throttles"`
	Errors        uint64  `json:"errors"`
	ReadUnits     float64 `json:"read_units"`
	WriteUnits    float64 `json:"write_units"`
	SkippedRows   uint64  `json:"skipped_rows"`
	DroppedEvents uint64  `json:"dropped_events"`
	CachedItems   uint64  `json:"cached_items"`
	CachedBytes   uint64  `json:"cached_bytes"`
	CachedLists   uint64  `json:"cached_lists"`
	// Uncached counts answers that were too large to be kept.
	Uncached uint64 `json:"uncached"`
	// ServedWhileAway counts the stale values that were served without waiting, DynamoDB being known to be away.
	ServedWhileAway uint64 `json:"served_while_away"`
	// OldestStaleMS is the age of the oldest of the stale values, in milliseconds.
	OldestStaleMS uint64 `json:"oldest_stale_ms"`
	// HostHits counts values out of CacheDir, HostTrouble what went wrong with its files.
	HostHits    uint64 `json:"host_hits"`
	HostTrouble uint64 `json:"host_trouble"`
	// Unwritten is how many items are to be written again (KeepTold).
	Unwritten uint64 `json:"unwritten"`
	// Away is 1 while DynamoDB does not answer, else 0: reads that have something to stand in do not wait then.
	Away uint64 `json:"away"`
}

// Event is something that a store reports besides the results of calls, such as a row that cannot be read.
type Event struct {
	Level   slog.Level
	Message string
}

// Store is one table, or one prefix of it. Any goroutine may use it, also while another closes it.
//
// Every call ends at the deadline that the [Options] set for it, and before that when its context ends: then it is
// cancelled, what it holds in the library is let go, and it returns the context's error at once. An upsert that was cancelled
// may have been done or not; an init that was cancelled has stopped, and returns what it had done. Errors are *[Error], or
// the context's own.
//
// A goroutine that waits for DynamoDB holds no OS thread and no descriptor.
type Store struct {
	library     *library
	completions *completions
	table       string
	cached      bool
	// Zero once it is closed. No number is given out twice.
	handle      atomic.Uint64
	cleanup     runtime.Cleanup
	initialized atomic.Bool
}

// Open opens a store. It costs no network I/O and needs no table yet; a wrong one shows at the first call.
//
// It fails with an *[Error] that names the option that is wrong, or with a *[LibraryError].
func Open(options Options) (*Store, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	text := options.json()
	var handle uint64
	var failure cError
	code := l.storeOpen.code(uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)),
		uintptr(unsafe.Pointer(&handle)), uintptr(unsafe.Pointer(&failure)))
	if code < 0 {
		return nil, l.failed(code, &failure)
	}
	completions, err := l.completions()
	if err != nil {
		l.storeClose.call(uintptr(handle), 0)
		return nil, err
	}
	if code := l.storeCompleteTo.code(uintptr(handle), uintptr(completions.queue), uintptr(unsafe.Pointer(&failure))); code < 0 {
		l.storeClose.call(uintptr(handle), 0)
		return nil, l.failed(code, &failure)
	}
	s := &Store{library: l, completions: completions, table: options.Table, cached: options.CacheTTL != 0 || options.CacheDir != ""}
	s.handle.Store(handle)
	// A store that is forgotten is closed when it is collected: the number is all that this needs.
	s.cleanup = runtime.AddCleanup(s, func(handle uint64) { l.storeClose.call(uintptr(handle), 0) }, handle)
	return s, nil
}

// Close closes the store. Calls in flight finish undisturbed, later ones fail with [ErrInvalidHandle]. It does not
// block, never fails, and does nothing when called again.
func (s *Store) Close() error {
	if handle := s.handle.Swap(0); handle != 0 {
		s.cleanup.Stop()
		s.library.storeClose.call(uintptr(handle), 0)
	}
	return nil
}

// Get reads one item, a deleted one included: look at its Deleted. It reports false if there is no row, or one that
// cannot be read, which an event reports. Out of the cache it does not wait; else it waits for at most Timeout.
func (s *Store) Get(ctx context.Context, kind, key string) (Item, bool, error) {
	if s.cached {
		if err := ctx.Err(); err != nil {
			return Item{}, false, err
		}
		if item, code, err := s.lookUp(kind, key); code != outcomeNotCached {
			return item, code == outcomeOK, err
		}
	}
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeGetAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.StringData(kind))), uintptr(len(kind)),
			uintptr(unsafe.Pointer(unsafe.StringData(key))), uintptr(len(key)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return Item{}, false, err
	}
	defer s.free(result)
	item := s.itemIn(result)
	if item == nil {
		return Item{}, false, nil
	}
	return *item, true, nil
}

// lookUp asks the cache alone, on the calling thread: a hit takes less than handing it over would.
func (s *Store) lookUp(kind, key string) (Item, Code, error) {
	defer runtime.KeepAlive(s)
	places := borrow()
	defer places.giveBack()
	// Arguments written inside the call's parentheses would be copied to the heap, which costs as much as the call. The
	// pointers beside them keep the texts where they are.
	places.kind, places.key = unsafe.StringData(kind), unsafe.StringData(key)
	places.arguments = [...]uintptr{
		uintptr(s.handle.Load()), uintptr(unsafe.Pointer(places.kind)), uintptr(len(kind)),
		uintptr(unsafe.Pointer(places.key)), uintptr(len(key)),
		uintptr(unsafe.Pointer(&places.item)), uintptr(unsafe.Pointer(&places.failure)),
	}
	code := s.library.storeGetCached.code(places.arguments[:]...)
	if code != outcomeOK {
		return Item{}, code, s.failed(code, &places.failure)
	}
	item := places.item.taken(key)
	s.library.storeItemFree.call(places.arguments[5:6]...)
	return item, code, nil
}

// All reads all items of a kind, deleted ones included. A row that cannot be read is left out, and an event reports it.
// It waits for at most AllTimeout.
func (s *Store) All(ctx context.Context, kind string) ([]Item, error) {
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeGetAllAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.StringData(kind))), uintptr(len(kind)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return nil, err
	}
	defer s.free(result)
	var list *byte
	var first *cItem
	var count uintptr
	s.library.storeResultItems.call(uintptr(result), uintptr(unsafe.Pointer(&list)), 0)
	defer s.library.storeItemsFree.call(uintptr(unsafe.Pointer(list)))
	s.library.storeItemsView.call(uintptr(unsafe.Pointer(list)), uintptr(unsafe.Pointer(&first)), uintptr(unsafe.Pointer(&count)), 0)
	items := make([]Item, count)
	for i := range items {
		found := &unsafe.Slice(first, count)[i]
		items[i] = found.taken(string(unsafe.Slice(found.key, found.keyLen)))
	}
	return items, nil
}

// Upsert writes one item if the table has none of this key, or one with a smaller version, in one request. With Deleted
// it writes a deletion, which may go without a payload; see [Store.Delete]. It waits for at most Timeout.
//
// After a retriable error the item may have been written or not; calling again is safe.
func (s *Store) Upsert(ctx context.Context, kind string, item Item) (UpsertResult, error) {
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeUpsertAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.StringData(kind))), uintptr(len(kind)),
			uintptr(unsafe.Pointer(unsafe.StringData(item.Key))), uintptr(len(item.Key)),
			uintptr(item.Version), uintptr(flag(item.Deleted)),
			uintptr(unsafe.Pointer(unsafe.SliceData(item.Payload))), uintptr(len(item.Payload)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return UpsertResult{}, err
	}
	defer s.free(result)
	switch s.outcome(result) {
	case outcomeNewerExists:
		return UpsertResult{NewerExists, s.itemIn(result)}, nil
	case outcomeTooLarge:
		return UpsertResult{Outcome: TooLarge}, nil
	}
	return UpsertResult{Outcome: Written}, nil
}

// Delete marks an item as deleted, by an upsert of a tombstone that every SDK reads.
func (s *Store) Delete(ctx context.Context, kind, key string, version int64) (UpsertResult, error) {
	return s.Upsert(ctx, kind, Item{Key: key, Version: version, Deleted: true})
}

// Init replaces all items of the given kinds, then marks the store as initialised.
//
// It writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds
// that are not given; leaves alone what another writer gave a newer version. Success means that everything is stored;
// after an error, which comes with the report of what was done by then, calling again goes on where it stopped. It waits
// for at most InitTimeout.
func (s *Store) Init(ctx context.Context, collections []Collection) (InitReport, error) {
	laidOut := given(collections)
	return s.init(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		defer runtime.KeepAlive(laidOut)
		return s.library.storeInitAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.SliceData(laidOut))), uintptr(len(laidOut)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
}

// InitJSON is [Store.Init] with JSON as a LaunchDarkly SDK has it: {"flags": {key: item}, "segments": {key: item}}, also
// inside the {"path": "/", "data": …} of a stream. Each item's text is stored byte for byte; its version is its member
// "version", and "deleted": true makes it a deletion.
func (s *Store) InitJSON(ctx context.Context, text []byte) (InitReport, error) {
	return s.init(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeInitJsonAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.SliceData(text))), uintptr(len(text)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
}

func (s *Store) init(ctx context.Context, start starter) (InitReport, error) {
	done, err := s.ended(ctx, true, start)
	if done == 0 {
		return InitReport{}, err
	}
	defer s.free(done)
	var text *byte
	var report InitReport
	if s.library.storeResultReport.code(uintptr(done), uintptr(unsafe.Pointer(&text)), 0) == outcomeOK {
		if unread := json.Unmarshal([]byte(s.library.takeString(text)), &report); err == nil {
			err = unread
		}
	}
	return report, err
}

// Initialized tells whether a full data set was ever stored under this prefix. Once true it is answered without I/O;
// else it waits for at most Timeout.
func (s *Store) Initialized(ctx context.Context) (bool, error) {
	if s.initialized.Load() && s.handle.Load() != 0 {
		return true, nil
	}
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeInitializedAsync.code(uintptr(s.handle.Load()), 0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return false, err
	}
	defer s.free(result)
	var answer int32
	s.library.storeResultInitialized.call(uintptr(result), uintptr(unsafe.Pointer(&answer)), 0)
	if answer != 0 {
		s.initialized.Store(true)
	}
	return answer != 0, nil
}

// Available returns nil if the table answers, else the error that a read would get. It is one small read that is never
// cached, and waits for at most Timeout.
func (s *Store) Available(ctx context.Context) error {
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeAvailableAsync.code(uintptr(s.handle.Load()), 0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return err
	}
	s.free(result)
	return nil
}

// BigSegmentsMetadata tells when big segments were last brought up to date; it reports false if they never were. It
// waits for at most Timeout.
func (s *Store) BigSegmentsMetadata(ctx context.Context) (time.Time, bool, error) {
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeBigSegmentsMetadataAsync.code(uintptr(s.handle.Load()), 0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return time.Time{}, false, err
	}
	defer s.free(result)
	var milliseconds int64
	if s.library.storeResultMetadata.code(uintptr(result), uintptr(unsafe.Pointer(&milliseconds)), 0) != outcomeOK {
		return time.Time{}, false, nil
	}
	return time.UnixMilli(milliseconds), true, nil
}

// BigSegmentsMembership returns the big segments that name one context, by segment reference ("key.g<generation>"): true
// where it is included, false where it is excluded; nil if there are none. The hash is base64 of the SHA-256 of the
// context's key. It waits for at most Timeout.
func (s *Store) BigSegmentsMembership(ctx context.Context, hash string) (map[string]bool, error) {
	result, err := s.await(ctx, func(userData uintptr, call *uint64, failure *cError) Code {
		return s.library.storeBigSegmentsMembershipAsync.code(uintptr(s.handle.Load()),
			uintptr(unsafe.Pointer(unsafe.StringData(hash))), uintptr(len(hash)),
			0, userData, uintptr(unsafe.Pointer(call)), uintptr(unsafe.Pointer(failure)))
	})
	if err != nil {
		return nil, err
	}
	defer s.free(result)
	var membership *byte
	if s.library.storeResultMembership.code(uintptr(result), uintptr(unsafe.Pointer(&membership)), 0) != outcomeOK {
		return nil, nil
	}
	defer s.library.storeMembershipFree.call(uintptr(unsafe.Pointer(membership)))
	entries := make(map[string]bool)
	for place := range s.library.storeMembershipCount.call(uintptr(unsafe.Pointer(membership))) {
		var segment *byte
		var length uintptr
		var included int32
		s.library.storeMembershipEntry.call(uintptr(unsafe.Pointer(membership)), place, uintptr(unsafe.Pointer(&segment)),
			uintptr(unsafe.Pointer(&length)), uintptr(unsafe.Pointer(&included)), 0)
		entries[string(unsafe.Slice(segment, length))] = included != 0
	}
	return entries, nil
}

// Statistics tells what the store did. It does not wait.
func (s *Store) Statistics() (Statistics, error) {
	defer runtime.KeepAlive(s)
	var text *byte
	var failure cError
	code := s.library.storeStatistics.code(uintptr(s.handle.Load()), uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&failure)))
	if code != outcomeOK {
		return Statistics{}, s.failed(code, &failure)
	}
	var statistics Statistics
	err := json.Unmarshal([]byte(s.library.takeString(text)), &statistics)
	return statistics, err
}

// ClearCache forgets everything that is cached; the next reads ask DynamoDB. It does not wait.
func (s *Store) ClearCache() error {
	defer runtime.KeepAlive(s)
	var failure cError
	return s.failed(s.library.storeClearCache.code(uintptr(s.handle.Load()), uintptr(unsafe.Pointer(&failure))), &failure)
}

// Events takes the events that were not taken yet, oldest first, until there is none. It does not wait. The library
// keeps the last 256; the statistics count those that were dropped.
func (s *Store) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			event, found := s.nextEvent()
			if !found || !yield(event) {
				return
			}
		}
	}
}

func (s *Store) nextEvent() (Event, bool) {
	defer runtime.KeepAlive(s)
	var level int32
	var message *byte
	if s.library.storeNextEvent.code(uintptr(s.handle.Load()), uintptr(unsafe.Pointer(&level)),
		uintptr(unsafe.Pointer(&message)), 0) != outcomeOK {
		return Event{}, false
	}
	return Event{levels[level], s.library.takeString(message)}, true
}

var levels = map[int32]slog.Level{1: slog.LevelError, 2: slog.LevelWarn, 3: slog.LevelInfo, 4: slog.LevelDebug}

// await starts an asynchronous call and waits for its result, to be given to free. It holds no OS thread meanwhile.
func (s *Store) await(ctx context.Context, start starter) (result, error) {
	done, err := s.ended(ctx, false, start)
	if err != nil && done != 0 {
		s.free(done)
		return 0, err
	}
	return done, err
}

// ended is await for a call whose result says something even if it failed, or was stopped when the context ended: then there
// may be both.
func (s *Store) ended(ctx context.Context, stopped bool, start starter) (result, error) {
	defer runtime.KeepAlive(s)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	done, code, failure, err := s.completions.await(ctx, stopped, start)
	if code < 0 {
		return 0, s.failed(code, &failure)
	}
	if err == nil && done != 0 {
		if code := s.outcome(done); code < 0 {
			s.library.storeResultError.call(uintptr(done), uintptr(unsafe.Pointer(&failure)))
			return done, s.failed(code, &failure)
		}
	}
	return done, err
}

func (s *Store) outcome(done result) Code {
	return s.library.storeResultCode.code(uintptr(done))
}

func (s *Store) itemIn(done result) *Item {
	places := borrow()
	defer places.giveBack()
	if s.library.storeResultItem.code(uintptr(done), uintptr(unsafe.Pointer(&places.item)), 0) != outcomeOK {
		return nil
	}
	item := places.item.taken(string(unsafe.Slice(places.item.key, places.item.keyLen)))
	s.library.storeItemFree.call(uintptr(unsafe.Pointer(&places.item)))
	return &item
}

func (s *Store) free(done result) {
	s.library.storeResultFree.call(uintptr(done))
}

// failed is the error of a call that returned this code, nil for an outcome.
func (s *Store) failed(code Code, failure *cError) error {
	if code >= 0 {
		return nil
	}
	err := s.library.failed(code, failure)
	if code == ErrInvalidHandle && s.handle.Load() == 0 {
		err.Message = "the store of table " + quoted(s.table) + " is closed: open another one"
	}
	return err
}

func quoted(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}
