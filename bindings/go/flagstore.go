// Package flagstore is the LaunchDarkly DynamoDB feature store, through the shared library libflagstore.
//
// With the LaunchDarkly SDK, change one import and use package lddynamodb below this one:
//
//	import "github.com/flagstore/flagstore/bindings/go/lddynamodb"
//
//	config.DataStore = ldcomponents.PersistentDataStore(lddynamodb.DataStore("my-table").Prefix("production"))
//
// Without the SDK, use [Open]:
//
//	store, err := flagstore.Open(flagstore.Options{Table: "my-table", Prefix: "production"})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	flag, found, err := store.Get(ctx, "features", "my-flag")
//
// The library is loaded at the first use, without cgo: first the file that the environment variable FLAGSTORE_LIBRARY
// names, else the copy inside this package, else the system's. It runs on 64-bit Linux, with glibc or musl, macOS and Windows; a
// program that is linked statically cannot load it.
package flagstore

// Version is the version of this package. [LibraryVersion] tells the library's.
const Version = "0.1.0"
