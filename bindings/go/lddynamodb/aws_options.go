package lddynamodb

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"reflect"
	"time"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// The structs of aws-sdk-go-v2 are read by the names of their fields, so that a program which does not use that SDK need
// not carry it. What has no counterpart is refused: an option that was silently left out would be missed in production.

const (
	awsPackage      = "github.com/aws/aws-sdk-go-v2/aws"
	dynamodbPackage = "github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// Fields that change neither what is stored nor where.
var ignored = map[string]bool{
	"AccountIDEndpointMode": true, "AppID": true, "BearerAuthTokenProvider": true, "ClientLogMode": true, "DefaultsMode": true,
	"DisableClockSkewCorrection": true, "DisableRequestCompression": true, "DisableValidateResponseChecksum": true,
	"EnableAcceptEncodingGzip": true, "Logger": true, "RequestChecksumCalculation": true, "RequestMinCompressSizeBytes": true,
	"ResponseChecksumValidation": true, "RestrictFilePermissions": true, "RetryMode": true, "RuntimeEnvironment": true,
}

var instead = map[string]string{
	"EndpointResolver":            "cannot be called by the library: set BaseEndpoint instead",
	"EndpointResolverV2":          "cannot be called by the library: set BaseEndpoint instead",
	"EndpointResolverWithOptions": "cannot be called by the library: set BaseEndpoint instead",
	"RetryMaxAttempts":            "is decided by time, not by number: leave it out, and set Options(flagstore.Options{Timeout: …})",
	"Retryer":                     "is decided by time, not by number: leave it out, and set Options(flagstore.Options{Timeout: …})",
}

// Credentials that config.LoadDefaultConfig finds and the library, which looks in the same places, finds too.
var foundByBoth = map[string]bool{
	"ec2rolecreds.Provider": true, "endpointcreds.Provider": true, "processcreds.Provider": true, "ssocreds.Provider": true,
	"stscreds.WebIdentityRoleProvider": true,
}

// translation collects options of the store out of fields.
type translation struct {
	options flagstore.Options
	// Whether the fields come from config.LoadDefaultConfig.
	loaded bool
}

func fromClientConfig(config any, optFns []any) (flagstore.Options, error) {
	fields := reflect.Indirect(reflect.ValueOf(config))
	if !isStruct(fields, awsPackage, "Config") {
		return flagstore.Options{}, refused("ClientConfig", fmt.Sprintf("takes an aws.Config of aws-sdk-go-v2, not %T", config))
	}
	var t translation
	t.sources(fields.FieldByName("ConfigSources"))
	if len(optFns) == 0 {
		return t.options, t.fields("ClientConfig", fields)
	}
	first := reflect.TypeOf(optFns[0])
	if first == nil || first.Kind() != reflect.Func || first.NumIn() != 1 || first.In(0).Kind() != reflect.Pointer {
		return flagstore.Options{}, refused("ClientConfig", fmt.Sprintf("takes functions of the type func(*dynamodb.Options), not %T", optFns[0]))
	}
	// The functions see what the SDK would show them, and may change it.
	options := reflect.New(first.In(0).Elem()).Elem()
	rest := reflect.New(fields.Type()).Elem()
	rest.Set(fields)
	if options.Kind() == reflect.Struct {
		for i := range fields.NumField() {
			name := fields.Type().Field(i).Name
			if to := options.FieldByName(name); to.IsValid() && fields.Field(i).Type().AssignableTo(to.Type()) {
				to.Set(fields.Field(i))
				rest.Field(i).SetZero()
			}
		}
	}
	if err := apply("ClientConfig", options, optFns); err != nil {
		return flagstore.Options{}, err
	}
	if err := t.fields("ClientConfig", rest); err != nil {
		return flagstore.Options{}, err
	}
	return t.options, t.fields("ClientConfig", options)
}

func fromClientOptions(options any, optFns []any) (flagstore.Options, error) {
	given := reflect.Indirect(reflect.ValueOf(options))
	if !isStruct(given, dynamodbPackage, "Options") {
		return flagstore.Options{}, refused("ClientOptions", fmt.Sprintf("takes a dynamodb.Options of aws-sdk-go-v2, not %T", options))
	}
	fields := reflect.New(given.Type()).Elem()
	fields.Set(given)
	if err := apply("ClientOptions", fields, optFns); err != nil {
		return flagstore.Options{}, err
	}
	var t translation
	return t.options, t.fields("ClientOptions", fields)
}

// apply calls the functions on a dynamodb.Options.
func apply(method string, options reflect.Value, optFns []any) error {
	for _, function := range optFns {
		call := reflect.ValueOf(function)
		if call.Kind() != reflect.Func || call.Type().NumIn() != 1 || call.Type().In(0) != options.Addr().Type() ||
			!isStruct(options, dynamodbPackage, "Options") {
			return refused(method, fmt.Sprintf("takes functions of the type func(*dynamodb.Options), not %T", function))
		}
		call.Call([]reflect.Value{options.Addr()})
	}
	return nil
}

func (t *translation) fields(method string, fields reflect.Value) error {
	for i := range fields.NumField() {
		field, value := fields.Type().Field(i), fields.Field(i)
		if !field.IsExported() || value.IsZero() || ignored[field.Name] {
			continue
		}
		if why := t.field(field.Name, value); why != "" {
			return refused(method+": "+field.Name, why)
		}
	}
	return nil
}

// field translates one field, or says why it cannot.
func (t *translation) field(name string, value reflect.Value) (why string) {
	switch name {
	case "Region":
		t.options.Region = value.String()
	case "BaseEndpoint":
		t.options.Endpoint = value.Elem().String()
	case "Credentials":
		return t.credentials(value.Elem())
	case "HTTPClient":
		return t.httpClient(value.Elem())
	case "EndpointOptions":
		return t.endpointOptions(value)
	case "ConfigSources": // read by sources
	case "Interceptors", "EndpointDiscovery":
		if !allEmpty(value) {
			return "has no counterpart: leave it out"
		}
	default:
		if why := instead[name]; why != "" {
			return why
		}
		// Slices that are there and empty say nothing.
		if value.Kind() == reflect.Slice && value.Len() == 0 {
			return ""
		}
		return "has no counterpart: leave it out, or set an option of the store in Options(flagstore.Options{…})"
	}
	return ""
}

// sources reads what config.LoadDefaultConfig was told and no other field shows.
func (t *translation) sources(sources reflect.Value) {
	for i := range sources.Len() {
		source := reflect.Indirect(sources.Index(i).Elem())
		if source.Kind() == reflect.Struct && source.Type().Name() == "LoadOptions" {
			t.loaded = true
			t.options.Profile = source.FieldByName("SharedConfigProfile").String()
		}
	}
}

func (t *translation) credentials(provider reflect.Value) (why string) {
	inner := provider
	if reflect.Indirect(provider).Type().Name() == "CredentialsCache" {
		inner = reflect.Indirect(provider).FieldByName("provider").Elem()
	}
	kind := reflect.Indirect(inner).Type()
	name := path.Base(kind.PkgPath()) + "." + kind.Name()
	if name == "credentials.StaticCredentialsProvider" {
		results := provider.MethodByName("Retrieve").Call([]reflect.Value{reflect.ValueOf(context.Background())})
		if !results[1].IsNil() {
			return "are static and empty: give a key and its secret"
		}
		t.options.AccessKeyID = results[0].FieldByName("AccessKeyID").String()
		t.options.SecretAccessKey = results[0].FieldByName("SecretAccessKey").String()
		t.options.SessionToken = results[0].FieldByName("SessionToken").String()
		t.options.Profile = ""
		return ""
	}
	if t.loaded && foundByBoth[name] {
		return ""
	}
	return "are a " + name + ", which the library cannot call: leave them out, and it asks the environment, the profile " +
		"(Options(flagstore.Options{Profile: …}), which may assume a role) and the instance; or give static ones"
}

func (t *translation) httpClient(client reflect.Value) (why string) {
	var transport any
	switch used := client.Interface().(type) {
	case *http.Client:
		t.options.AttemptTimeout, transport = used.Timeout, used.Transport
	case interface { // *awshttp.BuildableClient
		GetTimeout() time.Duration
		GetTransport() *http.Transport
	}:
		t.options.AttemptTimeout, transport = used.GetTimeout(), used.GetTransport()
	default:
		transport = used
	}
	// config.LoadDefaultConfig has read this bundle into the client.
	bundle := os.Getenv("AWS_CA_BUNDLE")
	if t.loaded {
		t.options.CABundle = bundle
	}
	if transport != nil && !isUsual(transport, t.loaded && bundle != "") {
		return "sends requests in its own way, which the library cannot use: leave it out, or set CABundle and the timeouts " +
			"in Options(flagstore.Options{…})"
	}
	// A request that is given longer than a whole call would be cut short.
	if t.options.AttemptTimeout > 5*time.Second {
		t.options.Timeout = t.options.AttemptTimeout
	}
	return ""
}

// isUsual tells whether a transport checks certificates, but for the authorities where those are known, and takes proxies
// as by default.
func isUsual(transport any, authoritiesKnown bool) bool {
	used, ok := transport.(*http.Transport)
	if !ok {
		return false
	}
	if tls := used.TLSClientConfig; tls != nil && (tls.RootCAs != nil && !authoritiesKnown || tls.InsecureSkipVerify || len(tls.Certificates) > 0) {
		return false
	}
	return used.Proxy == nil || reflect.ValueOf(used.Proxy).Pointer() == reflect.ValueOf(http.ProxyFromEnvironment).Pointer()
}

func (t *translation) endpointOptions(options reflect.Value) (why string) {
	const enabled = 1
	if options.FieldByName("DisableHTTPS").Bool() {
		return "has DisableHTTPS: set a BaseEndpoint that starts with http:// instead"
	}
	t.options.UseFIPS = options.FieldByName("UseFIPSEndpoint").Uint() == enabled
	t.options.UseDualStack = options.FieldByName("UseDualStackEndpoint").Uint() == enabled
	return ""
}

func allEmpty(fields reflect.Value) bool {
	for i := range fields.NumField() {
		if value := fields.Field(i); !value.IsZero() && (value.Kind() != reflect.Slice || value.Len() > 0) {
			return false
		}
	}
	return true
}

func isStruct(value reflect.Value, pkg, name string) bool {
	return value.Kind() == reflect.Struct && value.Type().PkgPath() == pkg && value.Type().Name() == name
}

// merged is the options with what they leave open taken from others.
func merged(options, others flagstore.Options) flagstore.Options {
	fields, from := reflect.ValueOf(&options).Elem(), reflect.ValueOf(others)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			fields.Field(i).Set(from.Field(i))
		}
	}
	return options
}

// refused never quotes a value: it may be a credential.
func refused(name, why string) error {
	return fmt.Errorf("lddynamodb: %s %s", name, why)
}
