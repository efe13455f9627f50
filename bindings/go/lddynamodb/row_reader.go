package lddynamodb

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

const (
	// maximalNesting is many times what a flag has, and what other SDKs read at all. The SDK's reader calls itself for each
	// level: out of the largest row it would grow the stack to half a gigabyte.
	maximalNesting = 1000

	// rememberedRows bounds what is kept of bad rows: more of them are warned about again.
	rememberedRows = 10_000
)

// rowReader gives the SDK the rows that it can read, and no others: it deserialises a kind as a whole, and fails for all of
// its items at the first one that it cannot. So each is tried here with the SDK's own deserialiser. The SDK then does it once
// more, since a store can hand it nothing but text.
type rowReader struct {
	log    *eventLog
	mutex  sync.Mutex
	warned map[rowName]int64 // the version that was warned about last
}

type rowName struct{ kind, key string }

func newRowReader(log *eventLog) *rowReader {
	return &rowReader{log: log, warned: map[rowName]int64{}}
}

// read tells whether the row is one that the SDK can read, and warns about one that is left out.
func (r *rowReader) read(kind st.DataKind, row flagstore.Item) (st.SerializedItemDescriptor, bool) {
	if reason := unreadable(kind, row); reason != "" {
		r.warn(rowName{kind.GetName(), row.Key}, row.Version, reason)
		return st.SerializedItemDescriptor{}, false
	}
	return st.SerializedItemDescriptor{Version: int(row.Version), Deleted: row.Deleted, SerializedItem: row.Payload}, true
}

func (r *rowReader) readAll(kind st.DataKind, rows []flagstore.Item) []st.KeyedSerializedItemDescriptor {
	items := make([]st.KeyedSerializedItemDescriptor, 0, len(rows))
	for _, row := range rows {
		if item, readable := r.read(kind, row); readable {
			items = append(items, st.KeyedSerializedItemDescriptor{Key: row.Key, Item: item})
		}
	}
	return items
}

// unreadable is why the SDK cannot read a row; empty if it can.
func unreadable(kind st.DataKind, row flagstore.Item) string {
	if row.Deleted {
		return ""
	}
	if tooDeep(row.Payload) {
		return fmt.Sprintf("over %d levels of nesting", maximalNesting)
	}
	if _, err := kind.Deserialize(row.Payload); err != nil {
		// Not the text of the error, which may quote the payload.
		return fmt.Sprintf("%T", err)
	}
	return ""
}

func tooDeep(payload []byte) bool {
	if bytes.Count(payload, []byte("["))+bytes.Count(payload, []byte("{")) <= maximalNesting {
		return false
	}
	depth, quoted := 0, false
	for at := 0; at < len(payload); at++ {
		switch c := payload[at]; {
		case quoted && c == '\\':
			at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maximalNesting {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

func (r *rowReader) warn(row rowName, version int64, reason string) {
	if r.known(row, version) {
		return
	}
	r.log.write(ldlog.Warn, fmt.Sprintf(
		"the item %q in %q is left out: the SDK cannot read its version %d (%s); write it again with a newer version, or delete the row",
		row.key, row.kind, version, reason))
}

// known tells whether this version was warned about, and remembers that it is now.
func (r *rowReader) known(row rowName, version int64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	before, found := r.warned[row]
	if found && before == version {
		return true
	}
	if len(r.warned) >= rememberedRows {
		clear(r.warned)
	}
	r.warned[row] = version
	return false
}
