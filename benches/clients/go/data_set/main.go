// Command data_set is c/data_set.c for the data store that the Go SDK uses:
//
//	data_set native|flagstore URL FILE
//
// "native" is the SDK's own integration, "flagstore" this library in its place: the one import that a user changes. For each
// line "init" or "all" on standard input it stores the data set in FILE, or reads all flags.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	flagstore "github.com/flagstore/flagstore/bindings/go"
	ours "github.com/flagstore/flagstore/bindings/go/lddynamodb"
	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	native "github.com/launchdarkly/go-server-sdk-dynamodb/v4"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoreimpl"
	st "github.com/launchdarkly/go-server-sdk/v7/subsystems/ldstoretypes"
)

var quiet = subsystems.BasicClientContext{Logging: subsystems.LoggingConfiguration{Loggers: ldlog.NewDisabledLoggers()}}

func main() {
	which, url, data := os.Args[1], os.Args[2], read(os.Args[3])
	store := open(which, url)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		used, rows := store, 0
		// Each init is the first of its store, as at the start of a program.
		if lines.Text() == "init" {
			used = open(which, url)
		}
		start := time.Now()
		if lines.Text() == "init" {
			check(used.Init(data))
			rows = len(data[1].Items)
		} else {
			all, err := used.GetAll(ldstoreimpl.Features())
			check(err)
			rows = len(all)
		}
		fmt.Printf("{\"wall\":%.9f,\"rows\":%d}\n", time.Since(start).Seconds(), rows)
		if used != store {
			check(used.Close())
		}
	}
}

func open(which, url string) subsystems.PersistentDataStore {
	config := aws.Config{
		BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	}
	var store subsystems.PersistentDataStore
	var err error
	if which == "native" {
		store, err = native.DataStore("flags").DynamoClient(dynamodb.NewFromConfig(config)).Build(quiet)
	} else {
		alone := flagstore.Options{NotShared: true}
		store, err = ours.DataStore("flags").ClientConfig(config).Options(alone).Build(quiet)
	}
	check(err)
	return store
}

// read takes the JSON of a data set apart as the SDK hands it to a store: each item serialized, segments first.
func read(path string) []st.SerializedCollection {
	text, err := os.ReadFile(path)
	check(err)
	var data map[string]map[string]json.RawMessage
	check(json.Unmarshal(text, &data))
	collections := []st.SerializedCollection{{Kind: ldstoreimpl.Segments()}, {Kind: ldstoreimpl.Features()}}
	for place := range collections {
		collection := &collections[place]
		for key, item := range data[collection.Kind.GetName()] {
			described := st.SerializedItemDescriptor{Version: 1, SerializedItem: item}
			collection.Items = append(collection.Items, st.KeyedSerializedItemDescriptor{Key: key, Item: described})
		}
	}
	return collections
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
