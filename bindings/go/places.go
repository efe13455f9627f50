package flagstore

import "sync"

// places is what one call writes to.
type places struct {
	item      cItem
	failure   cError
	arguments [7]uintptr
	kind, key *byte
}

var spare = sync.Pool{New: func() any { return new(places) }}

func borrow() *places { return spare.Get().(*places) }

func (p *places) giveBack() {
	p.kind, p.key = nil, nil
	spare.Put(p)
}
