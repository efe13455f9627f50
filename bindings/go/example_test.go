package flagstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

func ExampleOpen() {
	store, err := flagstore.Open(flagstore.Options{
		Table: "flags", Prefix: "production", Region: "eu-west-1",
		// Without an endpoint it would be AWS's.
		Endpoint: "http://127.0.0.1:1", AccessKeyID: "local", SecretAccessKey: "local", Timeout: 100_000_000,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()

	flag, found, err := store.Get(context.Background(), "features", "my-flag")
	var failed *flagstore.Error
	switch {
	case errors.As(err, &failed):
		fmt.Println(failed.CodeName, "try again:", failed.Retriable)
	case found && !flag.Deleted:
		fmt.Printf("version %d: %s\n", flag.Version, flag.Payload)
	default:
		fmt.Println("no such flag")
	}
	// Output: STORE_ERROR_CONNECTION try again: true
}

func ExampleDoctor() {
	report, err := flagstore.Doctor(context.Background(), flagstore.Options{
		Table: "flags", Prefix: "production", Region: "eu-west-1",
		// Nobody listens there.
		Endpoint: "http://127.0.0.1:1", AccessKeyID: "local", SecretAccessKey: "local", Timeout: 100_000_000,
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, finding := range report.Findings {
		if finding.Level == flagstore.LevelProblem {
			fmt.Println(finding.Check, "has a remedy:", finding.Remedy != "")
		}
	}
	// Output: connection has a remedy: true
}
