//go:build (linux || darwin) && (amd64 || arm64)

package flagstore

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// temporary copies a library into a folder that only this user can enter, until it is loaded.
func temporary(copied fs.File) (path string, loaded func(), err error) {
	folder, err := os.MkdirTemp("", "flagstore-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(folder, fileName)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o500)
	if err == nil {
		_, err = io.Copy(file, copied)
		if closed := file.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		_ = os.RemoveAll(folder)
		return "", nil, err
	}
	return path, func() { _ = os.RemoveAll(folder) }, nil
}
