package lddynamodb

import (
	"context"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// dataStore is what the SDK's caching wrapper asks for. The SDK takes an error as a reason to say that the store is
// unavailable and to watch IsStoreAvailable; a value that stands in for an error is one too, of which outage tells it.
type dataStore struct {
	store  *flagstore.Store
	log    *eventLog
	rows   *rowReader
	outage *outage
}

func newDataStore(store *flagstore.Store, options flagstore.Options, context subsystems.ClientContext) subsystems.PersistentDataStore {
	log := newEventLog(store, context, "DynamoDBDataStore:")
	log.using(options)
	return &dataStore{store: store, log: log, rows: newRowReader(log), outage: newOutage(store.Available, context.GetDataStoreUpdateSink())}
}

func (d *dataStore) Init(allData []st.SerializedCollection) error {
	defer d.log.events()
	collections := make([]flagstore.Collection, len(allData))
	for i, collection := range allData {
		items := make([]flagstore.Item, len(collection.Items))
		for j, item := range collection.Items {
			items[j] = written(item.Key, item.Item)
		}
		collections[i] = flagstore.Collection{Kind: collection.Kind.GetName(), Items: items}
	}
	_, err := d.store.Init(context.Background(), collections)
	return err
}

func (d *dataStore) Get(kind st.DataKind, key string) (st.SerializedItemDescriptor, error) {
	defer d.log.events()
	row, found, err := d.store.Get(context.Background(), kind.GetName(), key)
	if err == nil && found {
		d.outage.saw(row.Stale)
		if item, readable := d.rows.read(kind, row); readable {
			return item, nil
		}
	}
	return st.SerializedItemDescriptor{}.NotFound(), err
}

func (d *dataStore) GetAll(kind st.DataKind) ([]st.KeyedSerializedItemDescriptor, error) {
	defer d.log.events()
	rows, err := d.store.All(context.Background(), kind.GetName())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		d.outage.saw(row.Stale)
	}
	return d.rows.readAll(kind, rows), nil
}

func (d *dataStore) Upsert(kind st.DataKind, key string, item st.SerializedItemDescriptor) (bool, error) {
	defer d.log.events()
	result, err := d.store.Upsert(context.Background(), kind.GetName(), written(key, item))
	return err == nil && result.Outcome == flagstore.Written, err
}

func (d *dataStore) IsInitialized() bool {
	defer d.log.events()
	initialized, err := d.store.Initialized(context.Background())
	if err != nil {
		d.log.write(ldlog.Error, fmt.Sprintf("cannot tell whether the table is initialized: %s", err))
	}
	return initialized
}

func (d *dataStore) IsStoreAvailable() bool {
	defer d.log.events()
	return d.store.Available(context.Background()) == nil
}

func (d *dataStore) Close() error {
	d.outage.close()
	d.log.events()
	return d.store.Close()
}

func written(key string, item st.SerializedItemDescriptor) flagstore.Item {
	return flagstore.Item{Key: key, Version: int64(item.Version), Payload: item.SerializedItem, Deleted: item.Deleted}
}
