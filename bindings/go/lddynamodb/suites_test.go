package lddynamodb

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
	"github.com/launchdarkly/go-server-sdk/v7/testhelpers/storetest"
	"github.com/stretchr/testify/assert"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// The SDK's own tests of persistent stores, all of them, as they are.
func TestTheSDKsSuiteOfDataStores(t *testing.T) {
	local := endpoint.Local(t)
	storetest.NewPersistentDataStoreTestSuite(
		func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			return DataStore(endpoint.SuiteTable).Prefix(prefix).Options(on(local))
		},
		local.Clear,
	).Run(t)
}

// With what only some stores can do: errors, and another writer between the moment when an upsert decides and the one when
// it writes. That part prepares itself by an init with data older than what it wrote before, which is an option here.
func TestTheSDKsSuiteOfDataStoresThatFailAndRace(t *testing.T) {
	local := endpoint.Local(t)
	broken := on(endpoint.Endpoint{URL: "http://127.0.0.1:1"})
	// The suite wants errors where what was told would stand in, hence without it.
	broken.Timeout, broken.AllTimeout, broken.InitTimeout = time.Second, time.Second, time.Second
	storetest.NewPersistentDataStoreTestSuite(
		func(prefix string) subsystems.ComponentConfigurer[subsystems.PersistentDataStore] {
			options := on(local)
			options.InitOverwritesNewer = true
			return &intercepted{t, DataStore(endpoint.SuiteTable).Prefix(prefix).Options(options), local.URL}
		},
		local.Clear,
	).ErrorStoreFactory(DataStore(endpoint.SuiteTable).Options(broken).KeepTold(false), func(t assert.TestingT, err error) {
		assert.True(t, errors.Is(err, flagstore.ErrConnection) || errors.Is(err, flagstore.ErrTimeout), "%v", err)
	}).ConcurrentModificationHook(func(store subsystems.PersistentDataStore, hook func()) {
		store.(*interceptedStore).hook = hook
	}).Run(t)
}

func TestTheSDKsSuiteOfBigSegmentStores(t *testing.T) {
	local := endpoint.Local(t)
	full := func(prefix, name string) string {
		if prefix == "" {
			return name
		}
		return prefix + ":" + name
	}
	storetest.NewBigSegmentStoreTestSuite(
		func(prefix string) subsystems.ComponentConfigurer[subsystems.BigSegmentStore] {
			return BigSegmentStore(endpoint.SuiteTable).Prefix(prefix).Options(on(local))
		},
		local.Clear,
		func(prefix string, metadata subsystems.BigSegmentStoreMetadata) error {
			key := full(prefix, "big_segments_metadata")
			return local.PutInSuites(key, key, endpoint.Attributes{"synchronizedOn": {"N": fmt.Sprint(uint64(metadata.LastUpToDate))}})
		},
		func(prefix, hash string, included, excluded []string) error {
			sets := endpoint.Attributes{}
			for name, references := range map[string][]string{"included": included, "excluded": excluded} {
				if len(references) > 0 {
					sets[name] = map[string]any{"SS": references}
				}
			}
			return local.PutInSuites(full(prefix, "big_segments_user"), hash, sets)
		},
	).Run(t)
}

// intercepted builds stores that each have an endpoint of their own in front of DynamoDB's.
type intercepted struct {
	t        *testing.T
	builder  *StoreBuilder[subsystems.PersistentDataStore]
	upstream string
}

func (b *intercepted) Build(context subsystems.ClientContext) (subsystems.PersistentDataStore, error) {
	upstream, err := url.Parse(b.upstream)
	if err != nil {
		return nil, err
	}
	intercepted := &interceptedStore{}
	forward := httputil.NewSingleHostReverseProxy(upstream)
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if intercepted.upserting.Load() && strings.HasSuffix(request.Header.Get("X-Amz-Target"), ".PutItem") {
			intercepted.hook()
		}
		forward.ServeHTTP(response, request)
	}))
	b.t.Cleanup(server.Close)
	options := b.builder.options
	options.Endpoint = server.URL
	intercepted.PersistentDataStore, err = b.builder.Options(options).Build(context)
	return intercepted, err
}

// interceptedStore calls the hook where an upsert has left the store and is not yet written. The store itself, which
// writes without reading first, has no place for one.
type interceptedStore struct {
	subsystems.PersistentDataStore
	upserting atomic.Bool
	hook      func()
}

func (s *interceptedStore) Upsert(kind st.DataKind, key string, item st.SerializedItemDescriptor) (bool, error) {
	s.upserting.Store(s.hook != nil)
	defer s.upserting.Store(false)
	return s.PersistentDataStore.Upsert(kind, key, item)
}
