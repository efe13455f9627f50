package flagstore

import "embed"

// carried has the library where this package was made by bindings/go/package.
//
//go:embed lib/windows_amd64
var carried embed.FS
