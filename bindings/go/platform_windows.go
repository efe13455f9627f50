//go:build amd64

package flagstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	installed = "flagstore.dll"
	fileName  = "flagstore.dll"
)

// platform is the folder of this platform's library below lib.
func platform() string { return "windows_amd64" }

func dlopen(path string) (uintptr, error) {
	handle, err := syscall.LoadLibrary(path)
	return uintptr(handle), err
}

func dlsym(library uintptr, name string) (uintptr, error) {
	return syscall.GetProcAddress(syscall.Handle(library), name)
}

// loadable puts the copy inside the package where it can be loaded from. A file that is loaded cannot be removed there, so it
// stays, in the user's cache, under a name that says what it holds; what is found there is used only if it is the same.
func loadable(copied fs.File) (path string, loaded func(), err error) {
	text, err := io.ReadAll(copied)
	if err != nil {
		return "", nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(text)
	folder := filepath.Join(cache, "flagstore", hex.EncodeToString(sum[:]))
	path = filepath.Join(folder, fileName)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, text) {
		return path, func() {}, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", nil, err
	}
	// Written whole and then named, since another process may load it at the same time.
	file, err := os.CreateTemp(folder, fileName)
	if err != nil {
		return "", nil, err
	}
	_, err = file.Write(text)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if there, other := os.ReadFile(path); other == nil && bytes.Equal(there, text) {
		err = nil // Another process was first.
	}
	return path, func() {}, err
}
