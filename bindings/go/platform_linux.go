//go:build linux && (amd64 || arm64)

package flagstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

func dlopen(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func dlsym(library uintptr, name string) (uintptr, error) {
	return purego.Dlsym(library, name)
}

// embedded puts the copy inside the package where it can be loaded from: memory that has the form of a file. No other
// process can name or change it, and it needs no folder that can be written to, or be executed from.
func embedded() (path string, found bool, err error) {
	copied, err := carried.Open(carriedAt)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	memory, err := memoryFile("libflagstore.so")
	if err != nil {
		return "", false, err
	}
	// It stays open: whoever reads /proc/self/maps finds the library under this name.
	if _, err := io.Copy(memory, copied); err != nil {
		return "", false, err
	}
	kept = memory
	return fmt.Sprintf("/proc/self/fd/%d", memory.Fd()), true, nil
}

// kept is the file that the library was loaded from, lest its descriptor be closed with the last reference.
var kept *os.File

func memoryFile(name string) (*os.File, error) {
	address, err := purego.Dlsym(purego.RTLD_DEFAULT, "memfd_create")
	if err != nil {
		return nil, err
	}
	const closeOnExec = 1
	text := append([]byte(name), 0)
	result, _, _ := purego.SyscallN(address, uintptr(unsafe.Pointer(&text[0])), closeOnExec)
	runtime.KeepAlive(text)
	if int32(result) < 0 {
		return nil, errors.New("the system gives no memory in the form of a file (memfd_create)")
	}
	return os.NewFile(uintptr(int32(result)), name), nil
}
