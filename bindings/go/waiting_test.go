package flagstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// silent is a server that takes connections and never answers.
type silent struct {
	endpoint.Endpoint
	connections atomic.Int64
}

func startSilent(t *testing.T) *silent {
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	server := &silent{Endpoint: endpoint.Endpoint{URL: "http://" + listener.Addr().String()}}
	var open sync.Map
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(connection, nil)
			server.connections.Add(1)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(connection, _ any) bool { return connection.(net.Conn).Close() == nil })
	})
	return server
}

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 seconds: %s", what)
		}
	}
}

func threads(t *testing.T) int { return entries(t, "/proc/self/task") }

func descriptors(t *testing.T) int { return entries(t, "/proc/self/fd") }

func entries(t *testing.T, folder string) int {
	t.Helper()
	return len(must[[]os.DirEntry](t)(os.ReadDir(folder)))
}

const (
	blocked = 1000
	// inFlight is the default of MaxConnections; the other calls wait for their turn.
	inFlight = 128
)

// patient lets calls wait until the test ends them.
func patient(options flagstore.Options) flagstore.Options {
	options.NotShared, options.Timeout, options.AttemptTimeout = true, 25*time.Second, 25*time.Second
	return options
}

// A goroutine that waits for DynamoDB holds no OS thread; of those that look into the cache first, a bounded number does.
func TestAThousandBlockedGetsHoldFewThreads(t *testing.T) {
	for name, ttl := range map[string]time.Duration{"uncached": 0, "cached": time.Minute} {
		t.Run(name, func(t *testing.T) {
			server := startSilent(t)
			given := patient(options(server.Endpoint))
			given.CacheTTL = ttl
			store := opened(t, given)
			before := threads(t)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			errs := make(chan error, blocked)
			for number := range blocked {
				go func() {
					_, _, err := store.Get(ctx, "features", fmt.Sprint(number))
					errs <- err
				}()
			}
			eventually(t, "as many as may wait for the server", func() bool { return server.connections.Load() == inFlight })
			// On a busy machine Go starts threads for calls that take longer than 20 microseconds, and keeps them. A
			// thread for each call that waits would be a thousand.
			now := threads(t)
			t.Logf("%d threads, %d before", now, before)
			if now > before+blocked/5 {
				t.Errorf("%d threads, %d before", now, before)
			}
			cancelled := time.Now()
			cancel()
			for range blocked {
				if err := <-errs; !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			if took := time.Since(cancelled); took > 5*time.Second {
				t.Errorf("cancelled calls came back after %v", took)
			}
		})
	}
}

func TestACallReturnsWhenItsContextEnds(t *testing.T) {
	faults := endpoint.WithFaults(t, endpoint.Local(t))
	for name, ttl := range map[string]time.Duration{"uncached": 0, "cached": time.Minute} {
		var store *flagstore.Store
		for called, call := range map[string]func(context.Context) error{
			"Get": func(ctx context.Context) error { _, _, err := store.Get(ctx, "features", "flag"); return err },
			"All": func(ctx context.Context) error { _, err := store.All(ctx, "features"); return err },
			"Upsert": func(ctx context.Context) error {
				_, err := store.Upsert(ctx, "features", item("flag", 1, "x"))
				return err
			},
			"Init": func(ctx context.Context) error {
				_, err := store.Init(ctx, []flagstore.Collection{{Kind: "features"}})
				return err
			},
			"Initialized":           func(ctx context.Context) error { _, err := store.Initialized(ctx); return err },
			"Available":             func(ctx context.Context) error { return store.Available(ctx) },
			"BigSegmentsMetadata":   func(ctx context.Context) error { _, _, err := store.BigSegmentsMetadata(ctx); return err },
			"BigSegmentsMembership": func(ctx context.Context) error { _, err := store.BigSegmentsMembership(ctx, "hash"); return err },
		} {
			t.Run(name+" "+called, func(t *testing.T) {
				// Of its own prefix: an abandoned write may be done all the same.
				given := patient(options(faults.Endpoint))
				given.CacheTTL = ttl
				store = opened(t, given)
				faults.Script(t, `{"do":"hold"}`)
				ended, cancel := context.WithCancel(ctx)
				returned := make(chan error, 1)
				go func() { returned <- call(ended) }()
				faults.Wait(t, 1, "hold")
				cancel()
				select {
				case err := <-returned:
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				case <-time.After(10 * time.Second):
					t.Error("it did not return")
				}
				if err := call(ended); !errors.Is(err, context.Canceled) {
					t.Errorf("with a context that has ended: %v", err)
				}
				late, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				if err := call(late); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				faults.Script(t, "")
				if err := store.Available(ctx); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	}
}

// The answers to abandoned calls come back to nobody else, and what the calls held is given back.
func TestAbandonedCallsLeaveNothingBehind(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	wantUpsert(t, store, "features", item("flag", 1, "payload"), flagstore.Written, nil)
	abandon := func() {
		together(goroutines, func(number int) {
			for round := range 20 {
				short, cancel := context.WithTimeout(ctx, time.Duration(round*number)*time.Microsecond)
				got, found, err := store.Get(short, "features", "flag")
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) || err == nil && (!found || string(got.Payload) != "payload") {
					t.Errorf("%+v %v", got, err)
				}
				wantMissing(t, store, "features", fmt.Sprintf("missing-%d", number))
			}
		})
	}
	abandon()
	before := descriptors(t)
	for range 3 {
		abandon()
	}
	eventually(t, "as many descriptors as before", func() bool {
		runtime.GC() // Closes those that no call used of late.
		return descriptors(t) <= before+goroutines && runtime.NumGoroutine() < 30
	})
}

// The library's threads run no Go code, which would wait for a processor while others compute: they answer on.
func TestAProgramThatComputesDelaysNoAnswerOfOthers(t *testing.T) {
	given := options(endpoint.Local(t))
	given.Timeout = 10 * time.Second
	store := opened(t, given)
	var stop atomic.Bool
	defer stop.Store(true)
	for range 4 * runtime.GOMAXPROCS(0) {
		go func() {
			for !stop.Load() { //nolint:revive // It computes.
			}
		}()
	}
	together(16, func(number int) {
		for range 5 {
			if _, _, err := store.Get(ctx, "features", fmt.Sprint(number)); err != nil {
				t.Error(err)
			}
		}
	})
}

// Without a descriptor to wait on a call fails, says what to do, and others go on later.
func TestAProcessOutOfDescriptorsIsTold(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	wantMissing(t, store, "features", "flag") // Connected, and its threads started.
	restore := limitDescriptors(t, 512)
	defer restore()
	var taken []*os.File
	defer func() {
		for _, file := range taken {
			_ = file.Close()
		}
	}()
	var err error
	for try := 0; err == nil && try < 100; try++ {
		runtime.GC() // Closes descriptors that no call uses.
		for {
			file, err := os.Open("/dev/null")
			if err != nil {
				break
			}
			taken = append(taken, file)
		}
		_, _, err = store.Get(ctx, "features", "flag")
	}
	var failed *flagstore.Error
	if !errors.As(err, &failed) || failed.Code != flagstore.ErrRuntime || !failed.Retriable || !strings.Contains(err.Error(), "open files") {
		t.Error(err)
	}
	restore()
	wantMissing(t, store, "features", "flag")
}
