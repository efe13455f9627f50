package flagstore

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Calls of the library that have no asynchronous form hold the OS thread that makes them. As many as this may wait at
// once; Go's own resolver draws the same line for the same reason.
const mostBlocking = 500

var blockingCalls = make(chan struct{}, mostBlocking)

// blocking makes such a call. If the context ends first, it returns the context's error at once; the call ends by
// itself, at its deadline.
func blocking[T any](ctx context.Context, call func() (T, error)) (T, error) {
	var nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	select {
	case blockingCalls <- struct{}{}:
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
	return detached(ctx, func() { <-blockingCalls }, call)
}

// detached makes a call that holds its thread, calls leave when it is done, and waits for no longer than the context
// lives. A context that never ends costs no goroutine.
func detached[T any](ctx context.Context, leave func(), call func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		defer leave()
		return call()
	}
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		defer leave()
		value, err := call()
		answered <- answer{value, err}
	}()
	select {
	case answer := <-answered:
		return answer.value, answer.err
	case <-ctx.Done():
		var nothing T
		return nothing, ctx.Err()
	}
}

// gate lets a bounded number of goroutines through.
type gate struct {
	inside atomic.Int64
	most   func() int64
}

// waiting bounds the gets of stores with a cache that are made on the calling thread. A hit takes less than handing it
// over would; a miss holds the thread, so those beyond the bound take the asynchronous way, whatever they find.
var waiting = gate{most: sync.OnceValue(func() int64 { return int64(runtime.GOMAXPROCS(0)) + 16 })}

// enter returns what to call afterwards, or nil if it is full.
func (g *gate) enter() (leave func()) {
	if g.inside.Add(1) > g.most() {
		g.leave()
		return nil
	}
	return g.leave
}

func (g *gate) leave() { g.inside.Add(-1) }

// places is what one call writes to.
type places struct {
	item    cItem
	failure cError
}

var spare = sync.Pool{New: func() any { return new(places) }}

func borrow() *places { return spare.Get().(*places) }

func (p *places) giveBack() { spare.Put(p) }
