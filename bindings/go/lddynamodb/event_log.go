package lddynamodb

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// eventLog hands the events of a store to the SDK's loggers, after the calls that brought them. What a logger does is the
// application's affair: that it panics changes no call, whose result is there.
type eventLog struct {
	store   *flagstore.Store
	loggers ldlog.Loggers
}

func newEventLog(store *flagstore.Store, context subsystems.ClientContext, name string) *eventLog {
	loggers := context.GetLogging().Loggers
	loggers.SetPrefix(name)
	return &eventLog{store, loggers}
}

// using says once which table it is, and by which library, so that a log tells what a program was connected to.
func (l *eventLog) using(options flagstore.Options) {
	where := "region "
	if options.Region != "" {
		where += strconv.Quote(options.Region)
	} else {
		where += "as AWS's settings say"
	}
	if shown := options.ShownEndpoint(); shown != "" {
		where = "endpoint " + shown + ", " + where
	}
	version, _ := flagstore.LibraryVersion()
	file, _ := flagstore.LibraryFile()
	l.write(ldlog.Info, fmt.Sprintf("using table %q, prefix %q, %s, libflagstore %s (%s)", options.Table, options.Prefix, where, version, file))
}

func (l *eventLog) events() {
	for event := range l.store.Events() {
		l.write(levels[event.Level], event.Message)
	}
}

func (l *eventLog) write(level ldlog.LogLevel, message string) {
	defer func() { _ = recover() }()
	l.loggers.ForLevel(level).Println(message)
}

var levels = map[slog.Level]ldlog.LogLevel{
	slog.LevelError: ldlog.Error, slog.LevelWarn: ldlog.Warn, slog.LevelInfo: ldlog.Info, slog.LevelDebug: ldlog.Debug,
}
