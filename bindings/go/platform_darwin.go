//go:build amd64 || arm64

package flagstore

import (
	"io/fs"
	"runtime"

	"github.com/ebitengine/purego"
)

const (
	installed = "libflagstore.dylib"
	fileName  = "libflagstore.dylib"
)

// platform is the folder of this platform's library below lib.
func platform() string { return "darwin_" + runtime.GOARCH }

func dlopen(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func dlsym(library uintptr, name string) (uintptr, error) {
	return purego.Dlsym(library, name)
}

// loadable puts the copy inside the package where it can be loaded from.
func loadable(copied fs.File) (path string, loaded func(), err error) { return temporary(copied) }
