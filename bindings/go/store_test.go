package flagstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

const flagJSON = `{"key":"flag","version":1}`

func item(key string, version int64, payload string) flagstore.Item {
	return flagstore.Item{Key: key, Version: version, Payload: []byte(payload)}
}

func tombstone(key string, version int64) flagstore.Item {
	return flagstore.Item{Key: key, Version: version, Deleted: true}
}

// wantItem fails unless a get finds exactly this.
func wantItem(t testing.TB, store *flagstore.Store, kind string, want flagstore.Item) {
	t.Helper()
	got, found, err := store.Get(ctx, kind, want.Key)
	if err != nil || !found || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %q version %d deleted %v (%.50q), found %v, error %v; want version %d deleted %v (%.50q)",
			got.Key, got.Version, got.Deleted, got.Payload, found, err, want.Version, want.Deleted, want.Payload)
	}
}

func wantMissing(t testing.TB, store *flagstore.Store, kind, key string) {
	t.Helper()
	if got, found, err := store.Get(ctx, kind, key); err != nil || found || !reflect.DeepEqual(got, flagstore.Item{}) {
		t.Fatalf("got %+v, found %v, error %v; want nothing", got, found, err)
	}
}

func wantAll(t testing.TB, store *flagstore.Store, kind string, want ...flagstore.Item) {
	t.Helper()
	got := must[[]flagstore.Item](t)(store.All(ctx, kind))
	byKey := func(a, b flagstore.Item) int { return strings.Compare(a.Key, b.Key) }
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		for i := range min(len(got), len(want), 10) {
			t.Errorf("got %q version %d, want %q version %d", got[i].Key, got[i].Version, want[i].Key, want[i].Version)
		}
		t.Fatalf("got %d items, want %d", len(got), len(want))
	}
}

// wantUpsert fails unless the upsert comes to exactly this.
func wantUpsert(t testing.TB, store *flagstore.Store, kind string, given flagstore.Item, outcome flagstore.Outcome, stored *flagstore.Item) {
	t.Helper()
	got, err := store.Upsert(ctx, kind, given)
	if want := (flagstore.UpsertResult{Outcome: outcome, Stored: stored}); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v %+v, error %v; want %v %+v", got.Outcome, got.Stored, err, outcome, stored)
	}
}

func TestTheLibraryTellsItsVersion(t *testing.T) {
	if version := must[string](t)(flagstore.LibraryVersion()); version != flagstore.Version {
		t.Fatalf("library %s, package %s", version, flagstore.Version)
	}
}

func TestAnItemComesBackAsItWasWritten(t *testing.T) {
	local := endpoint.Local(t)
	given := options(local)
	store := opened(t, given)
	wantMissing(t, store, "features", "flag")
	wantUpsert(t, store, "features", item("flag", 3, flagJSON), flagstore.Written, nil)
	wantItem(t, store, "features", item("flag", 3, flagJSON))
	row := local.Row(t, given.Prefix+":features", "flag")
	want := endpoint.Attributes{"version": {"N": "3"}, "item": {"S": flagJSON}}
	if !reflect.DeepEqual(row, want) {
		t.Fatalf("the row is %v, want %v", row, want)
	}
}

func TestKeysMayHoldAnyCharacters(t *testing.T) {
	for _, key := range []string{
		"plain", "with space", "with:colon/and/slash", "Grüße-日本語-🚩", "nul\x00inside", "\x00", "quote\"back\\slash'",
		"line\nbreak\ttab\x7f", "\u202e\ufeff", "e\u0301", strings.Repeat("x", 1024),
	} {
		t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
			store := opened(t, options(endpoint.Local(t)))
			wantUpsert(t, store, key, item(key, 1, flagJSON), flagstore.Written, nil)
			wantItem(t, store, key, item(key, 1, flagJSON))
			wantAll(t, store, key, item(key, 1, flagJSON))
		})
	}
}

func TestPayloadsComeBackByteForByte(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	for version, payload := range []string{
		"not JSON", " {} ", `{"a" : 1.0e5}`, "\x00", "null\x00", `"\u0000é🚩"`, "[]", strings.Repeat("x", 300_000),
	} {
		wantUpsert(t, store, "things", item("thing", int64(version), payload), flagstore.Written, nil)
		wantItem(t, store, "things", item("thing", int64(version), payload))
	}
}

func TestTextThatIsNotUTF8IsRefused(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	for name, given := range map[string]flagstore.Item{"key": item("\xff", 1, "x"), "item": item("key", 1, "\xff")} {
		if _, err := store.Upsert(ctx, "features", given); !errors.Is(err, flagstore.ErrInvalidUTF8) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVersionThatIsNotNewerIsRefusedWithTheStoredItem(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	stored := item("flag", 2, flagJSON)
	wantUpsert(t, store, "features", stored, flagstore.Written, nil)
	for version := range int64(3) {
		wantUpsert(t, store, "features", item("flag", version, "other"), flagstore.NewerExists, &stored)
		wantUpsert(t, store, "features", tombstone("flag", version), flagstore.NewerExists, &stored)
	}
	wantItem(t, store, "features", stored)
}

func TestVersionsAreWholeNumbersOf63Bits(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	for _, version := range []int64{0, 1 << 31, 1<<53 + 1, 1<<63 - 1} {
		wantUpsert(t, store, "features", item("flag", version, "x"), flagstore.Written, nil)
		wantItem(t, store, "features", item("flag", version, "x"))
	}
	if _, err := store.Upsert(ctx, "features", item("other", -1, "x")); !errors.Is(err, flagstore.ErrInvalidVersion) {
		t.Fatal(err)
	}
}

func TestAnItemOver400KBIsNotWrittenAndKeepsTheOlderRow(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	huge := strings.Repeat("x", 400_000)
	wantUpsert(t, store, "features", item("flag", 1, flagJSON), flagstore.Written, nil)
	wantUpsert(t, store, "features", item("flag", 2, huge), flagstore.TooLarge, nil)
	wantItem(t, store, "features", item("flag", 1, flagJSON))
	report := must[flagstore.InitReport](t)(store.Init(ctx, []flagstore.Collection{
		{Kind: "features", Items: []flagstore.Item{item("flag", 2, huge), item("small", 1, "x")}},
	}))
	if len(report.TooLarge) != 1 || report.TooLarge[0].Key != "flag" || report.TooLarge[0].Bytes < 400_000 || report.Written != 1 {
		t.Fatalf("%+v", report)
	}
	wantAll(t, store, "features", item("flag", 1, flagJSON), item("small", 1, "x"))
	for event := range store.Events() {
		if strings.Contains(event.Message, `"flag"`) && !strings.Contains(event.Message, "xxxx") {
			return
		}
	}
	t.Fatal("no event names the item")
}

func TestADeletedItemIsThereAsDeleted(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	wantUpsert(t, store, "features", item("flag", 1, flagJSON), flagstore.Written, nil)
	if result := must[flagstore.UpsertResult](t)(store.Delete(ctx, "features", "flag", 2)); result.Outcome != flagstore.Written {
		t.Fatal(result)
	}
	gone := tombstone("flag", 2)
	wantItem(t, store, "features", gone)
	wantAll(t, store, "features", gone)
	wantUpsert(t, store, "features", item("flag", 1, flagJSON), flagstore.NewerExists, &gone)
}

func TestEveryTombstoneOfEverySDKIsRead(t *testing.T) {
	for name, attributes := range map[string]endpoint.Attributes{
		"null":      {"item": {"S": "null"}},
		"keyed":     {"item": {"S": `{"key":"flag","version":5,"deleted":true}`}},
		"keyless":   {"item": {"S": `{"version":5,"deleted":true}`}},
		"full":      {"item": {"S": `{"key":"$deleted","version":5,"deleted":true,"rules":[]}`}},
		"no item":   {},
		"attribute": {"item": {"S": flagJSON}, "deleted": {"BOOL": true}},
	} {
		t.Run(name, func(t *testing.T) {
			local := endpoint.Local(t)
			given := options(local)
			attributes["version"] = map[string]any{"N": "5"}
			local.Put(t, given.Prefix+":features", "flag", attributes)
			store := opened(t, given)
			wantItem(t, store, "features", tombstone("flag", 5))
			wantAll(t, store, "features", tombstone("flag", 5))
		})
	}
}

func TestMoreItemsThanFitOneAnswerAllCome(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	wantAll(t, store, "things")
	var items []flagstore.Item
	for number := range 120 {
		items = append(items, item(fmt.Sprintf("thing-%03d", number), int64(number), strings.Repeat("x", 20_000)))
	}
	must[flagstore.InitReport](t)(store.Init(ctx, []flagstore.Collection{{Kind: "things", Items: items}}))
	wantAll(t, store, "things", items...)
}

func TestOneUnreadableRowHidesNoOther(t *testing.T) {
	local := endpoint.Local(t)
	given := options(local)
	store := opened(t, given)
	wantUpsert(t, store, "features", item("good", 1, flagJSON), flagstore.Written, nil)
	local.Put(t, given.Prefix+":features", "bad", endpoint.Attributes{"version": {"N": "1"}, "item": {"B": "AA=="}})
	wantAll(t, store, "features", item("good", 1, flagJSON))
	wantMissing(t, store, "features", "bad")
	for event := range store.Events() {
		if strings.Contains(event.Message, "bad") {
			return
		}
	}
	t.Fatal("no event names the row")
}

func TestAnInitReportsWhatItReplacedAndWhatItLeftOut(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	wantUpsert(t, store, "features", item("flag", 9, flagJSON), flagstore.Written, nil)
	data := []flagstore.Collection{{Kind: "features", Items: []flagstore.Item{item("flag", 1, flagJSON), item("", 1, flagJSON)}}}
	report := must[flagstore.InitReport](t)(store.Init(ctx, data))
	of := func(reason, key string) map[string]flagstore.Reason {
		return map[string]flagstore.Reason{reason: {Count: 1, Keys: []flagstore.Row{{Kind: "features", Key: key}}}}
	}
	want := flagstore.InitReport{
		Written: 1, TooLarge: []flagstore.TooLargeItem{},
		Replaced: of("not_initialised", "flag"), Kept: map[string]flagstore.Reason{}, LeftOut: of("empty_key", ""),
	}
	if !reflect.DeepEqual(report, want) {
		t.Fatalf("%+v, want %+v", report, want)
	}
	wantAll(t, store, "features", item("flag", 1, flagJSON))
}

func TestInitReplacesTheDataSetAndMarksIt(t *testing.T) {
	local := endpoint.Local(t)
	given := options(local)
	store := opened(t, given)
	wantUpsert(t, store, "features", item("old", 9, flagJSON), flagstore.Written, nil)
	wantUpsert(t, store, "others", item("untouched", 9, flagJSON), flagstore.Written, nil)
	if must[bool](t)(store.Initialized(ctx)) {
		t.Fatal("initialized before its init")
	}
	data := []flagstore.Collection{
		{Kind: "features", Items: []flagstore.Item{item("new", 1, flagJSON), tombstone("gone", 2)}},
		{Kind: "segments", Items: []flagstore.Item{item("segment", 1, "{}")}},
		{Kind: "empty"},
	}
	report := must[flagstore.InitReport](t)(store.Init(ctx, data))
	none := map[string]flagstore.Reason{}
	want := flagstore.InitReport{Written: 3, Deleted: 1, TooLarge: []flagstore.TooLargeItem{}, Replaced: none, Kept: none, LeftOut: none}
	if !reflect.DeepEqual(report, want) {
		t.Fatalf("%+v, want %+v", report, want)
	}
	if !must[bool](t)(store.Initialized(ctx)) || !must[bool](t)(opened(t, given).Initialized(ctx)) {
		t.Fatal("not initialized after its init")
	}
	wantAll(t, store, "features", item("new", 1, flagJSON), tombstone("gone", 2))
	wantAll(t, store, "segments", item("segment", 1, "{}"))
	wantItem(t, store, "others", item("untouched", 9, flagJSON))
	if row := local.Row(t, given.Prefix+":$inited", given.Prefix+":$inited"); row == nil || len(row) > 0 {
		t.Fatalf("the row $inited is %v", row)
	}

	before := must[flagstore.Statistics](t)(store.Statistics())
	again := must[flagstore.InitReport](t)(store.Init(ctx, data))
	if again.Written != 0 || again.Unchanged != 3 {
		t.Fatalf("the same data again: %+v", again)
	}
	if after := must[flagstore.Statistics](t)(store.Statistics()); after.WriteUnits != before.WriteUnits || after.Requests <= before.Requests {
		t.Fatalf("the same data again cost writes: %+v", after)
	}
}

func TestInitTakesTheJSONOfAnSDK(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	text := `{"flags":{"flag":{"version":2,  "on":true}},"segments":{"gone":{"version":3,"deleted":true}}}`
	if report := must[flagstore.InitReport](t)(store.InitJSON(ctx, []byte(text))); report.Written != 2 {
		t.Fatalf("%+v", report)
	}
	wantAll(t, store, "features", item("flag", 2, `{"version":2,  "on":true}`))
	wantAll(t, store, "segments", tombstone("gone", 3))
	if _, err := store.InitJSON(ctx, []byte("{")); !errors.Is(err, flagstore.ErrInvalidJSON) {
		t.Fatal(err)
	}
}

func TestInitKeepsWhatIsNewer(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	init := func(flag flagstore.Item) flagstore.InitReport {
		data := []flagstore.Collection{{Kind: "features", Items: []flagstore.Item{flag}}}
		return must[flagstore.InitReport](t)(store.Init(ctx, data))
	}
	init(item("flag", 5, "newer"))
	report := init(item("flag", 4, "older"))
	kept := flagstore.Reason{Count: 1, Keys: []flagstore.Row{{Kind: "features", Key: "flag"}}}
	if report.KeptNewer != 1 || report.Written != 0 || !reflect.DeepEqual(report.Kept["newer"], kept) {
		t.Fatalf("%+v", report)
	}
	wantItem(t, store, "features", item("flag", 5, "newer"))
}

func TestDataThatCannotBeRightIsNamedAndNothingIsSent(t *testing.T) {
	for name, test := range map[string]struct {
		items []flagstore.Item
		code  flagstore.Code
	}{
		"empty item":   {[]flagstore.Item{item("key", 1, "")}, flagstore.ErrEmptyItem},
		"twice":        {[]flagstore.Item{item("key", 1, "x"), item("key", 1, "x")}, flagstore.ErrDuplicateKey},
		"version":      {[]flagstore.Item{item("key", -1, "x")}, flagstore.ErrInvalidVersion},
		"key too long": {[]flagstore.Item{item(strings.Repeat("x", 1025), 1, "x")}, flagstore.ErrKeyTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			store := opened(t, options(endpoint.Local(t)))
			if _, err := store.Init(ctx, []flagstore.Collection{{Kind: "features", Items: test.items}}); !errors.Is(err, test.code) {
				t.Fatal(err)
			}
			if statistics := must[flagstore.Statistics](t)(store.Statistics()); statistics.Requests != 0 {
				t.Fatalf("%d requests were sent", statistics.Requests)
			}
		})
	}
}

func TestBigSegmentsAreRead(t *testing.T) {
	local := endpoint.Local(t)
	given := options(local)
	store := opened(t, given)
	if synchronized, found, err := store.BigSegmentsMetadata(ctx); found || err != nil {
		t.Fatal(synchronized, err)
	}
	if membership := must[map[string]bool](t)(store.BigSegmentsMembership(ctx, "hash")); membership != nil {
		t.Fatal(membership)
	}
	metadata := given.Prefix + ":big_segments_metadata"
	local.Put(t, metadata, metadata, endpoint.Attributes{"synchronizedOn": {"N": "1700000000123"}})
	local.Put(t, given.Prefix+":big_segments_user", "hash", endpoint.Attributes{
		"included": {"SS": []string{"a.g1"}}, "excluded": {"SS": []string{"a.g1", "b.g1"}},
	})
	if synchronized, found, err := store.BigSegmentsMetadata(ctx); !found || err != nil || synchronized.UnixMilli() != 1700000000123 {
		t.Fatal(synchronized, found, err)
	}
	membership := must[map[string]bool](t)(store.BigSegmentsMembership(ctx, "hash"))
	if !maps.Equal(membership, map[string]bool{"a.g1": true, "b.g1": false}) {
		t.Fatal(membership)
	}
	if _, err := store.BigSegmentsMembership(ctx, ""); !errors.Is(err, flagstore.ErrEmptyKey) {
		t.Fatal(err)
	}
}

func TestACachedItemIsServedWithoutARequest(t *testing.T) {
	given := options(endpoint.Local(t))
	writer := opened(t, given)
	given.CacheTTL = -1
	store := opened(t, given)
	wantMissing(t, store, "features", "flag")
	wantUpsert(t, writer, "features", item("flag", 1, flagJSON), flagstore.Written, nil)
	wantMissing(t, store, "features", "flag")
	if err := store.ClearCache(); err != nil {
		t.Fatal(err)
	}
	wantItem(t, store, "features", item("flag", 1, flagJSON))
	before := must[flagstore.Statistics](t)(store.Statistics())
	for range 10 {
		wantItem(t, store, "features", item("flag", 1, flagJSON))
	}
	after := must[flagstore.Statistics](t)(store.Statistics())
	if after.Requests != before.Requests || after.Hits != before.Hits+10 || after.CachedItems != 1 || after.CachedBytes == 0 {
		t.Fatalf("before %+v, after %+v", before, after)
	}
}

// What a caller was given stays as it is, whatever the cache does and the caller does with it.
func TestAPayloadBelongsToTheCaller(t *testing.T) {
	given := options(endpoint.Local(t))
	given.CacheTTL = -1
	store := opened(t, given)
	wantUpsert(t, store, "features", item("flag", 1, flagJSON), flagstore.Written, nil)
	got, _, _ := store.Get(ctx, "features", "flag")
	got.Payload[0] = 'x'
	wantItem(t, store, "features", item("flag", 1, flagJSON))
	_ = store.Close()
	if string(got.Payload) != "x"+flagJSON[1:] {
		t.Fatal(string(got.Payload))
	}
}

func TestStatisticsNameEverythingThatTheLibraryCounts(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	_ = store.Available(ctx)
	statistics := must[flagstore.Statistics](t)(store.Statistics())
	if statistics.Requests != 1 || statistics.ReadUnits != 0.5 && statistics.ReadUnits != 1 {
		t.Fatalf("%+v", statistics)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	for range 2 {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range everyCall(store) {
		if !errors.Is(err, flagstore.ErrInvalidHandle) || !strings.Contains(err.Error(), `the store of table "flags" is closed`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for event := range store.Events() {
		t.Error(event)
	}
}

// everyCall makes every call that can fail, and tells how each failed.
func everyCall(store *flagstore.Store) map[string]error {
	failed := make(map[string]error)
	_, _, failed["Get"] = store.Get(ctx, "features", "flag")
	_, failed["All"] = store.All(ctx, "features")
	_, failed["Upsert"] = store.Upsert(ctx, "features", item("flag", 1, "x"))
	_, failed["Delete"] = store.Delete(ctx, "features", "flag", 1)
	_, failed["Init"] = store.Init(ctx, []flagstore.Collection{{Kind: "features"}})
	_, failed["InitJSON"] = store.InitJSON(ctx, []byte(`{"flags":{}}`))
	_, failed["Initialized"] = store.Initialized(ctx)
	failed["Available"] = store.Available(ctx)
	_, _, failed["BigSegmentsMetadata"] = store.BigSegmentsMetadata(ctx)
	_, failed["BigSegmentsMembership"] = store.BigSegmentsMembership(ctx, "hash")
	_, failed["Statistics"] = store.Statistics()
	failed["ClearCache"] = store.ClearCache()
	return failed
}

func TestAStoreThatIsForgottenIsClosed(t *testing.T) {
	// More than can be open at once: without the cleanup, opening would fail.
	for number := range 40_000 {
		if _, err := flagstore.Open(flagstore.Options{Table: "flags", Region: "us-east-1"}); err != nil {
			t.Fatalf("after %d: %v", number, err)
		}
		if number%4_000 == 0 {
			runtime.GC()
		}
	}
}

func TestAnOptionThatIsWrongIsNamed(t *testing.T) {
	for named, wrong := range map[string]flagstore.Options{
		"table":             {},
		"timeout_ms":        {Table: "flags", Timeout: -time.Second},
		"write_concurrency": {Table: "flags", WriteConcurrency: 5_000},
		"log_level":         {Table: "flags", LogLevel: "loud"},
		"secret_access_key": {Table: "flags", AccessKeyID: endpoint.Secret},
		"endpoint":          {Table: "flags", Endpoint: "no URL"},
	} {
		_, err := flagstore.Open(wrong)
		var failed *flagstore.Error
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, `"`+named+`"`) || strings.Contains(err.Error(), endpoint.Secret) {
			t.Errorf("%s: %v", named, err)
		}
	}
}

// Each field set on its own changes what the library is given, and the library takes it.
func TestEveryOptionReachesTheLibrary(t *testing.T) {
	seen := map[string]string{}
	plain := flagstore.Options{Table: "flags", AccessKeyID: "a", SecretAccessKey: "b"}
	for i := range reflect.TypeFor[flagstore.Options]().NumField() {
		name := reflect.TypeFor[flagstore.Options]().Field(i).Name
		given := plain
		switch field := reflect.ValueOf(&given).Elem().Field(i); value := field.Addr().Interface().(type) {
		case *string:
			*value = map[string]string{"Endpoint": "http://localhost:1", "LogLevel": "debug", "CABundle": caBundle(t), "ExtraCABundle": caBundle(t), "CacheDir": t.TempDir()}[name]
			if *value == "" {
				*value = "other"
			}
		case *bool:
			*value = true
		default:
			field.SetInt(7_000_001)
			if name == "WriteConcurrency" || name == "MaxConnections" {
				field.SetInt(7) // Both are bounded far below a time.
			}
		}
		opened(t, given)
		text := given.JSON()
		if other, twice := seen[text]; twice || text == plain.JSON() {
			t.Errorf("%s is lost, or the same as %q: %s", name, other, text)
		}
		seen[text] = name
	}
}

func TestTimesAreRoundedUpToMilliseconds(t *testing.T) {
	for time, want := range map[time.Duration]float64{1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000} {
		var given map[string]any
		if err := json.Unmarshal([]byte(flagstore.Options{Timeout: time, CacheTTL: -time, CacheStale: -time}.JSON()), &given); err != nil {
			t.Fatal(err)
		}
		if given["timeout_ms"] != want || given["cache_ttl_ms"] != -want || given["cache_stale_ms"] != 0.0 {
			t.Errorf("%v: %v", time, given)
		}
	}
}
