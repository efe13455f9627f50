//go:build linux && (amd64 || arm64)

package flagstore

import (
	"context"
	"encoding/binary"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/ebitengine/purego"
)

// completion is how a goroutine learns that its asynchronous call is done, without holding an OS thread and without
// the library's threads ever running Go code, which might wait for a processor and delay every other call.
//
// The library ends a call with callback(user_data, result). The callback is libc's eventfd_write(descriptor, number),
// which has the same shape in registers: user_data is the descriptor of an eventfd, and the number written to it is the
// address of the result. Go's poller waits for the descriptor like for a socket, and reading gives the address.
type completion struct {
	file       *os.File
	descriptor uintptr
}

// Completions that no call uses. What the garbage collector takes from the pool closes its descriptor.
var completions sync.Pool

// Long past, as a deadline that has gone by.
var past = time.Unix(1, 0)

var eventfdWrite = sync.OnceValues(func() (uintptr, error) {
	return purego.Dlsym(purego.RTLD_DEFAULT, "eventfd_write")
})

func newCompletion() (*completion, error) {
	if _, err := eventfdWrite(); err != nil {
		return nil, err
	}
	if idle, ok := completions.Get().(*completion); ok {
		return idle, nil
	}
	descriptor, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return nil, errno
	}
	return &completion{os.NewFile(descriptor, "eventfd"), descriptor}, nil
}

// callback is what the library is to call, with what.
func (c *completion) callback() (function, userData uintptr) {
	function, _ = eventfdWrite()
	return function, c.descriptor
}

// wait returns the result of the call. If the context ends first, it returns the context's error at once, and the
// result, which still comes, goes to abandoned.
func (c *completion) wait(ctx context.Context, abandoned func(result uintptr)) (uintptr, error) {
	if ctx.Done() == nil {
		result := c.read()
		c.unused()
		return result, nil
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.file.SetReadDeadline(past)
		close(interrupted)
	})
	result := c.read()
	if !stop() {
		<-interrupted
		_ = c.file.SetReadDeadline(time.Time{})
	}
	if result != 0 {
		c.unused()
		return result, nil
	}
	// The descriptor must not become another call's before this call has written to it.
	go func() {
		abandoned(c.read())
		c.unused()
	}()
	return 0, ctx.Err()
}

// read waits for the address that the callback writes; 0 if it was interrupted.
func (c *completion) read() uintptr {
	var number [8]byte
	if _, err := c.file.Read(number[:]); err != nil {
		return 0
	}
	return uintptr(binary.NativeEndian.Uint64(number[:]))
}

// unused makes the completion another call's to use.
func (c *completion) unused() {
	completions.Put(c)
}
