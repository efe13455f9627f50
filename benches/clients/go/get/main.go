// Command get makes gets through the Go binding, the least that a cached one can cost (the emptiest call of purego, and a
// copy), or gets with the AWS SDK for Go:
//
//	get flagstore URL CACHE_TTL_MS
//	get floor LIBRARY BYTES
//	get aws URL -
//
// The protocol is that of c/blocks.h, without the time of the processor.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/ebitengine/purego"
	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// kept is where payloads go, so that the compiler does not leave out the copies.
var kept []byte

func main() {
	modes := map[string]func(string, string) func(){"flagstore": throughBinding, "floor": floor, "aws": throughSDK}
	call := modes[os.Args[1]](os.Args[2], os.Args[3])
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		count := must(strconv.Atoi(lines.Text()))
		start := time.Now()
		for range count {
			call()
		}
		fmt.Printf("{\"calls\":%d,\"wall\":%.9f}\n", count, time.Since(start).Seconds())
	}
}

func throughBinding(url, ttl string) func() {
	store := must(flagstore.Open(flagstore.Options{
		Table: "flags", Endpoint: url, Region: "us-east-1", AccessKeyID: "bench", SecretAccessKey: "bench",
		CacheTTL: time.Duration(must(strconv.Atoi(ttl))) * time.Millisecond,
	}))
	return func() {
		item, found, err := store.Get(context.Background(), "features", "flag-000000")
		if !found || err != nil {
			panic(fmt.Sprint("no flag: ", err))
		}
		kept = item.Payload
	}
}

func floor(library, bytes string) func() {
	handle := must(purego.Dlopen(library, purego.RTLD_NOW))
	empty := must(purego.Dlsym(handle, "store_abi_version"))
	payload := make([]byte, must(strconv.Atoi(bytes)))
	return func() {
		purego.SyscallN(empty)
		kept = append([]byte(nil), payload...)
	}
}

func throughSDK(url, _ string) func() {
	client := dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	request := &dynamodb.GetItemInput{
		TableName: aws.String("flags"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{
			"namespace": &types.AttributeValueMemberS{Value: "features"},
			"key":       &types.AttributeValueMemberS{Value: "flag-000000"},
		},
	}
	return func() {
		answer := must(client.GetItem(context.Background(), request))
		kept = []byte(answer.Item["item"].(*types.AttributeValueMemberS).Value)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}
