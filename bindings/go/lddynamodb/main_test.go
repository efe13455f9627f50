package lddynamodb

import (
	"os"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-sdk-common/v3/ldlogtest"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

func TestMain(m *testing.M) {
	endpoint.UseReleaseBuild()
	os.Exit(m.Run())
}

var (
	flags    = ldstoreimpl.Features()
	segments = ldstoreimpl.Segments()
)

// on are options of a store on an endpoint.
func on(endpoints endpoint.Endpoint) flagstore.Options {
	return flagstore.Options{Endpoint: endpoints.URL, Region: "us-east-1", AccessKeyID: "test", SecretAccessKey: endpoint.Secret}
}

// dataStoreAt builds a store, and the log that the SDK would have.
func dataStoreAt(t testing.TB, endpoints endpoint.Endpoint, prefix string) (*dataStore, *ldlogtest.MockLog) {
	t.Helper()
	store, log, err := built(DataStore(endpoint.Table).Prefix(prefix).Options(on(endpoints)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store.(*dataStore), log
}

func built[T any](builder *StoreBuilder[T]) (T, *ldlogtest.MockLog, error) {
	log := ldlogtest.NewMockLog()
	store, err := builtWith(builder, log.Loggers)
	return store, log, err
}

// builtWith builds a store that logs to these loggers.
func builtWith[T any](builder *StoreBuilder[T], loggers ldlog.Loggers) (T, error) {
	context := subsystems.BasicClientContext{}
	context.Logging.Loggers = loggers
	return builder.Build(context)
}

func serialized(version int, text string) st.SerializedItemDescriptor {
	return st.SerializedItemDescriptor{Version: version, SerializedItem: []byte(text)}
}

func deleted(version int) st.SerializedItemDescriptor {
	return st.SerializedItemDescriptor{Version: version, Deleted: true}
}
