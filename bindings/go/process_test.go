package flagstore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

func limitDescriptors(t *testing.T, most int) (restore func()) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = uint64(most)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }
}

// Go preempts goroutines by SIGURG and profiles by SIGPROF. Both reach a process whose threads are in the library.
func TestSignalsInterruptNoCall(t *testing.T) {
	given := options(endpoint.Local(t))
	given.CacheTTL = 5 * time.Millisecond
	store := opened(t, given)
	wantUpsert(t, store, "features", item("flag", 1, "payload"), flagstore.Written, nil)
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		sent := 0
		defer func() { stopped <- sent }()
		for {
			for _, signal := range []syscall.Signal{syscall.SIGURG, syscall.SIGPROF} {
				// To one thread after another, as the kernel's timers and Go's scheduler do.
				tasks, _ := os.ReadDir("/proc/self/task")
				for _, task := range tasks {
					select {
					case <-stop:
						return
					default:
					}
					var thread int
					_, _ = fmt.Sscan(task.Name(), &thread)
					_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(thread), uintptr(signal))
					sent++
				}
			}
			runtime.Gosched()
		}
	}()
	together(16, func(number int) {
		for round := range int64(50) {
			if got, found, err := store.Get(ctx, "features", "flag"); err != nil || !found || string(got.Payload) != "payload" {
				t.Errorf("%+v %v", got, err)
			}
			if _, err := store.Upsert(ctx, "features", item(fmt.Sprint("flag-", number), round, "x")); err != nil {
				t.Error(err)
			}
		}
	})
	close(stop)
	if sent := <-stopped; sent < 1000 {
		t.Errorf("only %d signals were sent", sent)
	}
}

// Every thread of the library has all signals masked but those of its own faults.
func TestTheLibrarysThreadsTakeNoSignals(t *testing.T) {
	wantMissing(t, opened(t, options(endpoint.Local(t))), "features", "flag")
	seen := 0
	for _, task := range must[[]os.DirEntry](t)(os.ReadDir("/proc/self/task")) {
		status, err := os.ReadFile(filepath.Join("/proc/self/task", task.Name(), "status"))
		if err != nil || !strings.HasPrefix(string(status), "Name:\tflagstore\n") {
			continue
		}
		seen++
		var masked uint64
		_, rest, _ := strings.Cut(string(status), "SigBlk:\t")
		if _, err := fmt.Sscanf(rest, "%x", &masked); err != nil {
			t.Fatal(err)
		}
		for _, signal := range []syscall.Signal{syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE, syscall.SIGTERM} {
			if masked&(1<<(signal-1)) == 0 {
				t.Errorf("thread %s takes signal %v", task.Name(), signal)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d threads are the library's", seen)
	}
}

// A child process is another program: it inherits neither the library's descriptors nor its threads' signal mask.
func TestChildProcessesAreUntouched(t *testing.T) {
	store := opened(t, options(endpoint.Local(t)))
	together(16, func(number int) {
		wantMissing(t, store, "features", "flag")
		child := exec.Command("/bin/sh", "-c", `ls -l /proc/self/fd | grep -c -e eventfd -e socket -e eventpoll; grep SigBlk /proc/self/status`)
		output, _ := child.Output()
		if text := string(output); text != "0\nSigBlk:\t0000000000000000\n" {
			t.Errorf("the child has %q", text)
		}
		wantMissing(t, store, "features", "flag")
	})
}

// A program that ends while calls are in flight neither hangs nor crashes.
func bystander() {
	store, err := flagstore.Open(flagstore.Options{
		Table: "flags", Endpoint: os.Getenv("FLAGSTORE_TEST_ENDPOINT"), Region: "us-east-1", AccessKeyID: "a", SecretAccessKey: "b",
	})
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	for range 16 {
		go func() { _, _, _ = store.Get(ctx, "features", "flag") }()
		go func() { _ = store.Available(ctx) }()
	}
	var line string
	_, _ = fmt.Scanln(&line)
	fmt.Print("fine")
}

func TestAProgramMayEndWithCallsInFlight(t *testing.T) {
	server := startSilent(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=bystander", "FLAGSTORE_TEST_ENDPOINT="+server.URL)
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "calls wait for the server", func() bool { return server.connections.Load() >= 16 })
	_ = input.Close()
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case err := <-ended:
		if err != nil || said.String() != "fine" {
			t.Errorf("%v: %s", err, said.String())
		}
	case <-time.After(20 * time.Second):
		_ = child.Process.Kill()
		t.Error("it hangs")
	}
}
