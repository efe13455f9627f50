package lddynamodb

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"reflect"
	"strings"
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

// What the library does without a store being told otherwise.
const (
	usualTimeout        = 5 * time.Second
	usualAttemptTimeout = 2 * time.Second
)

// Retryers that repeat what the library repeats, and of which only the number matters here.
var usualRetryers = map[string]bool{"aws.NopRetryer": true, "retry.Standard": true, "retry.AdaptiveMode": true}

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
	// The last of the endpoint resolvers, and by what name it was given; it is asked when the region is known.
	resolver     reflect.Value
	resolverName string
	// How often a request may be made; 0 where that is not said.
	attempts int
}

func fromClientConfig(config any, optFns []any) (flagstore.Options, error) {
	fields := reflect.Indirect(reflect.ValueOf(config))
	if !isStruct(fields, awsPackage, "Config") {
		return flagstore.Options{}, refused("ClientConfig", fmt.Sprintf("takes an aws.Config of aws-sdk-go-v2, not %T", config))
	}
	var t translation
	t.sources(fields.FieldByName("ConfigSources"))
	if len(optFns) == 0 {
		return t.done("ClientConfig", t.fields("ClientConfig", fields))
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
	return t.done("ClientConfig", t.fields("ClientConfig", options))
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
	return t.done("ClientOptions", t.fields("ClientOptions", fields))
}

// done is the options when all fields are known.
func (t *translation) done(method string, err error) (flagstore.Options, error) {
	if err != nil {
		return flagstore.Options{}, err
	}
	if t.resolver.IsValid() && t.options.Endpoint == "" {
		if why := t.resolve(); why != "" {
			return flagstore.Options{}, refused(method+": "+t.resolverName, why)
		}
	}
	t.boundTime()
	return t.options, nil
}

// boundTime gives a call no more time than so many requests would take: the library bounds its repetitions by time, and by a
// budget for all of a store's, not by number.
func (t *translation) boundTime() {
	if t.attempts <= 0 {
		return
	}
	attempt, whole := t.options.AttemptTimeout, max(t.options.Timeout, usualTimeout)
	if attempt == 0 {
		attempt = usualAttemptTimeout
	}
	// So many that their product is none is as many as one likes.
	if t.attempts < int(whole/attempt)+1 {
		t.options.Timeout = min(whole, time.Duration(t.attempts)*attempt)
	}
}

// resolve asks an endpoint resolver of any of the SDK's three kinds, once, for the endpoint of the region.
func (t *translation) resolve() (why string) {
	method := t.resolver.MethodByName("ResolveEndpoint")
	if !method.IsValid() {
		return "has no method ResolveEndpoint: set BaseEndpoint instead"
	}
	texts := []string{t.options.Region}
	if method.Type().NumIn() > 1 && method.Type().In(1).Kind() == reflect.String {
		texts = []string{"DynamoDB", t.options.Region}
	}
	var arguments []reflect.Value
	for i := range method.Type().NumIn() {
		kind := method.Type().In(i)
		switch {
		case method.Type().IsVariadic() && i == method.Type().NumIn()-1:
		case kind == reflect.TypeFor[context.Context]():
			arguments = append(arguments, reflect.ValueOf(context.Background()))
		case kind.Kind() == reflect.String && len(texts) > 0:
			arguments, texts = append(arguments, reflect.ValueOf(texts[0])), texts[1:]
		default:
			argument := reflect.New(kind).Elem()
			if kind.Kind() == reflect.Struct {
				if region := argument.FieldByName("Region"); region.IsValid() && region.Type() == reflect.TypeFor[*string]() {
					region.Set(reflect.ValueOf(&t.options.Region))
				}
			}
			arguments = append(arguments, argument)
		}
	}
	results := method.Call(arguments)
	if failed := results[len(results)-1]; !failed.IsNil() {
		if strings.HasSuffix(failed.Elem().Type().String(), "EndpointNotFoundError") {
			return "" // It leaves this one to AWS.
		}
		return fmt.Sprintf("gives no endpoint for region %q (%s): set BaseEndpoint instead", t.options.Region, failed.Elem().Type())
	}
	if text := results[0].FieldByName("URL"); text.IsValid() && text.Kind() == reflect.String {
		t.options.Endpoint = text.String()
	} else if parsed, ok := field(results[0], "URI").(url.URL); ok {
		t.options.Endpoint = parsed.String()
	}
	if region, _ := field(results[0], "SigningRegion").(string); region != "" {
		t.options.Region = region
	}
	return ""
}

// field is the value of a field, nil where there is none.
func field(of reflect.Value, name string) any {
	if value := of.FieldByName(name); value.IsValid() {
		return value.Interface()
	}
	return nil
}

// retryer takes the number of a retryer, or of a function that makes one.
func (t *translation) retryer(value reflect.Value) (why string) {
	if value.Kind() == reflect.Func {
		value = value.Call(nil)[0]
	}
	for value.Kind() == reflect.Interface && !value.IsNil() {
		value = value.Elem()
	}
	inner := reflect.Indirect(value)
	name := inner.Type().String()
	// What wraps another to change its number or its pauses repeats what that one does.
	for name == "retry.withMaxAttempts" || name == "retry.withMaxBackoffDelay" {
		inner = reflect.Indirect(inner.FieldByName("RetryerV2").Elem())
		name = inner.Type().String()
	}
	if !usualRetryers[name] {
		return "is a " + name + ", whose own rules the library cannot follow: leave it out, and set Options(flagstore.Options{Timeout: …})"
	}
	if results := value.MethodByName("MaxAttempts").Call(nil); len(results) == 1 {
		t.attempts = int(results[0].Int())
	}
	return ""
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
	case "EndpointResolver", "EndpointResolverV2", "EndpointResolverWithOptions":
		t.resolver, t.resolverName = value, name
		for t.resolver.Kind() == reflect.Interface {
			t.resolver = t.resolver.Elem()
		}
	case "RetryMaxAttempts":
		t.attempts = int(value.Int())
	case "Retryer":
		return t.retryer(value)
	case "ConfigSources": // read by sources
	case "Interceptors", "EndpointDiscovery":
		if !allEmpty(value) {
			return "has no counterpart: leave it out"
		}
	default:
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
	if t.options.AttemptTimeout > usualTimeout {
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
