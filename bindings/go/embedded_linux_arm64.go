package flagstore

import "embed"

// carried has the library where this package was made by bindings/go/package.
//
//go:embed lib/linux_arm64 lib/linux_arm64_musl
var carried embed.FS
