package lddynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldlogtest"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

func flagItem(key string, version int) st.KeyedSerializedItemDescriptor {
	flag := ldbuilders.NewFlagBuilder(key).Version(version).Build()
	return st.KeyedSerializedItemDescriptor{Key: key, Item: st.SerializedItemDescriptor{
		Version: version, SerializedItem: flags.Serialize(st.ItemDescriptor{Version: version, Item: &flag}),
	}}
}

func dataSetOf(items ...st.KeyedSerializedItemDescriptor) []st.SerializedCollection {
	return []st.SerializedCollection{{Kind: segments}, {Kind: flags, Items: items}}
}

func wantLogged(t *testing.T, log *ldlogtest.MockLog, level ldlog.LogLevel, part string) {
	t.Helper()
	for _, message := range log.GetOutput(level) {
		if strings.Contains(message, part) {
			return
		}
	}
	t.Errorf("no message holds %q: %q", part, log.GetAllOutput())
}

func TestDoctorTakesTheOptionsOfTheBuilder(t *testing.T) {
	local := endpoint.Local(t)
	options := flagstore.Options{Endpoint: local.URL, Region: "us-east-1", AccessKeyID: "test", SecretAccessKey: endpoint.Secret}
	report, err := DataStore("no-such-table").Options(options).Prefix("p").Doctor(context.Background())
	if err != nil || !strings.Contains(fmt.Sprint(report.Findings), "no-such-table") {
		t.Errorf("got %+v, %v", report, err)
	}
	wrong := options
	wrong.MaxConnections = -1
	for named, builder := range map[string]*StoreBuilder[subsystems.PersistentDataStore]{
		"table name":      DataStore("").Options(options),
		"DynamoClient":    DataStore("flags").DynamoClient(nil),
		"max_connections": DataStore("flags").Options(wrong),
	} {
		if report, err := builder.Doctor(context.Background()); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: got %+v, %v", named, report, err)
		}
	}
}

// The SDK asks a configuration for its name through this interface. Without it its diagnostics say "custom".
var (
	_ subsystems.DiagnosticDescription                               = DataStore("table")
	_ subsystems.DiagnosticDescription                               = BigSegmentStore("table")
	_ subsystems.ComponentConfigurer[subsystems.PersistentDataStore] = DataStore("table")
	_ subsystems.ComponentConfigurer[subsystems.BigSegmentStore]     = BigSegmentStore("table")
)

func TestTheSDKsDiagnosticsCallItDynamoDB(t *testing.T) {
	configured := ldcomponents.PersistentDataStore(DataStore("table"))
	if name := configured.DescribeConfiguration(subsystems.BasicClientContext{}).StringValue(); name != "DynamoDB" {
		t.Fatal(name)
	}
}

func TestATableNameIsRequired(t *testing.T) {
	_, _, err := built(DataStore(""))
	_, _, other := built(BigSegmentStore(""))
	if err == nil || err.Error() != "table name is required" || other == nil || other.Error() != err.Error() {
		t.Fatal(err, other)
	}
}

func TestAWrongOptionIsAnErrorOfBuild(t *testing.T) {
	_, _, err := built(DataStore("table").Options(flagstore.Options{WriteConcurrency: -1}))
	if !errors.Is(err, flagstore.ErrOptionValue) && !errors.Is(err, flagstore.ErrOptionType) {
		t.Fatal(err)
	}
}

func TestTombstonesOfEverySDKAreDeletedItems(t *testing.T) {
	for name, text := range map[string]string{
		"null":    "null",
		"keyed":   `{"key":"gone","version":5,"deleted":true}`,
		"keyless": `{"version":5,"deleted":true}`,
		"full":    `{"key":"$deleted","version":5,"deleted":true,"on":false,"variations":[],"rules":[]}`,
	} {
		for _, kind := range []st.DataKind{flags, segments} {
			t.Run(name+" "+kind.GetName(), func(t *testing.T) {
				local, prefix := endpoint.Local(t), endpoint.Prefix()
				store, _ := dataStoreAt(t, local, prefix)
				local.Put(t, prefix+":"+kind.GetName(), "gone", endpoint.Attributes{"version": {"N": "5"}, "item": {"S": text}})
				if got, err := store.Get(kind, "gone"); err != nil || !reflect.DeepEqual(got, deleted(5)) {
					t.Errorf("%+v %v", got, err)
				}
				all, err := store.GetAll(kind)
				if want := []st.KeyedSerializedItemDescriptor{{Key: "gone", Item: deleted(5)}}; err != nil || !reflect.DeepEqual(all, want) {
					t.Errorf("%+v %v", all, err)
				}
				if written, err := store.Upsert(kind, "gone", serialized(4, "{}")); written || err != nil {
					t.Error(written, err)
				}
			})
		}
	}
}

// What is written is what the SDK's own integration writes, byte for byte: it is read by every SDK.
func TestRowsAreThoseOfTheSDKsOwnIntegration(t *testing.T) {
	local, prefix := endpoint.Local(t), endpoint.Prefix()
	store, _ := dataStoreAt(t, local, prefix)
	live := flagItem("live", 3)
	gone := st.SerializedItemDescriptor{Version: 4, Deleted: true, SerializedItem: flags.Serialize(st.ItemDescriptor{Version: 4})}
	if err := store.Init(dataSetOf(live, st.KeyedSerializedItemDescriptor{Key: "gone", Item: gone})); err != nil {
		t.Fatal(err)
	}
	if written, err := store.Upsert(flags, "later", gone); !written || err != nil {
		t.Fatal(written, err)
	}
	for key, item := range map[string]st.SerializedItemDescriptor{"live": live.Item, "gone": gone, "later": gone} {
		row := local.Row(t, prefix+":features", key)
		want := endpoint.Attributes{"version": {"N": fmt.Sprint(item.Version)}, "item": {"S": string(item.SerializedItem)}}
		if !reflect.DeepEqual(row, want) {
			t.Errorf("%s: %v, want %v", key, row, want)
		}
	}
	if row := local.Row(t, prefix+":$inited", prefix+":$inited"); row == nil || len(row) != 0 {
		t.Errorf("%v", row)
	}
}

// Rows that the SDK's own integration wrote mean the same here, and cost no write when they are written again.
func TestAnInitWithWhatTheSDKsOwnIntegrationWroteChangesNothing(t *testing.T) {
	local, prefix := endpoint.Local(t), endpoint.Prefix()
	store, _ := dataStoreAt(t, local, prefix)
	live := flagItem("live", 3)
	tombstone := st.SerializedItemDescriptor{Version: 4, Deleted: true, SerializedItem: flags.Serialize(st.ItemDescriptor{Version: 4})}
	gone := st.KeyedSerializedItemDescriptor{Key: "gone", Item: tombstone}
	for _, item := range []st.KeyedSerializedItemDescriptor{live, gone} {
		local.Put(t, prefix+":features", item.Key, endpoint.Attributes{
			"version": {"N": fmt.Sprint(item.Item.Version)}, "item": {"S": string(item.Item.SerializedItem)},
		})
	}
	local.Put(t, prefix+":$inited", prefix+":$inited", nil)
	if !store.IsInitialized() {
		t.Error("not initialized")
	}
	if got, err := store.Get(flags, "live"); err != nil || !reflect.DeepEqual(got, live.Item) {
		t.Errorf("%+v %v", got, err)
	}
	if err := store.Init(dataSetOf(live, gone)); err != nil {
		t.Fatal(err)
	}
	if statistics, err := store.store.Statistics(); err != nil || statistics.WriteUnits != 0 {
		t.Errorf("%+v %v", statistics, err)
	}
}

func TestAHugeItemIsLoggedAndFailsNothing(t *testing.T) {
	store, log := dataStoreAt(t, endpoint.Local(t), endpoint.Prefix())
	huge := serialized(2, `{"key":"huge","version":2,"salt":"`+strings.Repeat("x", 400_000)+`"}`)
	small := flagItem("small", 1)
	if err := store.Init(dataSetOf(st.KeyedSerializedItemDescriptor{Key: "huge", Item: huge}, small)); err != nil {
		t.Fatal(err)
	}
	if all, err := store.GetAll(flags); err != nil || !reflect.DeepEqual(all, []st.KeyedSerializedItemDescriptor{small}) {
		t.Errorf("%d items, %v", len(all), err)
	}
	if written, err := store.Upsert(flags, "small", huge); written || err != nil {
		t.Error(written, err)
	}
	if got, err := store.Get(flags, "small"); err != nil || !reflect.DeepEqual(got, small.Item) {
		t.Errorf("version %d, %v", got.Version, err)
	}
	wantLogged(t, log, ldlog.Error, `"huge"`)
	if strings.Contains(fmt.Sprint(log.GetAllOutput()), "xxxx") {
		t.Error("a message quotes the payload")
	}
}

func TestEventsGoToTheSDKsLoggers(t *testing.T) {
	store, log := dataStoreAt(t, endpoint.Local(t), endpoint.Prefix())
	if err := store.Init(dataSetOf()); err != nil {
		t.Fatal(err)
	}
	wantLogged(t, log, ldlog.Info, "DynamoDBDataStore: initialised table")
}

func TestErrorsReachTheSDKWithTheirCodes(t *testing.T) {
	options := on(endpoint.Endpoint{URL: "http://127.0.0.1:1"})
	options.Timeout, options.AllTimeout, options.InitTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	store, _, err := built(DataStore("flags").Options(options))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	_, failedGet := store.Get(flags, "key")
	_, failedAll := store.GetAll(flags)
	_, failedUpsert := store.Upsert(flags, "key", flagItem("key", 1).Item)
	for _, err := range []error{failedGet, failedAll, failedUpsert, store.Init(dataSetOf())} {
		var failed *flagstore.Error
		if !errors.As(err, &failed) || !failed.Retriable {
			t.Errorf("%v", err)
		}
	}
	if store.IsStoreAvailable() {
		t.Error("what cannot be reached is not available")
	}
	if !store.IsInitialized() {
		t.Error("the data set that it was told stands in")
	}
}

func TestTheClientReadsWhatAnotherProcessWrote(t *testing.T) {
	local, prefix := endpoint.Local(t), endpoint.Prefix()
	writer, _ := dataStoreAt(t, local, prefix)
	if err := writer.Init(dataSetOf(flagItem("flag", 1))); err != nil {
		t.Fatal(err)
	}
	client := daemon(t, DataStore(endpoint.Table).Prefix(prefix).Options(on(local)))
	if !client.Initialized() || !client.GetDataStoreStatusProvider().IsStatusMonitoringEnabled() {
		t.Error("not initialized, or not watched")
	}
	if state := client.AllFlagsState(ldcontext.New("user")); !state.IsValid() || len(state.ToValuesMap()) != 1 {
		t.Errorf("%v", state.ToValuesMap())
	}
}

func TestTheClientWritesWhatItsDataSourceBrings(t *testing.T) {
	local, prefix := endpoint.Local(t), endpoint.Prefix()
	source := ldtestdata.DataSource()
	source.Update(source.Flag("flag").VariationForAll(true))
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataStore:  ldcomponents.PersistentDataStore(DataStore(endpoint.Table).Prefix(prefix).Options(on(local))).CacheSeconds(30),
		DataSource: source,
		Events:     ldcomponents.NoEvents(),
		Logging:    ldcomponents.Logging().MinLevel(ldlog.None),
	}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if on, err := client.BoolVariation("flag", ldcontext.New("user"), false); !on || err != nil {
		t.Fatal(on, err)
	}
	before := local.Row(t, prefix+":features", "flag")
	source.Update(source.Flag("flag").VariationForAll(false))
	if on, err := client.BoolVariation("flag", ldcontext.New("user"), true); on || err != nil {
		t.Fatal(on, err)
	}
	after := local.Row(t, prefix+":features", "flag")
	if before == nil || after == nil || before["version"]["N"] == after["version"]["N"] {
		t.Errorf("%v, then %v", before, after)
	}
}

func TestTheClientEvaluatesBigSegments(t *testing.T) {
	local, prefix := endpoint.Local(t), endpoint.Prefix()
	segment := ldbuilders.NewSegmentBuilder("big").Version(1).Unbounded(true).Generation(2).Build()
	rule := ldbuilders.NewRuleBuilder().ID("r").Variation(1).Clauses(ldbuilders.SegmentMatchClause("big"))
	flag := ldbuilders.NewFlagBuilder("flag").Version(1).On(true).FallthroughVariation(0).AddRule(rule).
		Variations(ldvalue.String("out"), ldvalue.String("in")).Build()
	writer, _ := dataStoreAt(t, local, prefix)
	if err := writer.Init([]st.SerializedCollection{
		{Kind: segments, Items: []st.KeyedSerializedItemDescriptor{{Key: "big", Item: st.SerializedItemDescriptor{
			Version: 1, SerializedItem: segments.Serialize(st.ItemDescriptor{Version: 1, Item: &segment})}}}},
		{Kind: flags, Items: []st.KeyedSerializedItemDescriptor{{Key: "flag", Item: st.SerializedItemDescriptor{
			Version: 1, SerializedItem: flags.Serialize(st.ItemDescriptor{Version: 1, Item: &flag})}}}},
	}); err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("member"))
	local.Put(t, prefix+":big_segments_user", base64.StdEncoding.EncodeToString(hash[:]), endpoint.Attributes{
		"included": {"SS": []string{"big.g2"}},
	})
	metadata := prefix + ":big_segments_metadata"
	local.Put(t, metadata, metadata, endpoint.Attributes{"synchronizedOn": {"N": fmt.Sprint(int64(1) << 42)}})
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataStore:   ldcomponents.PersistentDataStore(DataStore(endpoint.Table).Prefix(prefix).Options(on(local))),
		BigSegments: ldcomponents.BigSegments(BigSegmentStore(endpoint.Table).Prefix(prefix).Options(on(local))),
		DataSource:  ldcomponents.ExternalUpdatesOnly(),
		Events:      ldcomponents.NoEvents(),
		Logging:     ldcomponents.Logging().MinLevel(ldlog.None),
	}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for key, want := range map[string]string{"member": "in", "other": "out"} {
		value, detail, err := client.StringVariationDetail("flag", ldcontext.New(key), "none")
		if err != nil || value != want || detail.Reason.GetBigSegmentsStatus() != ldreason.BigSegmentsHealthy {
			t.Errorf("%s: %s %v %v", key, value, detail, err)
		}
	}
}
