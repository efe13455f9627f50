//go:build (linux || darwin) && (amd64 || arm64)

package flagstore

import (
	"os"
	"syscall"
	"unsafe"
)

// serve has a goroutine take what is finished. It waits for a pipe that the library writes to, as for a socket: Go's poller
// wakes it, and it holds no OS thread meanwhile.
func (c *completions) serve() error {
	reader, writer, err := pipe()
	if err != nil {
		return &Error{ErrRuntime, ErrRuntime.Error(), "the system gives no descriptor to wait on (" + err.Error() +
			"): raise the limit on open files", true}
	}
	var failure cError
	code := c.library.storeCompletionsNotify.code(uintptr(c.queue), uintptr(writer), uintptr(unsafe.Pointer(&failure)))
	_ = syscall.Close(writer) // The library has its own.
	file := os.NewFile(uintptr(reader), "finished calls of flagstore")
	if code < 0 {
		_ = file.Close()
		return c.library.failed(code, &failure)
	}
	go func() {
		var written [512]byte
		for {
			// First this and then the queue: what comes in between is written about again.
			if _, err := file.Read(written[:]); err != nil {
				break
			}
			for c.deliverNext(0) {
			}
		}
		// Somebody closed the pipe under it. A thread does without.
		for c.deliverNext(-1) {
		}
	}()
	return nil
}
