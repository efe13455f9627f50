package flagstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

func finding(t *testing.T, report flagstore.Report, check string) flagstore.Finding {
	t.Helper()
	for _, found := range report.Findings {
		if found.Check == check {
			return found
		}
	}
	t.Fatalf("nothing was found about %s: %+v", check, report)
	return flagstore.Finding{}
}

func TestDoctorHasNoProblemWithATableThatIsInOrder(t *testing.T) {
	options := options(endpoint.Local(t))
	must[flagstore.InitReport](t)(opened(t, options).Init(ctx, []flagstore.Collection{
		{Kind: "features", Items: []flagstore.Item{item("flag", 1, flagJSON)}}, {Kind: "segments"},
	}))
	report := must[flagstore.Report](t)(flagstore.Doctor(ctx, options))
	if report.Problems != 0 || report.Warnings != 0 {
		t.Fatalf("got %+v", report)
	}
	for _, found := range report.Findings {
		if found.Level != flagstore.LevelOK {
			t.Errorf("got %+v", found)
		}
	}
	if rows := finding(t, report, "features"); !strings.HasPrefix(rows.Found, "1 row") || rows.Remedy != "" {
		t.Errorf("got %+v", rows)
	}
	if shown := fmt.Sprintf("%+v", report); strings.Contains(shown, endpoint.Secret) {
		t.Errorf("the secret is shown: %s", shown)
	}
}

func TestDoctorNamesATableThatIsMissing(t *testing.T) {
	options := options(endpoint.Local(t))
	options.Table = "no-such-table"
	report := must[flagstore.Report](t)(flagstore.Doctor(ctx, options))
	missing := finding(t, report, "table")
	if report.Problems != 1 || missing.Level != flagstore.LevelProblem || !strings.Contains(missing.Found, options.Table) || missing.Remedy == "" {
		t.Errorf("got %+v", report)
	}
}

func TestDoctorRefusesAnOptionThatIsWrong(t *testing.T) {
	options := options(endpoint.Local(t))
	options.WriteConcurrency = -1
	_, err := flagstore.Doctor(ctx, options)
	if !errors.Is(err, flagstore.ErrOptionValue) || !strings.Contains(err.Error(), "write_concurrency") {
		t.Errorf("got %v", err)
	}
}

func TestDoctorReturnsWhenItsContextEnds(t *testing.T) {
	silent := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = silent.Close() })
	options := options(endpoint.Endpoint{URL: "http://" + silent.Addr().String()})
	// What was begun ends by itself soon after the test.
	options.Timeout = 5 * time.Second
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := flagstore.Doctor(ctx, options)
		ended <- err
	}()
	connection := must[net.Conn](t)(silent.Accept())
	t.Cleanup(func() { _ = connection.Close() })
	select {
	case err := <-ended:
		t.Fatalf("it ended with %v before anything was answered", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
