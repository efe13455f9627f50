package lddynamodb

import (
	"context"

	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// dataStore is what the SDK's caching wrapper asks for. The SDK takes an error as a reason to watch IsStoreAvailable.
type dataStore struct {
	store *flagstore.Store
	log   eventLog
}

func newDataStore(store *flagstore.Store, context subsystems.ClientContext) subsystems.PersistentDataStore {
	return &dataStore{store, newEventLog(store, context, "DynamoDBDataStore:")}
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
	item, found, err := d.store.Get(context.Background(), kind.GetName(), key)
	if err != nil || !found || !d.readable(kind, item) {
		return st.SerializedItemDescriptor{}.NotFound(), err
	}
	return read(item), nil
}

func (d *dataStore) GetAll(kind st.DataKind) ([]st.KeyedSerializedItemDescriptor, error) {
	defer d.log.events()
	items, err := d.store.All(context.Background(), kind.GetName())
	if err != nil {
		return nil, err
	}
	all := make([]st.KeyedSerializedItemDescriptor, 0, len(items))
	for _, item := range items {
		if d.readable(kind, item) {
			all = append(all, st.KeyedSerializedItemDescriptor{Key: item.Key, Item: read(item)})
		}
	}
	return all, nil
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
		d.log.loggers.Errorf("cannot tell whether the table is initialized: %s", err)
	}
	return initialized
}

func (d *dataStore) IsStoreAvailable() bool {
	defer d.log.events()
	return d.store.Available(context.Background()) == nil
}

func (d *dataStore) Close() error {
	d.log.events()
	return d.store.Close()
}

// readable tells whether the SDK can decode the item. Where it cannot, it fails the read of all items at the first such
// one, and of all their peers with it: so that one is left out here.
func (d *dataStore) readable(kind st.DataKind, item flagstore.Item) bool {
	if item.Deleted {
		return true
	}
	if _, err := kind.Deserialize(item.Payload); err != nil {
		// Not the text of the error, which may quote the payload.
		d.log.loggers.Errorf("the item %q in %q is left out: its payload is not one (%T)", item.Key, kind.GetName(), err)
		return false
	}
	return true
}

func written(key string, item st.SerializedItemDescriptor) flagstore.Item {
	return flagstore.Item{Key: key, Version: int64(item.Version), Payload: item.SerializedItem, Deleted: item.Deleted}
}

func read(item flagstore.Item) st.SerializedItemDescriptor {
	return st.SerializedItemDescriptor{Version: int(item.Version), Deleted: item.Deleted, SerializedItem: item.Payload}
}
