package flagstore_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

const payload = `{"key":"p4yl0ad"}`

// quick ends calls soon.
func quick(options flagstore.Options) flagstore.Options {
	options.Timeout, options.AllTimeout, options.InitTimeout = time.Second, time.Second, time.Second
	options.NotShared = true
	return options
}

// failed is the error of a write. It says what to do, and holds neither payload nor credentials.
func failed(t *testing.T, store *flagstore.Store) *flagstore.Error {
	t.Helper()
	_, err := store.Upsert(ctx, "features", item("flag", 1, payload))
	var failed *flagstore.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v is no *flagstore.Error", err)
	}
	if failed.Code >= 0 || failed.CodeName != failed.Code.Error() || !strings.HasPrefix(failed.CodeName, "STORE_ERROR_") || !errors.Is(err, failed.Code) {
		t.Errorf("%d is called %s", failed.Code, failed.CodeName)
	}
	if text := err.Error(); strings.Contains(text, "p4yl0ad") || strings.Contains(text, endpoint.Secret) || !strings.Contains(text, ": ") {
		t.Errorf("%s", text)
	}
	return failed
}

// What DynamoDB, or what stands in its place, does to a request, and what the caller is told.
func TestEveryFaultHasItsError(t *testing.T) {
	faults := endpoint.WithFaults(t, endpoint.Local(t))
	refuse := func(kind string) string { return `{"do":{"do":"refuse","type":"` + kind + `"}}` }
	for name, test := range map[string]struct {
		rule      string
		code      flagstore.Code
		retriable bool
	}{
		"throttled":            {`{"do":"throttle"}`, flagstore.ErrThrottled, true},
		"a fault of its own":   {`{"do":"fault"}`, flagstore.ErrService, true},
		"no permission":        {refuse("AccessDeniedException"), flagstore.ErrAccessDenied, false},
		"unknown key":          {refuse("UnrecognizedClientException"), flagstore.ErrInvalidCredentials, false},
		"expired token":        {refuse("ExpiredTokenException"), flagstore.ErrExpiredCredentials, false},
		"no such table":        {refuse("ResourceNotFoundException"), flagstore.ErrTableNotFound, false},
		"garbage":              {`{"do":"garbage"}`, flagstore.ErrUnexpectedResponse, true},
		"reset":                {`{"do":"reset"}`, flagstore.ErrConnection, true},
		"reset when answering": {`{"do":{"do":"reset","at":"body"}}`, flagstore.ErrConnection, true},
		"silent":               {`{"do":"black_hole"}`, flagstore.ErrTimeout, true},
		"quoting the request":  {`{"do":{"do":"echo","quote":"credentials"}}`, flagstore.ErrRejected, false},
		"quoting the payload":  {`{"do":{"do":"echo","quote":"body"}}`, flagstore.ErrRejected, false},
	} {
		t.Run(name, func(t *testing.T) {
			faults.Script(t, test.rule)
			store := opened(t, quick(options(faults.Endpoint)))
			started := time.Now()
			err := failed(t, store)
			if err.Code != test.code || err.Retriable != test.retriable {
				t.Errorf("got %s (retriable: %v): %s", err.CodeName, err.Retriable, err.Message)
			}
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestAServerThatNeverAnswersEndsAtTheDeadline(t *testing.T) {
	faults := endpoint.WithFaults(t, endpoint.Local(t))
	faults.Script(t, `{"do":"black_hole"}`)
	store := opened(t, quick(options(faults.Endpoint)))
	for name, err := range everyCall(store) {
		if name == "Statistics" || name == "ClearCache" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if !errors.Is(err, flagstore.ErrTimeout) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingListeningIsAConnectionError(t *testing.T) {
	bound := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := bound.Addr().String()
	_ = bound.Close()
	store := opened(t, quick(options(endpoint.Endpoint{URL: "http://" + address})))
	if err := failed(t, store); err.Code != flagstore.ErrConnection && err.Code != flagstore.ErrTimeout || !err.Retriable {
		t.Errorf("%s: %s", err.CodeName, err.Message)
	}
}

func TestATableThatIsNotThereIsNamedWithItsRemedy(t *testing.T) {
	given := options(endpoint.Local(t))
	given.Table = "no-such-table"
	err := failed(t, opened(t, given))
	if err.Code != flagstore.ErrTableNotFound || !strings.Contains(err.Message, "no-such-table") {
		t.Fatal(err)
	}
}

func TestAMissingRegionIsNamed(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	store := opened(t, quick(flagstore.Options{Table: "flags", AccessKeyID: "test", SecretAccessKey: endpoint.Secret}))
	if err := failed(t, store); err.Code != flagstore.ErrNoRegion || !strings.Contains(err.Message, "AWS_REGION") {
		t.Fatal(err)
	}
}

func TestACodeIsATargetOfErrorsIs(t *testing.T) {
	err := error(&flagstore.Error{Code: flagstore.ErrTimeout})
	if !errors.Is(err, flagstore.ErrTimeout) || errors.Is(err, flagstore.ErrThrottled) {
		t.Fatal(err)
	}
}
