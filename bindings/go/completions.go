//go:build (linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64)

package flagstore

import (
	"context"
	"sync"
	"time"
	"unsafe"
)

// completions is the queue that takes the finished calls of every store of the process, so that no thread of the library
// ever runs Go code, which might wait for a processor and delay every other call. One goroutine takes them out and gives each to
// the goroutine that waits for it.
type completions struct {
	library *library
	queue   uint64

	mutex   sync.Mutex
	last    uintptr
	waiting map[uintptr]chan result
}

// result is a store_result.
type result uintptr

// starter starts an asynchronous call that ends in the queue with userData, and stores the number to cancel it by.
type starter func(userData uintptr, call *uint64, failure *cError) Code

// stopping is how long an init whose context ended is waited for, to say what it had done; it has stopped long before.
const stopping = time.Second

// ready is a place for the result of one call; none of them holds anything while it is here.
var ready = sync.Pool{New: func() any { return make(chan result, 1) }}

// openCompletions opens the queue and starts the goroutine, which holds an OS thread only where a descriptor cannot be
// waited for.
func openCompletions(l *library) (*completions, error) {
	c := &completions{library: l, waiting: map[uintptr]chan result{}}
	var failure cError
	if code := l.storeCompletionsOpen.code(uintptr(unsafe.Pointer(&c.queue)), uintptr(unsafe.Pointer(&failure))); code < 0 {
		return nil, l.failed(code, &failure)
	}
	if err := c.serve(); err != nil {
		l.storeCompletionsClose.call(uintptr(c.queue), 0)
		return nil, err
	}
	return c, nil
}

// expect gives a call the number that it ends with, and where its result comes.
func (c *completions) expect() (uintptr, chan result) {
	place := ready.Get().(chan result)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last++
	c.waiting[c.last] = place
	return c.last, place
}

// forget is for a call that never began.
func (c *completions) forget(number uintptr, place chan result) {
	c.mutex.Lock()
	delete(c.waiting, number)
	c.mutex.Unlock()
	ready.Put(place)
}

// abandon is for a call that nobody waits for any more; its result is freed when it comes.
func (c *completions) abandon(number uintptr, place chan result) {
	c.mutex.Lock()
	_, comes := c.waiting[number]
	if comes {
		c.waiting[number] = nil
	}
	c.mutex.Unlock()
	if !comes {
		c.library.storeResultFree.call(uintptr(<-place))
	}
	ready.Put(place)
}

// deliver gives a result to whoever waits for it.
func (c *completions) deliver(number uintptr, done result) {
	c.mutex.Lock()
	place := c.waiting[number]
	delete(c.waiting, number)
	if place != nil {
		place <- done // There is room, so that this does not wait.
	}
	c.mutex.Unlock()
	if place == nil {
		c.library.storeResultFree.call(uintptr(done))
	}
}

// deliverNext takes the call that was finished first, and waits for one for so long, in milliseconds; -1 is for ever. It
// reports false if there is none.
func (c *completions) deliverNext(timeout int) bool {
	var number uintptr
	var done result
	if c.library.storeCompletionsNext.code(uintptr(c.queue), uintptr(timeout), uintptr(unsafe.Pointer(&number)),
		uintptr(unsafe.Pointer(&done)), 0) != outcomeOK {
		return false
	}
	c.deliver(number, done)
	return true
}

// await starts a call and waits for its result, to be freed. When the context ends first the call is cancelled, and what it
// holds in the library is let go; its error is the context's then. A call that is stopped is waited for a little longer: its
// result says what it had done.
func (c *completions) await(ctx context.Context, stopped bool, start starter) (done result, code Code, failure cError, err error) {
	number, place := c.expect()
	var call uint64
	if code := start(number, &call, &failure); code < 0 {
		c.forget(number, place)
		return 0, code, failure, nil
	}
	select {
	case done := <-place:
		ready.Put(place)
		return done, outcomeOK, failure, nil
	case <-ctx.Done():
	}
	c.library.storeCancel.call(uintptr(call), 0)
	if stopped {
		patience := time.NewTimer(stopping)
		defer patience.Stop()
		select {
		case done := <-place:
			ready.Put(place)
			return done, outcomeOK, failure, ctx.Err()
		case <-patience.C:
		}
	}
	c.abandon(number, place)
	return 0, outcomeOK, failure, ctx.Err()
}
