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

// lookups bounds the gets of stores with a cache that are made on the calling thread. A hit takes less than handing it over
// would; a miss holds the thread, so those beyond the bound take the asynchronous way, whatever they find.
var lookups = gate{most: int64(runtime.GOMAXPROCS(0)) + 16}

// gate lets a bounded number of goroutines through.
type gate struct {
	inside atomic.Int64
	most   int64
}

// enter tells whether there is room; then leave is to be called.
func (g *gate) enter() bool {
	if g.inside.Add(1) > g.most {
		g.leave()
		return false
	}
	return true
}

func (g *gate) leave() { g.inside.Add(-1) }

// places is what one call writes to.
type places struct {
	item      cItem
	failure   cError
	arguments [7]uintptr
	kind, key *byte
}

var spare = sync.Pool{New: func() any { return new(places) }}

func borrow() *places { return spare.Get().(*places) }

func (p *places) giveBack() {
	p.kind, p.key = nil, nil
	spare.Put(p)
}
