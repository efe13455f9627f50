// The SDK's settings with a store of this library in them, and the store alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
)

// IMPORTS

func oneLine(config ld.Config) {
	// SHOWN(README.md, 1)
	taken(config)
}

func itsOwnReadme(config ld.Config) {
	// SHOWN(bindings/go/README.md, 1)
	taken(config)
}

func withBigSegments() {
	// SHOWN(bindings/go/README.md, 2)
	taken(config)
}

func store(ctx context.Context, payload []byte) error {
	// SHOWN(bindings/go/README.md, 3)
	if err != nil || !found || flag.Version != 1 || result.Outcome != flagstore.Written || report.Written != 1 {
		return fmt.Errorf("%v, %v, %v, %v", err, flag, result, report)
	}
	return nil
}

func doctor(ctx context.Context) error {
	// SHOWN(bindings/go/README.md, 4)
	if report.Problems != 0 {
		return fmt.Errorf("%v", report)
	}
	return err
}

func failure(err error) {
	// SHOWN(bindings/go/README.md, 5)
}

func taken(config ld.Config) {
	config.Offline = true
	client, err := ld.MakeCustomClient("sdk-key", config, time.Second)
	if err != nil {
		log.Fatal(err)
	}
	_ = client.Close()
}

func main() {
	oneLine(ld.Config{})
	itsOwnReadme(ld.Config{})
	withBigSegments()
	for _, err := range []error{
		store(context.Background(), []byte(`{"key":"my-flag","version":2}`)),
		doctor(context.Background()),
	} {
		failure(err)
		if err != nil {
			log.Fatal(err)
		}
	}
}
