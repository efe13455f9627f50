package awssdk

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	native "github.com/launchdarkly/go-server-sdk-dynamodb/v4"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
	"github.com/flagstore/flagstore/bindings/go/lddynamodb"
)

var (
	flags    = ldstoreimpl.Features()
	segments = ldstoreimpl.Segments()
)

// shared is one table under one prefix, through LaunchDarkly's own integration and through this one.
func shared(t *testing.T, on endpoint.Endpoint) (theirs, ours subsystems.PersistentDataStore) {
	t.Helper()
	prefix := endpoint.Prefix()
	config := aws.Config{BaseEndpoint: aws.String(on.URL), Region: "us-east-1", Credentials: static}
	client := dynamodb.NewFromConfig(config)
	theirs, err := native.DataStore(endpoint.Table).Prefix(prefix).DynamoClient(client).Build(subsystems.BasicClientContext{})
	if err != nil {
		t.Fatal(err)
	}
	ours, err = build(lddynamodb.DataStore(endpoint.Table).Prefix(prefix).ClientConfig(config).
		Options(flagstore.Options{NotShared: true}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = theirs.Close(), ours.Close() })
	return theirs, ours
}

func item(version int, text string) st.SerializedItemDescriptor {
	return st.SerializedItemDescriptor{Version: version, SerializedItem: []byte(text)}
}

func collections(flag, segment st.SerializedItemDescriptor) []st.SerializedCollection {
	keyed := func(key string, item st.SerializedItemDescriptor) []st.KeyedSerializedItemDescriptor {
		return []st.KeyedSerializedItemDescriptor{{Key: key, Item: item}}
	}
	return []st.SerializedCollection{{Kind: segments, Items: keyed("segment", segment)}, {Kind: flags, Items: keyed("flag", flag)}}
}

// The text of a deleted item as the SDK serializes it, which it hands to every store.
func tombstone(version int) st.SerializedItemDescriptor {
	text := flags.Serialize(st.ItemDescriptor{Version: version})
	return st.SerializedItemDescriptor{Version: version, Deleted: true, SerializedItem: text}
}

func TestATableIsSharedWithTheNativeIntegration(t *testing.T) {
	t.Run("on flagstore-local", func(t *testing.T) { sharedOn(t, endpoint.Local(t)) })
	t.Run("on dynalite", func(t *testing.T) { sharedOn(t, endpoint.Dynalite(t)) })
}

func sharedOn(t *testing.T, on endpoint.Endpoint) {
	for _, writtenBy := range []string{"the native integration", "this one"} {
		t.Run("written by "+writtenBy, func(t *testing.T) {
			writer, reader := shared(t, on)
			if writtenBy == "this one" {
				writer, reader = reader, writer
			}
			want := func(kind st.DataKind, key string, wanted st.SerializedItemDescriptor) {
				t.Helper()
				got, err := reader.Get(kind, key)
				if err != nil || got.Version != wanted.Version {
					t.Fatalf("%s is at version %d, not %d: %v", key, got.Version, wanted.Version, err)
				}
				// The SDK takes a deletion as text from some stores and as a mark from others.
				read, err := kind.Deserialize(got.SerializedItem)
				if deleted := got.Deleted || err == nil && read.Item == nil; deleted != wanted.Deleted {
					t.Fatalf("%s: deleted is %t: %s", key, deleted, got.SerializedItem)
				}
				if !wanted.Deleted && string(got.SerializedItem) != string(wanted.SerializedItem) {
					t.Fatalf("%s is %s, not %s", key, got.SerializedItem, wanted.SerializedItem)
				}
			}
			if reader.IsInitialized() {
				t.Fatal("initialized before anybody wrote")
			}
			flag, segment := item(3, `{"key":"flag","version":3,"on":true,"text":"é😀"}`), item(4, `{"key":"segment","version":4}`)
			if err := writer.Init(collections(flag, segment)); err != nil {
				t.Fatal(err)
			}
			if !reader.IsInitialized() {
				t.Error("the reader does not see that it was initialized")
			}
			want(flags, "flag", flag)
			want(segments, "segment", segment)

			// An upsert, an older one, a deletion, and what comes after it, each from either side.
			upsert := func(store subsystems.PersistentDataStore, item st.SerializedItemDescriptor, written bool) {
				t.Helper()
				done, err := store.Upsert(flags, "flag", item)
				if err != nil || done != written {
					t.Fatalf("written is %t: %v", done, err)
				}
			}
			newer := item(5, `{"key":"flag","version":5}`)
			upsert(writer, newer, true)
			want(flags, "flag", newer)
			upsert(reader, item(4, `{"key":"flag","version":4}`), false)
			upsert(reader, newer, false)
			upsert(writer, tombstone(6), true)
			want(flags, "flag", tombstone(6))
			upsert(reader, newer, false)
			back := item(7, `{"key":"flag","version":7}`)
			upsert(reader, back, true)
			upsert(writer, tombstone(7), false)
			want(flags, "flag", back)
			all, err := reader.GetAll(flags)
			if err != nil || len(all) != 1 || all[0].Key != "flag" || all[0].Item.Version != 7 {
				t.Errorf("all flags are %v: %v", all, err)
			}

			// Another data set by the other side: what it lacks goes.
			if err := reader.Init(collections(item(8, `{"key":"flag","version":8}`), tombstone(9))); err != nil {
				t.Fatal(err)
			}
			want(flags, "flag", item(8, `{"key":"flag","version":8}`))
			want(segments, "segment", tombstone(9))
		})
	}
}
