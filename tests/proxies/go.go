// One call of one process, as in python.py.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

func main() {
	var given struct {
		Table, Prefix, Region, Endpoint, Proxy string
		AccessKeyID                            string `json:"access_key_id"`
		SecretAccessKey                        string `json:"secret_access_key"`
		CABundle                               string `json:"ca_bundle"`
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &given); err != nil {
		panic(err)
	}
	payload, err := flag(flagstore.Options{
		Table: given.Table, Prefix: given.Prefix, Region: given.Region, Endpoint: given.Endpoint, Proxy: given.Proxy,
		AccessKeyID: given.AccessKeyID, SecretAccessKey: given.SecretAccessKey, CABundle: given.CABundle,
	})
	var failed *flagstore.Error
	switch {
	case errors.As(err, &failed):
		fmt.Println(failed.Message)
		os.Exit(1)
	case err != nil:
		panic(err)
	}
	fmt.Println(payload)
}

func flag(options flagstore.Options) (string, error) {
	store, err := flagstore.Open(options)
	if err != nil {
		return "", err
	}
	defer store.Close()
	found, _, err := store.Get(context.Background(), "features", "flag")
	return string(found.Payload), err
}
