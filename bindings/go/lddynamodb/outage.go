package lddynamodb

import (
	"context"
	"sync"
	"time"

	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/subsystems"
)

// betweenProbes is how often the SDK itself asks whether a store is back.
const betweenProbes = 500 * time.Millisecond

// outage tells the SDK's data store status what no error tells it: that DynamoDB is away although reads go on, with values
// that stand in. What it says of an outage and its end is said once, also where the SDK noticed by an error: its status
// passes on changes alone.
type outage struct {
	available func(context.Context) error
	status    subsystems.DataStoreUpdateSink
	pause     time.Duration

	mutex   sync.Mutex
	ongoing bool
	closed  context.Context
	end     context.CancelFunc
}

func newOutage(available func(context.Context) error, status subsystems.DataStoreUpdateSink) *outage {
	closed, end := context.WithCancel(context.Background())
	return &outage{available: available, status: status, pause: betweenProbes, closed: closed, end: end}
}

// saw is told of every value. Nearly always it is none that stands in, and nothing is to be done.
func (o *outage) saw(stale bool) {
	if !stale || o.status == nil {
		return
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.ongoing || o.closed.Err() != nil {
		return
	}
	o.ongoing = true
	o.status.UpdateStatus(interfaces.DataStoreStatus{Available: false})
	go o.watch()
}

// watch ends the outage when the table answers, which it does only when it has what could not be written meanwhile: nothing
// needs to be sent again.
func (o *outage) watch() {
	probes := time.NewTicker(o.pause)
	defer probes.Stop()
	for {
		select {
		case <-o.closed.Done():
			return
		case <-probes.C:
		}
		if o.available(o.closed) != nil {
			continue
		}
		o.mutex.Lock()
		defer o.mutex.Unlock()
		o.ongoing = false
		if o.closed.Err() == nil {
			o.status.UpdateStatus(interfaces.DataStoreStatus{Available: true})
		}
		return
	}
}

func (o *outage) close() { o.end() }
