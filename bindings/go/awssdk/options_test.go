// Package awssdk tests what package lddynamodb makes of the options of aws-sdk-go-v2.
package awssdk

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
	"github.com/flagstore/flagstore/bindings/go/lddynamodb"
)

type (
	builder = lddynamodb.StoreBuilder[subsystems.PersistentDataStore]
	given   = func(*builder) *builder
)

func TestMain(m *testing.M) {
	endpoint.UseReleaseBuild()
	// Nothing of the machine's own, for either SDK.
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_CA_BUNDLE": "",
	} {
		_ = os.Setenv(name, value)
	}
	os.Exit(m.Run())
}

func build(configured *builder) (subsystems.PersistentDataStore, error) {
	return configured.Build(subsystems.BasicClientContext{})
}

var static = credentials.NewStaticCredentialsProvider("AKID", endpoint.Secret, "token")

// server tells the headers of the requests that it gets, and answers as an empty table.
func server(t *testing.T) (url string, requests chan http.Header) {
	requests = make(chan http.Header, 100)
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		requests <- request.Header
		response.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = response.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// Endpoint, region and credentials are where the request went, what it was signed for, and by whom.
func TestOptionsThatCross(t *testing.T) {
	url, requests := server(t)
	loaded := func(options ...func(*config.LoadOptions) error) aws.Config {
		loaded, err := config.LoadDefaultConfig(context.Background(), options...)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	elsewhere := func(o *dynamodb.Options) { o.BaseEndpoint, o.Region = &url, "eu-north-1" }
	for name, test := range map[string]struct {
		given  given
		region string
	}{
		"ClientOptions": {func(b *builder) *builder {
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static})
		}, "eu-west-1"},
		"ClientOptions and functions": {func(b *builder) *builder {
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-1", Credentials: static}, elsewhere)
		}, "eu-north-1"},
		"ClientOptions with a timeout": {func(b *builder) *builder {
			client := &http.Client{Timeout: 10 * time.Second}
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static, HTTPClient: client})
		}, "eu-west-1"},
		"ClientConfig": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static})
		}, "eu-west-1"},
		"ClientConfig and functions": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{Region: "eu-west-1", Credentials: static}, elsewhere)
		}, "eu-north-1"},
		"ClientConfig as it is loaded": {func(b *builder) *builder {
			return b.ClientConfig(loaded(config.WithRegion("eu-west-1"), config.WithCredentialsProvider(static), config.WithBaseEndpoint(url)))
		}, "eu-west-1"},
		"ClientConfig as it is loaded, and functions": {func(b *builder) *builder {
			return b.ClientConfig(loaded(config.WithRegion("eu-west-1"), config.WithCredentialsProvider(static)), elsewhere)
		}, "eu-north-1"},
		"ClientConfig as it is loaded with a bundle of authorities": {func(b *builder) *builder {
			t.Setenv("AWS_CA_BUNDLE", authorities(t))
			return b.ClientConfig(loaded(config.WithRegion("eu-west-1"), config.WithCredentialsProvider(static), config.WithBaseEndpoint(url)))
		}, "eu-west-1"},
		"a resolver of the first kind": {func(b *builder) *builder {
			resolver := dynamodb.EndpointResolverFunc(func(region string, _ dynamodb.EndpointResolverOptions) (aws.Endpoint, error) {
				return aws.Endpoint{URL: url, SigningRegion: region + "1"}, nil
			})
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-", Credentials: static, EndpointResolver: resolver})
		}, "eu-west-1"},
		"a resolver of a config": {func(b *builder) *builder {
			resolver := aws.EndpointResolverWithOptionsFunc(func(service, region string, _ ...any) (aws.Endpoint, error) {
				if service != dynamodb.ServiceID || region != "eu-west-1" {
					return aws.Endpoint{}, errors.New("not for this")
				}
				return aws.Endpoint{URL: url}, nil
			})
			return b.ClientConfig(aws.Config{Region: "eu-west-1", Credentials: static, EndpointResolverWithOptions: resolver})
		}, "eu-west-1"},
		"a resolver of the second kind": {func(b *builder) *builder {
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-1", Credentials: static, EndpointResolverV2: second{url}})
		}, "eu-west-1"},
		"a resolver that knows nothing, and an endpoint": {func(b *builder) *builder {
			resolver := aws.EndpointResolverWithOptionsFunc(func(string, string, ...any) (aws.Endpoint, error) {
				return aws.Endpoint{}, &aws.EndpointNotFoundError{}
			})
			return b.ClientConfig(aws.Config{Region: "eu-west-1", Credentials: static, EndpointResolverWithOptions: resolver}, func(o *dynamodb.Options) {
				o.BaseEndpoint = &url
			})
		}, "eu-west-1"},
		"a number of attempts and a retryer": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static, RetryMaxAttempts: 4,
				Retryer: func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 5) }})
		}, "eu-west-1"},
		"Options win": {func(b *builder) *builder {
			return b.ClientOptions(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static}).
				Options(flagstore.Options{Region: "eu-south-1"})
		}, "eu-south-1"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := build(test.given(lddynamodb.DataStore("flags").Prefix(name)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			if !store.IsStoreAvailable() {
				t.Fatal("not available")
			}
			headers := <-requests
			if signature := headers.Get("Authorization"); !strings.Contains(signature, "Credential=AKID/") || !strings.Contains(signature, "/"+test.region+"/dynamodb/") {
				t.Error(signature)
			}
			if token := headers.Get("X-Amz-Security-Token"); token != "token" {
				t.Error(token)
			}
		})
	}
}

// authorities is a file with a certificate made for this test.
func authorities(t *testing.T) string {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	path := t.TempDir() + "/authorities.pem"
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Credentials that both SDKs find by themselves are found by the library, in the profile that was asked for.
func TestAProfileIsLeftToTheLibrary(t *testing.T) {
	url, requests := server(t)
	file := t.TempDir() + "/config"
	// A process gives the credentials, so that nothing static can be translated.
	text := "[profile chosen]\nregion = eu-west-1\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	loaded, err := config.LoadDefaultConfig(context.Background(), config.WithSharedConfigProfile("chosen"), config.WithBaseEndpoint(url))
	if err != nil {
		t.Fatal(err)
	}
	store, err := build(lddynamodb.DataStore("flags").ClientConfig(loaded))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	if !store.IsStoreAvailable() {
		t.Fatal("not available")
	}
	if signature := (<-requests).Get("Authorization"); !strings.Contains(signature, "Credential=PROCESS/") {
		t.Error(signature)
	}
}

// second is an endpoint resolver of the second kind.
type second struct{ url string }

func (s second) ResolveEndpoint(_ context.Context, asked dynamodb.EndpointParameters) (smithyendpoints.Endpoint, error) {
	if asked.Region == nil || *asked.Region != "eu-west-1" {
		return smithyendpoints.Endpoint{}, errors.New("not for this")
	}
	parsed, err := neturl.Parse(s.url)
	return smithyendpoints.Endpoint{URI: *parsed}, err
}

// A number of attempts is a bound of the time: so many times what one may take.
func TestANumberOfAttemptsBoundsTheTime(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	url := "http://" + listener.Addr().String()
	client := awshttp.NewBuildableClient().WithTimeout(100 * time.Millisecond)
	for name, change := range map[string]func(*dynamodb.Options){
		"a number": func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }, "none": func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} },
	} {
		options := dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static, HTTPClient: client}
		change(&options)
		store, err := build(lddynamodb.DataStore("flags").ClientOptions(options).Options(flagstore.Options{NotShared: true}))
		if err != nil {
			t.Fatal(err)
		}
		if store.IsStoreAvailable() {
			t.Errorf("%s: available", name)
		}
		_ = store.Close()
		if tries := accepted(listener); tries != 1 {
			t.Errorf("%s: %d tries", name, tries)
		}
	}
}

func TestATimeoutOfTheClientIsOneOfEachRequest(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	url := "http://" + listener.Addr().String()
	client := awshttp.NewBuildableClient().WithTimeout(50 * time.Millisecond)
	store, err := build(lddynamodb.DataStore("flags").
		ClientOptions(dynamodb.Options{Region: "eu-west-1", BaseEndpoint: &url, Credentials: static, HTTPClient: client}).
		Options(flagstore.Options{Timeout: 2 * time.Second, NotShared: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	// With the default of two seconds for each request there would be one.
	if store.IsStoreAvailable() {
		t.Error("available")
	}
	if tries := accepted(listener); tries < 3 {
		t.Errorf("%d tries", tries)
	}
}

// accepted counts the connections that wait to be accepted.
func accepted(listener net.Listener) (count int) {
	_ = listener.(*net.TCPListener).SetDeadline(time.Now().Add(time.Second))
	for {
		connection, err := listener.Accept()
		if err != nil {
			return count
		}
		_ = connection.Close()
		count++
	}
}

type ownProvider struct{}

func (ownProvider) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: endpoint.Secret}, nil
}

type ownRetryer struct{ aws.NopRetryer }

type ownTransport struct{ http.RoundTripper }

func TestOptionsThatDoNotCrossAreRefusedByName(t *testing.T) {
	options := func(change func(*dynamodb.Options)) given {
		return func(b *builder) *builder {
			options := dynamodb.Options{Region: "eu-west-1", Credentials: static}
			change(&options)
			return b.ClientOptions(options)
		}
	}
	for name, test := range map[string]struct {
		given          given
		named, instead string
	}{
		"a client":                   {func(b *builder) *builder { return b.DynamoClient(dynamodb.New(dynamodb.Options{})) }, "DynamoClient", "ClientOptions instead"},
		"something else as options":  {func(b *builder) *builder { return b.ClientOptions(aws.Config{}) }, "ClientOptions", "not aws.Config"},
		"something else as a config": {func(b *builder) *builder { return b.ClientConfig(5) }, "ClientConfig", "not int"},
		"nothing as a config":        {func(b *builder) *builder { return b.ClientConfig(nil) }, "ClientConfig", "takes an aws.Config"},
		"something else as a function": {func(b *builder) *builder {
			return b.ClientOptions(dynamodb.Options{}, func(*config.LoadOptions) {})
		}, "ClientOptions", "func(*dynamodb.Options)"},
		"something else as a function of a config": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{}, func(*config.LoadOptions) {})
		}, "ClientConfig", "func(*dynamodb.Options)"},
		"a provider": {options(func(o *dynamodb.Options) { o.Credentials = ownProvider{} }), "ClientOptions: Credentials", "give static ones"},
		"a cached provider": {options(func(o *dynamodb.Options) { o.Credentials = aws.NewCredentialsCache(ownProvider{}) }),
			"ClientOptions: Credentials", "awssdk.ownProvider"},
		"no credentials": {options(func(o *dynamodb.Options) { o.Credentials = aws.AnonymousCredentials{} }), "ClientOptions: Credentials", "give static ones"},
		"a retryer":      {options(func(o *dynamodb.Options) { o.Retryer = ownRetryer{} }), "ClientOptions: Retryer", "Timeout"},
		"a resolver that fails": {options(func(o *dynamodb.Options) {
			o.EndpointResolver = dynamodb.EndpointResolverFunc(func(string, dynamodb.EndpointResolverOptions) (aws.Endpoint, error) {
				return aws.Endpoint{}, errors.New(endpoint.Secret)
			})
		}), "ClientOptions: EndpointResolver", "BaseEndpoint"},
		"a transport": {options(func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: ownTransport{}} }), "ClientOptions: HTTPClient", "CABundle"},
		"a buildable transport": {options(func(o *dynamodb.Options) {
			o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
				transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // It is refused.
			})
		}), "ClientOptions: HTTPClient", "CABundle"},
		"no TLS": {options(func(o *dynamodb.Options) { o.EndpointOptions.DisableHTTPS = true }), "ClientOptions: EndpointOptions", "http://"},
		"middleware": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{Region: "eu-west-1"}, func(o *dynamodb.Options) {
				o.APIOptions = append(o.APIOptions, nil)
			})
		}, "ClientConfig: APIOptions", "leave it out"},
		"service options": {func(b *builder) *builder {
			return b.ClientConfig(aws.Config{ServiceOptions: []func(string, any){nil}})
		}, "ClientConfig: ServiceOptions", "leave it out"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := build(test.given(lddynamodb.DataStore("flags")))
			if err == nil {
				t.Fatal("it is taken")
			}
			if text := err.Error(); !strings.HasPrefix(text, "lddynamodb: "+test.named+" ") || !strings.Contains(text, test.instead) || strings.Contains(text, endpoint.Secret) {
				t.Error(text)
			}
		})
	}
}

func TestEndpointVariantsReachTheLibrary(t *testing.T) {
	url, requests := server(t)
	enabled := dynamodb.EndpointResolverOptions{UseFIPSEndpoint: aws.FIPSEndpointStateEnabled}
	store, err := build(lddynamodb.DataStore("flags").Options(flagstore.Options{Timeout: 200 * time.Millisecond}).
		ClientOptions(dynamodb.Options{Region: "us-east-1", Credentials: static, BaseEndpoint: &url, EndpointOptions: enabled}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	// AWS has no FIPS variant of an endpoint that is given: the library, told of both, asks nobody.
	if store.IsStoreAvailable() || len(requests) > 0 {
		t.Error("the variant is lost")
	}
}
