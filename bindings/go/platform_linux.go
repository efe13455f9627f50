//go:build amd64 || arm64

package flagstore

import (
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

const (
	installed = "libflagstore.so.1"
	fileName  = "libflagstore.so"
)

// platform is the folder of this platform's library below lib. Which C library the process runs on is known only now: a
// program that was linked for one may be started by the other's loader.
func platform() string {
	if _, err := purego.Dlsym(purego.RTLD_DEFAULT, "gnu_get_libc_version"); err != nil {
		return "linux_" + architecture + "_musl"
	}
	return "linux_" + architecture
}

func dlopen(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func dlsym(library uintptr, name string) (uintptr, error) {
	return purego.Dlsym(library, name)
}

// loadable puts the copy inside the package where it can be loaded from: memory that has the form of a file. No other
// process can name or change it, and it needs no folder that can be written to, or be executed from. Where the kernel gives
// none, a file that only this user can read, and that is gone when it is loaded.
func loadable(copied fs.File) (path string, loaded func(), err error) {
	memory, err := memoryFile(fileName)
	if err != nil {
		return temporary(copied)
	}
	if _, err := io.Copy(memory, copied); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", memory), func() {}, nil
}

// descriptor is of a file that is never closed: a library that another file of the same number was loaded from would be
// taken for this one.
type descriptor int

func (d descriptor) Write(text []byte) (int, error) { return syscall.Write(int(d), text) }

// memoryFile asks the kernel: the C libraries of some systems are older than the function.
func memoryFile(name string) (descriptor, error) {
	const closeOnExec = 1
	text, err := syscall.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	number, _, errno := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(text)), closeOnExec, 0)
	if errno != 0 {
		return 0, errno
	}
	return descriptor(number), nil
}
