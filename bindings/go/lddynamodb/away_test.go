package lddynamodb

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/ldtestdata"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// The client evaluates with what it told the store, says that the store is unavailable, and says when it is back; and the
// table has then what came meanwhile.
func TestWhileDynamoDBIsAwayFlagsGoOnAndTheClientSaysSo(t *testing.T) {
	faults, prefix := endpoint.WithFaults(t, endpoint.Local(t)), endpoint.Prefix()
	source := ldtestdata.DataSource()
	source.Update(source.Flag("flag").VariationForAll(true))
	client, err := ld.MakeCustomClient("sdk-key", ld.Config{
		DataStore:  ldcomponents.PersistentDataStore(DataStore(endpoint.Table).Prefix(prefix).Options(on(faults.Endpoint))).NoCaching(),
		DataSource: source,
		Events:     ldcomponents.NoEvents(),
		Logging:    ldcomponents.Logging().MinLevel(ldlog.None),
	}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	status := client.GetDataStoreStatusProvider()
	statuses := status.AddStatusListener()
	user := ldcontext.New("user")
	evaluate := func(want bool) {
		t.Helper()
		if on, err := client.BoolVariation("flag", user, !want); on != want || err != nil {
			t.Error(on, err)
		}
	}
	next := func(available bool) {
		t.Helper()
		select {
		case said := <-statuses:
			if said.Available != available {
				t.Errorf("%+v", said)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("nobody said that it is available: %v", available)
		}
	}
	evaluate(true)
	faults.Script(t, `{"do":"reset"}`)
	evaluate(true)
	next(false)
	source.Update(source.Flag("flag").VariationForAll(false))
	evaluate(false)
	if status.GetStatus().Available {
		t.Error("it is said to be available")
	}
	faults.Script(t, "")
	next(true)
	evaluate(false)
	row := faults.Row(t, prefix+":features", "flag")
	if row == nil || !strings.Contains(fmt.Sprint(row["item"]), `"version":2`) {
		t.Errorf("the table lacks what came meanwhile: %v", row)
	}
}

func TestTheLogSaysWhichTableAndLibraryAreUsed(t *testing.T) {
	_, log := dataStoreAt(t, endpoint.Local(t), "my-prefix")
	wantLogged(t, log, ldlog.Info, `DynamoDBDataStore: using table "flags", prefix "my-prefix", endpoint http://127.0.0.1:`)
	wantLogged(t, log, ldlog.Info, "libflagstore "+flagstore.Version)
}

func TestABuilderShowsNoSecretHoweverItIsPrinted(t *testing.T) {
	builder := DataStore("flags").Prefix("p").Options(flagstore.Options{SecretAccessKey: "hidden", AccessKeyID: "hidden", SessionToken: "hidden"})
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("building", "builder", builder)
	for name, text := range map[string]string{
		"%v": fmt.Sprintf("%v", builder), "%+v": fmt.Sprintf("%+v", *builder), "%#v": fmt.Sprintf("%#v", builder), "slog": logged.String(),
	} {
		if strings.Contains(text, "hidden") || !strings.Contains(text, "flags") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestWhatTheSDKGivesIsKeptUnlessOneSaysOtherwise(t *testing.T) {
	if !DataStore("flags").merged().KeepTold || DataStore("flags").KeepTold(false).merged().KeepTold || BigSegmentStore("flags").merged().KeepTold {
		t.Error("a data store keeps what it is told, and nothing else does")
	}
}
