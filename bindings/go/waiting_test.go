package flagstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// silent is a server that takes connections and never answers.
type silent struct {
	endpoint.Endpoint
	connections, closed atomic.Int64
}

// open is how many connections the server has now.
func (s *silent) open() int { return int(s.connections.Load() - s.closed.Load()) }

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
			go func() {
				_, _ = io.Copy(io.Discard, connection)
				_ = connection.Close()
				server.closed.Add(1)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(connection, _ any) bool { _ = connection.(net.Conn).Close(); return true })
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

// So many calls, a few hundred at a time, whose contexts end while nobody answers: each held a goroutine, a descriptor and a
// connection, and none of them is left.
func TestCancelledGetsLeaveNoDescriptorNoGoroutineAndNoConnection(t *testing.T) {
	const calls, atOnce = 9989, 300
	server := startSilent(t)
	given := patient(options(server.Endpoint))
	given.Timeout, given.AttemptTimeout = time.Hour, time.Hour
	store := opened(t, given)
	cancelled := func(from int) {
		ended, cancel := context.WithCancel(ctx)
		errs := make(chan error, atOnce)
		for number := range atOnce {
			go func() {
				_, _, err := store.Get(ended, "features", fmt.Sprint(from+number))
				errs <- err
			}()
		}
		if from%(10*atOnce) == 0 {
			before := server.connections.Load()
			eventually(t, "some of them connected", func() bool { return server.connections.Load() > before })
		}
		cancel()
		for range atOnce {
			if err := <-errs; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	}
	cancelled(0)
	// The server is in this process: what it holds is closed when it sees the other end go.
	settled := func() int { return descriptors(t) - server.open() }
	eventually(t, "connections gone", func() bool { return server.open() == 0 })
	before, goroutines := settled(), runtime.NumGoroutine()
	for from := atOnce; from < calls; from += atOnce {
		cancelled(from)
	}
	eventually(t, "as many descriptors and goroutines as before", func() bool {
		return settled() <= before && runtime.NumGoroutine() <= goroutines+2
	})
	t.Logf("%d descriptors after %d cancelled gets, %d before", descriptors(t), calls, before)
	if statistics := must[flagstore.Statistics](t)(store.Statistics()); statistics.Requests == 0 {
		t.Error("nothing was under way")
	}
}

// An init whose context ends has stopped when it returns, and says what it had done.
func TestACancelledInitReturnsWhatItHadDone(t *testing.T) {
	faults := endpoint.WithFaults(t, endpoint.Local(t))
	given := patient(options(faults.Endpoint))
	given.WriteConcurrency = 1
	store := opened(t, given)
	faults.Script(t, `{"operation":"PutItem","from":3,"do":"hold"}`)
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	items := []flagstore.Item{item("a", 1, "{}"), item("b", 1, "{}"), item("c", 1, "{}"), item("d", 1, "{}")}
	var report flagstore.InitReport
	returned := make(chan error, 1)
	go func() {
		var err error
		report, err = store.Init(ended, []flagstore.Collection{{Kind: "features", Items: items}})
		returned <- err
	}()
	faults.Wait(t, 1, "hold")
	cancel()
	if err := <-returned; !errors.Is(err, context.Canceled) || report.Written != 2 {
		t.Errorf("%+v %v", report, err)
	}
	faults.Script(t, "")
	if initialized, err := store.Initialized(ctx); initialized || err != nil {
		t.Error(initialized, err)
	}
	if report, err := store.Init(ctx, []flagstore.Collection{{Kind: "features", Items: items}}); err != nil || report.Written+report.Unchanged != len(items) {
		t.Errorf("%+v %v", report, err)
	}
}

// Calls wait on no descriptor of their own: a process that has none left goes on.
func TestCallsNeedNoDescriptorOfTheirOwn(t *testing.T) {
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
	for {
		file, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		taken = append(taken, file)
	}
	wantMissing(t, store, "features", "flag")
}

// starved opens the first store of a process that may open no more files.
func starved() {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: 4096}); err != nil {
		panic(err)
	}
	_, err := flagstore.Open(flagstore.Options{Table: "flags"})
	fmt.Print(err)
}

func TestAProcessWithoutADescriptorForTheFirstStoreIsTold(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=starved")
	said, err := child.CombinedOutput()
	// In glibc's words, or in musl's.
	if words := string(said); err != nil || !strings.Contains(words, "open files") && !strings.Contains(words, "file descriptors") {
		t.Errorf("%v: %s", err, said)
	}
}
