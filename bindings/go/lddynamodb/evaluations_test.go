package lddynamodb

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

type dataSet struct {
	Name, File  string
	Flags       map[string]json.RawMessage
	Segments    map[string]json.RawMessage
	Evaluations []struct {
		Name, FlagKey string
		Context       json.RawMessage
		Default       ldvalue.Value
		Expect        json.RawMessage
	}
}

// daemon is a client that only reads what is in the store.
func daemon(t testing.TB, store subsystems.ComponentConfigurer[subsystems.PersistentDataStore]) *ld.LDClient {
	t.Helper()
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataStore:  ldcomponents.PersistentDataStore(store).NoCaching(),
		DataSource: ldcomponents.ExternalUpdatesOnly(),
		Events:     ldcomponents.NoEvents(),
		Logging:    ldcomponents.Logging().MinLevel(ldlog.None),
	}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// The official SDK gives every expected answer out of data sets that were written as LaunchDarkly sends them.
func TestTheSDKEvaluatesEverythingRight(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(endpoint.Repository(), "tests/data/evaluations.json"))
	if err != nil {
		t.Fatal(err)
	}
	var data struct{ Suites []dataSet }
	if err := json.Unmarshal(text, &data); err != nil {
		t.Fatal(err)
	}
	evaluations := 0
	for _, set := range data.Suites {
		t.Run(set.Name, func(t *testing.T) {
			evaluations += evaluate(t, set)
		})
	}
	if len(data.Suites) != 300 || evaluations != 720 {
		t.Errorf("%d data sets, %d evaluations", len(data.Suites), evaluations)
	}
}

func evaluate(t *testing.T, set dataSet) int {
	options := on(endpoint.Local(t))
	prefix := endpoint.Prefix()
	client := daemon(t, DataStore(endpoint.Table).Prefix(prefix).Options(options))
	options.Table, options.Prefix = endpoint.Table, prefix
	writer, err := flagstore.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	all, err := json.Marshal(map[string]any{"flags": set.Flags, "segments": set.Segments})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.InitJSON(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, evaluation := range set.Evaluations {
		var context ldcontext.Context
		if err := json.Unmarshal(evaluation.Context, &context); err != nil {
			// A context that is not valid is one that the SDK is to refuse, if it can be read as JSON at all.
			context = ldcontext.New("")
		}
		_, detailed, err := client.JSONVariationDetail(evaluation.FlagKey, context, evaluation.Default)
		got := map[string]any{"value": detailed.Value, "reason": detailed.Reason}
		if detailed.VariationIndex.IsDefined() {
			got["variationIndex"] = detailed.VariationIndex.IntValue()
		}
		said, _ := json.Marshal(got)
		if !sameJSON(t, said, evaluation.Expect) {
			t.Errorf("%s: got %s (%v), want %s", evaluation.Name, said, err, evaluation.Expect)
		}
	}
	return len(set.Evaluations)
}

func sameJSON(t *testing.T, one, other []byte) bool {
	var values [2]any
	for i, text := range [][]byte{one, other} {
		if err := json.Unmarshal(text, &values[i]); err != nil {
			t.Fatal(err)
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}
