package lddynamodb_test

import (
	"fmt"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/lddynamodb"
)

func ExampleDataStore() {
	store := lddynamodb.DataStore("my-table").Prefix("production").Options(flagstore.Options{
		Region: "eu-west-1", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hidden", Timeout: 2 * time.Second,
	})
	config := ld.Config{DataStore: ldcomponents.PersistentDataStore(store).CacheSeconds(30)}
	fmt.Println(config.DataStore != nil)
	// What is printed of it holds no secret.
	fmt.Println(store)
	// Output:
	// true
	// lddynamodb.StoreBuilder{Table=my-table Prefix=production Region=eu-west-1 AccessKeyID=(set) SecretAccessKey=(set) Timeout=2s KeepTold=true}
}
