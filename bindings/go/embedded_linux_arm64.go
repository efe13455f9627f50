package flagstore

import "embed"

// carried has the library where this package was made by bindings/go/package.
//
//go:embed lib/linux_arm64
var carried embed.FS

const carriedAt = "lib/linux_arm64/libflagstore.so"
