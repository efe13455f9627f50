package flagstore

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"time"
)

// Options say which table to use, and how. Only Table is required; a zero value means the default. The library checks
// them when a store is opened, and names the one that is wrong as it calls it, in small letters: "timeout_ms".
//
// Times are rounded up to milliseconds.
type Options struct {
	// Table is the name or ARN of the table, whose key is "namespace" (string) and "key" (string).
	Table string
	// Prefix is put before every namespace, with a colon; empty for none.
	Prefix string

	// Region is the AWS region; by default from the environment, the profile or the instance.
	Region string
	// Endpoint is the URL of another DynamoDB endpoint than AWS's for the region.
	Endpoint string
	// Profile is a profile of the AWS configuration files. It goes before credentials of the environment.
	Profile string
	// AccessKeyID and SecretAccessKey are static credentials; without them AWS's usual chain is asked.
	AccessKeyID, SecretAccessKey string
	// SessionToken goes with temporary credentials.
	SessionToken string
	// CABundle is the path of a PEM file with the certificate authorities to trust instead of the system's.
	CABundle string
	// ExtraCABundle is the path of a PEM file, or its text, with certificates to trust besides, such as those of a company's
	// proxy.
	ExtraCABundle string
	// Proxy is the URL of the proxy that DynamoDB and STS are reached through, "none" for none; by default as the
	// environment says.
	Proxy string
	// UseFIPS and UseDualStack choose variants of AWS's endpoints.
	UseFIPS, UseDualStack bool

	// EventuallyConsistentReads halves the cost of reads, which then may miss writes acknowledged just before.
	EventuallyConsistentReads bool
	// ConnectTimeout bounds the opening of one connection. Default one second.
	ConnectTimeout time.Duration
	// AttemptTimeout bounds one request, of perhaps several. Default two seconds.
	AttemptTimeout time.Duration
	// Timeout bounds a call on one row, retries included. Default five seconds.
	Timeout time.Duration
	// AllTimeout bounds [Store.All]. Default 30 seconds.
	AllTimeout time.Duration
	// InitTimeout bounds [Store.Init] and [Store.InitJSON]. Default five minutes.
	InitTimeout time.Duration
	// MaxConnections is the number of requests that may be in flight, and so of connections, 1 to 10,000; further ones
	// wait inside their deadline. It is never more than a quarter of the files that the process may open. Default 128.
	MaxConnections int
	// WriteConcurrency is the number of writes of an init that may be in flight, 1 to 1,000. Default 128.
	WriteConcurrency int
	// InitOverwritesNewer lets an init replace rows whose stored version is newer than the data set's.
	InitOverwritesNewer bool

	// CacheTTL is how long a value is served without asking; 0 for no cache, negative for ever.
	CacheTTL time.Duration
	// CacheMaxBytes bounds the cached rows. Default 64 MiB.
	CacheMaxBytes int64
	// NoCacheRefreshAhead has hot values expire rather than be read again shortly before.
	NoCacheRefreshAhead bool
	// CacheStale is how long after its expiry a value may stand in for a read that fails; negative for never.
	// Default five minutes.
	CacheStale time.Duration
	// SoftWait is how long a read for which a value may stand in waits for DynamoDB; the request goes on, and its
	// answer is kept. Negative for not at all. Default 250 milliseconds.
	SoftWait time.Duration

	// KeepTold keeps what Init and Upsert were given: it stands in while DynamoDB does not answer, and what could not be
	// written is written later. It costs about as much memory as the data set.
	KeepTold bool
	// CacheDir is a folder that all processes of the host share as a cache, which survives restarts and stands in while
	// DynamoDB does not answer. It is made if it is missing, private to the user.
	CacheDir string
	// CacheDirMaxBytes bounds the files of CacheDir. Default 256 MiB.
	CacheDirMaxBytes int64
	// CompressLarge stores an item that is over DynamoDB's 400 KB deflated, where only this library sees it.
	CompressLarge bool

	// NotShared gives the store connections, cache and events of its own. By default opening equal options again
	// gives the same live store.
	NotShared bool
	// Persistent keeps connections and cache when the last store on them is closed.
	Persistent bool
	// LogLevel is the least severe events that are kept: off, error, warn, info (the default) or debug.
	LogLevel string
}

// String shows the options that are set, without anything secret.
func (o Options) String() string {
	var text strings.Builder
	for _, option := range o.shown() {
		fmt.Fprintf(&text, "%s=%s ", option.Key, option.Value)
	}
	return "{" + strings.TrimSuffix(text.String(), " ") + "}"
}

// GoString is String: what is printed with %#v shows no more.
func (o Options) GoString() string { return "flagstore.Options" + o.String() }

// LogValue is what package slog writes: the options that are set, without anything secret.
func (o Options) LogValue() slog.Value { return slog.GroupValue(o.shown()...) }

// shown are the options that are set, in the order of the fields. Of credentials it says that they are set, of a URL not who
// logs in.
func (o Options) shown() []slog.Attr {
	var shown []slog.Attr
	fields := reflect.ValueOf(o)
	for i := range fields.NumField() {
		name, value := fields.Type().Field(i).Name, fields.Field(i)
		switch {
		case value.IsZero():
		case secret[name]:
			shown = append(shown, slog.String(name, "(set)"))
		case name == "Endpoint":
			shown = append(shown, slog.String(name, o.ShownEndpoint()))
		case name == "Proxy" && o.Proxy != "none":
			shown = append(shown, slog.String(name, withoutUser(o.Proxy)))
		default:
			shown = append(shown, slog.Any(name, value.Interface()))
		}
	}
	return shown
}

// ShownEndpoint is Endpoint without the user and password that it may hold.
func (o Options) ShownEndpoint() string {
	if o.Endpoint == "" {
		return ""
	}
	return withoutUser(o.Endpoint)
}

var secret = map[string]bool{"AccessKeyID": true, "SecretAccessKey": true, "SessionToken": true}

// withoutUser is a URL without the user and password that it may hold; what is no URL may hold anything.
func withoutUser(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" {
		return "(not a URL)"
	}
	return (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String()
}

func (o Options) json() []byte {
	options := map[string]any{"table": o.Table}
	set := func(name string, given bool, value any) {
		if given {
			options[name] = value
		}
	}
	texts := map[string]string{
		"prefix": o.Prefix, "region": o.Region, "endpoint": o.Endpoint, "profile": o.Profile,
		"access_key_id": o.AccessKeyID, "secret_access_key": o.SecretAccessKey, "session_token": o.SessionToken,
		"ca_bundle": o.CABundle, "extra_ca_bundle": o.ExtraCABundle, "proxy": o.Proxy, "log_level": o.LogLevel, "cache_dir": o.CacheDir,
	}
	for name, text := range texts {
		set(name, text != "", text)
	}
	times := map[string]time.Duration{
		"connect_timeout_ms": o.ConnectTimeout, "attempt_timeout_ms": o.AttemptTimeout, "timeout_ms": o.Timeout,
		"all_timeout_ms": o.AllTimeout, "init_timeout_ms": o.InitTimeout, "cache_ttl_ms": o.CacheTTL,
	}
	for name, time := range times {
		set(name, time != 0, milliseconds(time))
	}
	set("cache_stale_ms", o.CacheStale != 0, max(0, milliseconds(o.CacheStale)))
	set("soft_wait_ms", o.SoftWait != 0, max(0, milliseconds(o.SoftWait)))
	set("use_fips", o.UseFIPS, true)
	set("use_dual_stack", o.UseDualStack, true)
	set("consistent_reads", o.EventuallyConsistentReads, false)
	set("max_connections", o.MaxConnections != 0, o.MaxConnections)
	set("write_concurrency", o.WriteConcurrency != 0, o.WriteConcurrency)
	set("init_overwrites_newer", o.InitOverwritesNewer, true)
	set("cache_max_bytes", o.CacheMaxBytes != 0, o.CacheMaxBytes)
	set("cache_dir_max_bytes", o.CacheDirMaxBytes != 0, o.CacheDirMaxBytes)
	set("keep_told", o.KeepTold, true)
	set("compress_large", o.CompressLarge, true)
	set("cache_refresh_ahead", o.NoCacheRefreshAhead, false)
	set("shared", o.NotShared, false)
	set("persistent", o.Persistent, true)
	text, err := json.Marshal(options)
	if err != nil {
		panic(err) // Strings, numbers and booleans have a JSON form.
	}
	return text
}

// milliseconds rounds away from zero: 0 would mean something else.
func milliseconds(time time.Duration) int64 {
	const unit = 1_000_000
	switch {
	case time > 0:
		return (int64(time)-1)/unit + 1
	case time < 0:
		return -((-int64(time)-1)/unit + 1)
	}
	return 0
}
