package flagstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

func BenchmarkEmptiestCall(b *testing.B) {
	store := opened(b, options(endpoint.Local(b)))
	b.ReportAllocs()
	for b.Loop() {
		store.EmptiestCall()
	}
}

// What a caller would pay for the payload alone.
func BenchmarkCopyOf1KB(b *testing.B) {
	payload := []byte(strings.Repeat("x", 1024))
	var kept []byte
	b.ReportAllocs()
	for b.Loop() {
		kept = append([]byte(nil), payload...)
	}
	_ = kept
}

func benchmarkGet(b *testing.B, ctx context.Context, ttl time.Duration) {
	given := options(endpoint.Local(b))
	given.CacheTTL = ttl
	store := opened(b, given)
	stored := item("flag", 1, strings.Repeat("x", 1024))
	wantUpsert(b, store, "features", stored, flagstore.Written, nil)
	wantItem(b, store, "features", stored)
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := store.Get(ctx, "features", "flag"); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkCachedGet(b *testing.B) { benchmarkGet(b, ctx, -1) }

func BenchmarkCachedGetThatMayBeCancelled(b *testing.B) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	benchmarkGet(b, ctx, -1)
}

func BenchmarkUncachedGet(b *testing.B) { benchmarkGet(b, ctx, 0) }

func BenchmarkUncachedGetThatMayBeCancelled(b *testing.B) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	benchmarkGet(b, ctx, 0)
}
