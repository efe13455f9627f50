//go:build amd64

package flagstore

// serve has a goroutine take what is finished. There is no descriptor that the library could write to and Go would wait
// for, so it holds an OS thread: one, for all stores.
func (c *completions) serve() error {
	go func() {
		for c.deliverNext(-1) {
		}
	}()
	return nil
}
