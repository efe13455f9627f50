package flagstore_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// Some tests run this same program as another process, which does what this variable says.
const roleVariable = "FLAGSTORE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		endpoint.UseReleaseBuild()
		os.Exit(m.Run())
	case "open":
		store, err := flagstore.Open(flagstore.Options{Table: "flags"})
		if err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		fmt.Print(flagstore.LibraryPath())
		_ = store.Close()
	case "starved":
		starved()
	case "bystander":
		bystander()
	default:
		panic(role)
	}
}

var ctx = context.Background()

// options are those of a store on an endpoint, under a prefix of its own.
func options(on endpoint.Endpoint) flagstore.Options {
	return flagstore.Options{
		Table: endpoint.Table, Prefix: endpoint.Prefix(), Endpoint: on.URL, Region: "us-east-1",
		AccessKeyID: "test", SecretAccessKey: endpoint.Secret,
	}
}

// opened opens a store that is closed with its test.
func opened(t testing.TB, options flagstore.Options) *flagstore.Store {
	t.Helper()
	store, err := flagstore.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
