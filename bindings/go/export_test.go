package flagstore

// LibraryPath is where the loaded library was found.
func LibraryPath() string {
	l, err := load()
	if err != nil {
		return err.Error()
	}
	return l.path
}

// What the header's test compares with the header.
var (
	Library = library{}
	Symbol  = symbol
	Structs = map[string]any{"store_error": cError{}, "store_item": cItem{}, "store_collection": cCollection{}}
	ABI     = abi
	// As many as the call out of the cache passes.
	Arguments = len(places{}.arguments)
	Codes     = map[string]Code{
		"STORE_OK": outcomeOK, "STORE_NOT_FOUND": outcomeNotFound, "STORE_NEWER_EXISTS": outcomeNewerExists,
		"STORE_TOO_LARGE": outcomeTooLarge, "STORE_NOT_CACHED": outcomeNotCached,
	}
)

// JSON is what the library is given.
func (o Options) JSON() string { return string(o.json()) }

// EmptiestCall is the cheapest call of the library that there is.
func (s *Store) EmptiestCall() uintptr { return s.library.storeAbiVersion.call() }
