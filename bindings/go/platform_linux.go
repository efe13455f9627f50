//go:build linux && (amd64 || arm64)

package flagstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"syscall"
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
	if _, err := io.Copy(memory, copied); err != nil {
		return "", false, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", memory), true, nil
}

// descriptor is of a file that is never closed: a library that another file of the same number was loaded from would be
// taken for this one.
type descriptor int

func (d descriptor) Write(text []byte) (int, error) { return syscall.Write(int(d), text) }

func memoryFile(name string) (descriptor, error) {
	address, err := purego.Dlsym(purego.RTLD_DEFAULT, "memfd_create")
	if err != nil {
		return 0, err
	}
	const closeOnExec = 1
	text := append([]byte(name), 0)
	result, _, _ := purego.SyscallN(address, uintptr(unsafe.Pointer(&text[0])), closeOnExec)
	runtime.KeepAlive(text)
	if int32(result) < 0 {
		return 0, errors.New("the system gives no memory in the form of a file (memfd_create)")
	}
	return descriptor(int32(result)), nil
}
