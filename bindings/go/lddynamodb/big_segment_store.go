package lddynamodb

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

type bigSegmentStore struct {
	store *flagstore.Store
	log   *eventLog
}

func newBigSegmentStore(store *flagstore.Store, options flagstore.Options, context subsystems.ClientContext) subsystems.BigSegmentStore {
	log := newEventLog(store, context, "DynamoDBBigSegmentStore:")
	log.using(options)
	return &bigSegmentStore{store, log}
}

func (b *bigSegmentStore) GetMetadata() (subsystems.BigSegmentStoreMetadata, error) {
	defer b.log.events()
	synchronized, found, err := b.store.BigSegmentsMetadata(context.Background())
	if err != nil || !found {
		return subsystems.BigSegmentStoreMetadata{}, err
	}
	return subsystems.BigSegmentStoreMetadata{LastUpToDate: ldtime.UnixMillisecondTime(synchronized.UnixMilli())}, nil
}

func (b *bigSegmentStore) GetMembership(contextHash string) (subsystems.BigSegmentMembership, error) {
	defer b.log.events()
	membership, err := b.store.BigSegmentsMembership(context.Background(), contextHash)
	if err != nil {
		return nil, err
	}
	var included, excluded []string
	for segment, member := range membership {
		if member {
			included = append(included, segment)
		} else {
			excluded = append(excluded, segment)
		}
	}
	return ldstoreimpl.NewBigSegmentMembershipFromSegmentRefs(included, excluded), nil
}

func (b *bigSegmentStore) Close() error {
	b.log.events()
	return b.store.Close()
}
