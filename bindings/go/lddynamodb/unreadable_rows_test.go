package lddynamodb

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// tests/data/unreadable_rows.json: rows of which no one may hide the others.
type unreadableRows struct {
	Readable   map[string]map[string]string
	Unreadable map[string][]unreadableRow
}

type unreadableRow struct {
	Name       string
	Item       string
	Nesting    int
	Everywhere bool
}

func (r unreadableRow) payload() string {
	return strings.ReplaceAll(r.Item, "<>", strings.Repeat("[", r.Nesting)+strings.Repeat("]", r.Nesting))
}

func readUnreadableRows(t *testing.T) unreadableRows {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(endpoint.Repository(), "tests/data/unreadable_rows.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows unreadableRows
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func putRow(t *testing.T, prefix string, kind st.DataKind, key string, version int, payload string) {
	t.Helper()
	endpoint.Local(t).Put(t, prefix+":"+kind.GetName(), key, endpoint.Attributes{
		"version": {"N": fmt.Sprint(version)}, "item": {"S": payload},
	})
}

// putRows writes all rows of a kind, and gives those that the SDK reads, with their payloads, and the others' keys.
func (r unreadableRows) putRows(t *testing.T, prefix string, kind st.DataKind) (read map[string]string, leftOut []string) {
	t.Helper()
	read = map[string]string{}
	for key, payload := range r.Readable[kind.GetName()] {
		putRow(t, prefix, kind, key, 3, payload)
		read[key] = payload
	}
	for _, row := range r.Unreadable[kind.GetName()] {
		putRow(t, prefix, kind, row.Name, 3, row.payload())
		if _, err := kind.Deserialize([]byte(row.payload())); err != nil || row.Nesting > maximalNesting {
			leftOut = append(leftOut, row.Name)
			continue
		}
		read[row.Name] = row.payload()
		if row.Everywhere {
			t.Errorf("the SDK reads %q", row.Name)
		}
	}
	return read, leftOut
}

func TestWhatTheSDKCannotReadIsLeftOutAndTheOthersAreThere(t *testing.T) {
	rows := readUnreadableRows(t)
	for _, kind := range []st.DataKind{flags, segments} {
		t.Run(kind.GetName(), func(t *testing.T) {
			prefix := endpoint.Prefix()
			store, log := dataStoreAt(t, endpoint.Local(t), prefix)
			want, leftOut := rows.putRows(t, prefix, kind)
			all, err := store.GetAll(kind)
			if err != nil || len(all) != len(want) {
				t.Errorf("%d items for %d, %v", len(all), len(want), err)
			}
			for _, item := range all {
				if string(item.Item.SerializedItem) != want[item.Key] || item.Item.Version != 3 {
					t.Errorf("%q: %+v", item.Key, item.Item)
				}
			}
			for key, payload := range want {
				if item, err := store.Get(kind, key); err != nil || string(item.SerializedItem) != payload {
					t.Errorf("%q: %+v, %v", key, item, err)
				}
			}
			for _, key := range leftOut {
				if item, err := store.Get(kind, key); err != nil || item.Version != -1 {
					t.Errorf("%q: %+v, %v", key, item, err)
				}
			}
			if warnings := log.GetOutput(ldlog.Warn); len(warnings) != len(leftOut) || len(leftOut) < 20 {
				t.Errorf("%d left out, %d warnings: %q", len(leftOut), len(warnings), warnings)
			}
		})
	}
}

func TestAClientSeesAllFlagsButThoseThatItCannotRead(t *testing.T) {
	rows, prefix := readUnreadableRows(t), endpoint.Prefix()
	rows.putRows(t, prefix, segments)
	_, leftOut := rows.putRows(t, prefix, flags)
	putRow(t, prefix, flags, "in the segment", 3, `{"key":"in the segment","version":3,"on":true,"salt":"","variations":["out","in"],
		"fallthrough":{"variation":0},"rules":[{"id":"r","variation":1,"clauses":[{"attribute":"","op":"segmentMatch",
		"values":["blank","a readable segment"]}]}]}`)
	endpoint.Local(t).Put(t, prefix+":$inited", prefix+":$inited", nil)
	client, user := daemon(t, DataStore(endpoint.Table).Prefix(prefix).Options(on(endpoint.Local(t)))), ldcontext.New("u")
	state := client.AllFlagsState(user)
	if !state.IsValid() {
		t.Error("the state of all flags is not valid")
	}
	for key := range rows.Readable["features"] {
		value, err := client.BoolVariation(key, user, false)
		if err != nil || !value || !state.GetValue(key).BoolValue() {
			t.Errorf("%q: %v, %v, %v", key, value, err, state.GetValue(key))
		}
	}
	if value, err := client.StringVariation("in the segment", user, "none"); err != nil || value != "in" {
		t.Error(value, err)
	}
	for _, key := range leftOut {
		// A flag that is not there is an error to this SDK, which gives the default.
		if value, _ := client.JSONVariation(key, user, ldvalue.String("none")); value.StringValue() != "none" {
			t.Errorf("%q: %v", key, value)
		}
	}
	if !client.GetDataStoreStatusProvider().GetStatus().Available {
		t.Error("the store is taken for unavailable")
	}
}

func TestARowThatIsLeftOutIsWarnedAboutOnceAVersionWithoutItsPayload(t *testing.T) {
	prefix, key := endpoint.Prefix(), "bad\n\"one\""
	store, log := dataStoreAt(t, endpoint.Local(t), prefix)
	for round, version := range []int{3, 4} {
		for _, kind := range []st.DataKind{flags, segments} {
			putRow(t, prefix, kind, key, version, `{"key":["p4yl0ad"]}`)
			for range 2 {
				if all, err := store.GetAll(kind); err != nil || len(all) != 0 {
					t.Errorf("%v, %v", all, err)
				}
				if item, err := store.Get(kind, key); err != nil || item.Version != -1 {
					t.Errorf("%+v, %v", item, err)
				}
			}
			wantLogged(t, log, ldlog.Warn, fmt.Sprintf(
				`the item "bad\n\"one\"" in %q is left out: the SDK cannot read its version %d (`, kind.GetName(), version))
		}
		if warnings := log.GetOutput(ldlog.Warn); len(warnings) != 2*(round+1) {
			t.Errorf("%q", warnings)
		}
	}
	if strings.Contains(fmt.Sprint(log.GetAllOutput()), "p4yl0ad") {
		t.Errorf("%q", log.GetAllOutput())
	}
}

func TestTheMemoryOfBadRowsIsBounded(t *testing.T) {
	rows := newRowReader(nil)
	for at := range 2 * rememberedRows {
		name := rowName{"features", fmt.Sprint(at)}
		if rows.known(name, 1) || !rows.known(name, 1) || len(rows.warned) > rememberedRows {
			t.Fatalf("row %d, %d remembered", at, len(rows.warned))
		}
	}
}

// The SDK's reader calls itself for each level: to read this one it would grow the goroutine's stack to hundreds of megabytes.
func TestAFlagOfGreatDepthIsNotRead(t *testing.T) {
	flagOf := func(levels int) []byte {
		open, closed := strings.Repeat("[", levels-2), strings.Repeat("]", levels-2)
		return []byte(`{"key":"[[{{\"[[","version":1,"variations":[` + open + `"[[\\",1` + closed + `]}`)
	}
	for levels, want := range map[int]bool{3: false, maximalNesting: false, maximalNesting + 1: true, 190_000: true} {
		if got := tooDeep(flagOf(levels)); got != want {
			t.Errorf("%d levels: %v", levels, got)
		}
	}
	wide := `{"key":"k","version":1,"variations":[` + strings.Repeat(`{"a":[]},`, 2*maximalNesting) + `1]}`
	if tooDeep([]byte(wide)) {
		t.Error("what is wide is not deep")
	}
}

// panicking is a logger that panics at whatever is logged.
type panicking struct{ messages *[]string }

func (p panicking) Println(values ...any) {
	*p.messages = append(*p.messages, fmt.Sprint(values...))
	panic("a logger's own")
}

func (p panicking) Printf(format string, values ...any) { p.Println(fmt.Sprintf(format, values...)) }

func TestALoggerThatPanicsChangesNoCall(t *testing.T) {
	var messages []string
	var loggers ldlog.Loggers
	loggers.SetBaseLogger(panicking{&messages})
	prefix, faults := endpoint.Prefix(), endpoint.WithFaults(t, endpoint.Local(t))
	store, err := builtWith(DataStore(endpoint.Table).Prefix(prefix).Options(on(faults.Endpoint)).KeepTold(false), loggers)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	huge := serialized(1, `{"key":"huge","version":1,"salt":"`+strings.Repeat("x", 400_000)+`"}`)
	good := flagItem("good", 1)
	if err := store.Init(dataSetOf(good, st.KeyedSerializedItemDescriptor{Key: "huge", Item: huge})); err != nil {
		t.Error(err)
	}
	putRow(t, prefix, flags, "bad", 1, "no flag")
	if all, err := store.GetAll(flags); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if item, err := store.Get(flags, "bad"); err != nil || item.Version != -1 {
		t.Errorf("%+v, %v", item, err)
	}
	if written, err := store.Upsert(flags, "huge", huge); written || err != nil {
		t.Error(written, err)
	}
	if !store.IsInitialized() || !store.IsStoreAvailable() {
		t.Error("not initialized, or not available")
	}
	faults.Script(t, `{"do":{"do":"refuse","type":"AccessDeniedException"}}`)
	if _, err := store.Get(flags, "good"); err == nil || !strings.Contains(err.Error(), "good") {
		t.Error(err)
	}
	if store.IsStoreAvailable() {
		t.Error("available")
	}
	if len(messages) < 3 {
		t.Errorf("%q", messages)
	}
}
