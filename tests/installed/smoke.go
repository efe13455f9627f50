// As smoke.py.
package main

import (
	"context"
	"fmt"
	"os"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

func expect(what string, holds bool, err error) {
	if err != nil || !holds {
		fmt.Fprintln(os.Stderr, "not so:", what, err)
		os.Exit(1)
	}
}

func payload(version int64) string {
	return fmt.Sprintf(`{"key":"flag","version":%d,"salt":"ä漢"}`, version)
}

func main() {
	ctx := context.Background()
	store, err := flagstore.Open(flagstore.Options{
		Table: "flags", Prefix: os.Args[2], Endpoint: os.Args[1], Region: "eu-west-1",
		AccessKeyID: "local", SecretAccessKey: "local",
	})
	expect("opened", store != nil, err)
	initialized, err := store.Initialized(ctx)
	expect("not initialized", !initialized, err)
	report, err := store.InitJSON(ctx, []byte(`{"flags":{"flag":`+payload(1)+`}}`))
	expect("one row", report.Written == 1, err)
	item, _, err := store.Get(ctx, "features", "flag")
	expect("the first version", string(item.Payload) == payload(1), err)
	result, err := store.Upsert(ctx, "features", flagstore.Item{Key: "flag", Version: 2, Payload: []byte(payload(2))})
	expect("written", result.Outcome == flagstore.Written, err)
	item, _, err = store.Get(ctx, "features", "flag")
	expect("the second version", string(item.Payload) == payload(2), err)
	initialized, err = store.Initialized(ctx)
	expect("initialized", initialized, err)
	expect("closed", true, store.Close())
	version, err := flagstore.LibraryVersion()
	expect("a version", version != "", err)
	file, err := flagstore.LibraryFile()
	expect("a file", true, err)
	fmt.Println("used", version, file)
}
