// Package lddynamodb has the stores of the LaunchDarkly SDK, in place of the SDK's own DynamoDB integration. Change the
// import and nothing else:
//
//	import lddynamodb "github.com/flagstore/flagstore/bindings/go/lddynamodb" // was: github.com/launchdarkly/go-server-sdk-dynamodb/v4
//
//	config.DataStore = ldcomponents.PersistentDataStore(lddynamodb.DataStore("my-table").Prefix("production"))
//	config.BigSegments = ldcomponents.BigSegments(lddynamodb.BigSegmentStore("my-table").Prefix("production"))
//
// Same table, same rows: processes with either integration share a table.
package lddynamodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// StoreBuilder configures a store. It is given to ldcomponents.PersistentDataStore or ldcomponents.BigSegments, and T is
// what that takes.
type StoreBuilder[T any] struct {
	options    flagstore.Options
	table      string
	prefix     string
	translated flagstore.Options
	refused    error
	keepsTold  bool
	wrap       func(*flagstore.Store, flagstore.Options, subsystems.ClientContext) T
}

// DataStore configures a store of flags and segments in a table, which must exist when it is used first; its key is
// "namespace" (string) and "key" (string).
func DataStore(tableName string) *StoreBuilder[subsystems.PersistentDataStore] {
	return &StoreBuilder[subsystems.PersistentDataStore]{table: tableName, keepsTold: true, wrap: newDataStore}
}

// BigSegmentStore configures a store of big segments in such a table.
func BigSegmentStore(tableName string) *StoreBuilder[subsystems.BigSegmentStore] {
	return &StoreBuilder[subsystems.BigSegmentStore]{table: tableName, wrap: newBigSegmentStore}
}

// Prefix is put before every namespace of the store, with a colon; empty for none.
func (b *StoreBuilder[T]) Prefix(prefix string) *StoreBuilder[T] {
	b.prefix = prefix
	return b
}

// Options are options of the store itself. They win over what ClientConfig and ClientOptions say; their Table and Prefix
// are the builder's.
func (b *StoreBuilder[T]) Options(options flagstore.Options) *StoreBuilder[T] {
	b.options = options
	return b
}

// KeepTold is whether the store keeps what the SDK gives it, which then stands in while DynamoDB does not answer, and is written
// when it does again: see flagstore.Options. It is on for a [DataStore], where it costs about as much memory as the flags; in
// daemon mode nothing is given and nothing kept.
func (b *StoreBuilder[T]) KeepTold(keep bool) *StoreBuilder[T] {
	b.keepsTold = keep
	return b
}

// String shows what is set, without anything secret.
func (b StoreBuilder[T]) String() string { return "lddynamodb.StoreBuilder" + b.merged().String() }

// GoString is String: what is printed with %#v shows no more.
func (b StoreBuilder[T]) GoString() string { return b.String() }

// LogValue is what package slog writes: what is set, without anything secret.
func (b StoreBuilder[T]) LogValue() slog.Value { return b.merged().LogValue() }

// merged is what the store is opened with.
func (b StoreBuilder[T]) merged() flagstore.Options {
	options := merged(b.options, b.translated)
	options.Table, options.Prefix = b.table, b.prefix
	options.KeepTold = options.KeepTold || b.keepsTold
	return options
}

// ClientConfig takes an aws.Config of aws-sdk-go-v2 and functions of the type func(*dynamodb.Options). What is said
// about [StoreBuilder.ClientOptions] holds here too. In addition, credentials that config.LoadDefaultConfig found are
// left to the library, which looks in the same places; a profile that it was given is used there.
func (b *StoreBuilder[T]) ClientConfig(config any, optFns ...any) *StoreBuilder[T] {
	b.translated, b.refused = fromClientConfig(config, optFns)
	return b
}

// ClientOptions takes a dynamodb.Options of aws-sdk-go-v2 and functions of the type func(*dynamodb.Options).
//
// They are read, not used, and this package does not depend on that SDK. Region, BaseEndpoint, static Credentials, the
// endpoint variants of EndpointOptions, and the timeout of an HTTPClient are translated. A field that would change what
// is asked of DynamoDB and cannot be translated is refused by its name when the store is built, and the error says what
// to do.
func (b *StoreBuilder[T]) ClientOptions(options any, optFns ...any) *StoreBuilder[T] {
	b.translated, b.refused = fromClientOptions(options, optFns)
	return b
}

// DynamoClient is here so that programs that use it build. A client cannot be translated: the store is refused when it is
// built, with an error that says what to do.
func (b *StoreBuilder[T]) DynamoClient(any) *StoreBuilder[T] {
	b.refused = refused("DynamoClient", "takes a client that cannot be used from outside of Go: give what it was made from to "+
		"ClientConfig or ClientOptions instead")
	return b
}

// Doctor looks at everything between this process and its flags with the options of this builder, says what is wrong and what to
// do about it: see [flagstore.Doctor]. It fails as Build does, or with the context's error.
func (b *StoreBuilder[T]) Doctor(ctx context.Context) (flagstore.Report, error) {
	options, err := b.accepted()
	if err != nil {
		return flagstore.Report{}, err
	}
	return flagstore.Doctor(ctx, options)
}

// accepted is what the store is opened with, or why it cannot be.
func (b *StoreBuilder[T]) accepted() (flagstore.Options, error) {
	if b.table == "" {
		return flagstore.Options{}, errors.New("table name is required")
	}
	return b.merged(), b.refused
}

// Build opens the store. The SDK calls it. It does no network I/O.
func (b *StoreBuilder[T]) Build(context subsystems.ClientContext) (T, error) {
	var none T
	options, err := b.accepted()
	if err != nil {
		return none, err
	}
	store, err := flagstore.Open(options)
	if err != nil {
		return none, fmt.Errorf("cannot open the DynamoDB store: %w", err)
	}
	return b.wrap(store, options, context), nil
}

// DescribeConfiguration tells the SDK's diagnostics which kind of store this is.
func (b *StoreBuilder[T]) DescribeConfiguration(subsystems.ClientContext) ldvalue.Value {
	return ldvalue.String("DynamoDB")
}
