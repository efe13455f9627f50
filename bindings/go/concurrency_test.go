package flagstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

const (
	goroutines = 64
	rounds     = 10
)

// together runs them all at once and waits for them.
func together(count int, run func(number int)) {
	var ended sync.WaitGroup
	begin := make(chan struct{})
	for number := range count {
		ended.Go(func() {
			<-begin
			run(number)
		})
	}
	close(begin)
	ended.Wait()
}

func TestEveryGoroutineGetsItsOwnAnswer(t *testing.T) {
	for name, ttl := range map[string]time.Duration{"uncached": 0, "short-lived": 50 * time.Millisecond, "cached": -1} {
		t.Run(name, func(t *testing.T) {
			given := options(endpoint.Local(t))
			given.CacheTTL = ttl
			store := opened(t, given)
			together(goroutines, func(number int) {
				key := fmt.Sprintf("flag-%d", number)
				for version := range int64(rounds) {
					mine := item(key, version, fmt.Sprintf(`{"owner":%d,"version":%d,"padding":%q}`, number, version, strings.Repeat("x", number)))
					if result, err := store.Upsert(ctx, "features", mine); err != nil || result.Outcome != flagstore.Written {
						t.Errorf("%s: %v %v", key, result, err)
					}
					got, found, err := store.Get(ctx, "features", key)
					if err != nil || !found || got.Key != key || got.Version != version || string(got.Payload) != string(mine.Payload) {
						t.Errorf("%s: got %+v, %v; want %+v", key, got, err, mine)
					}
					refused, err := store.Upsert(ctx, "features", item(key, version, "not newer"))
					if err != nil || refused.Stored == nil || string(refused.Stored.Payload) != string(mine.Payload) {
						t.Errorf("%s: %v %v", key, refused, err)
					}
				}
			})
			items := must[[]flagstore.Item](t)(store.All(ctx, "features"))
			if len(items) != goroutines {
				t.Errorf("%d items", len(items))
			}
		})
	}
}

func TestOfRacingWritersTheHighestVersionWins(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	together(4*goroutines, func(number int) {
		result, err := store.Upsert(ctx, "features", item("contested", int64(number), fmt.Sprint(number)))
		if err != nil || result.Outcome != flagstore.Written && result.Stored.Version < int64(number) {
			t.Errorf("%d: %+v %v", number, result, err)
		}
	})
	wantItem(t, store, "features", item("contested", 4*goroutines-1, fmt.Sprint(4*goroutines-1)))
}

func TestStoresMayBeOpenedAndClosedByMany(t *testing.T) {
	given := options(endpoint.Local(t))
	wantUpsert(t, opened(t, given), "features", item("flag", 1, "payload"), flagstore.Written, nil)
	together(goroutines, func(number int) {
		mine := given
		mine.NotShared = number%4 == 0
		store, err := flagstore.Open(mine)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = store.Close() }()
		if got, found, err := store.Get(ctx, "features", "flag"); err != nil || !found || string(got.Payload) != "payload" {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func TestClosingLeavesCallsInFlightUndisturbed(t *testing.T) {
	faults := endpoint.WithFaults(t, endpoint.Local(t))
	given := options(faults.Endpoint)
	wantUpsert(t, opened(t, given), "features", item("flag", 1, "payload"), flagstore.Written, nil)
	given.NotShared, given.Timeout, given.AttemptTimeout = true, 20*time.Second, 20*time.Second
	store := opened(t, given)
	faults.Script(t, `{"operation":"GetItem","do":"hold"}`)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if got, found, err := store.Get(ctx, "features", "flag"); err != nil || !found || string(got.Payload) != "payload" {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
	faults.Wait(t, 8, "hold")
	_ = store.Close()
	if _, _, err := store.Get(ctx, "features", "flag"); !errors.Is(err, flagstore.ErrInvalidHandle) {
		t.Error(err)
	}
	faults.Release(t)
	calls.Wait()
}
