package lddynamodb

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
)

// told is what the SDK was told, in its order.
type told []interfaces.DataStoreStatus

func (t *told) UpdateStatus(status interfaces.DataStoreStatus) { *t = append(*t, status) }

func TestAnOutageThatValuesStandInForIsToldOnceAndSoIsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status told
		var away atomic.Bool
		var probes atomic.Int64
		outage := newOutage(func(context.Context) error {
			probes.Add(1)
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}, &status)
		gone, back := interfaces.DataStoreStatus{}, interfaces.DataStoreStatus{Available: true}
		want := func(statuses ...interfaces.DataStoreStatus) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(status, statuses) {
				t.Errorf("%v, not %v", status, statuses)
			}
		}
		outage.saw(false)
		time.Sleep(time.Hour)
		want()
		for range 2 {
			status = nil
			away.Store(true)
			for range 3 {
				outage.saw(true)
			}
			time.Sleep(time.Minute)
			want(gone)
			away.Store(false)
			time.Sleep(betweenProbes)
			want(gone, back)
			before := probes.Load()
			time.Sleep(time.Hour)
			if probes.Load() != before {
				t.Error("it asks while nothing is wrong")
			}
		}
		status = nil
		away.Store(true)
		outage.saw(true)
		outage.close()
		outage.saw(true)
		away.Store(false)
		time.Sleep(time.Hour)
		want(gone)
	})
}
