//go:build !((linux && (amd64 || arm64)) || (darwin && (amd64 || arm64)) || (windows && amd64))

package flagstore

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"runtime"
)

// A program that uses this package builds anywhere. Where there is no library it is told so when it opens a store.
var errPlatform = errors.New("there is none for " + platform() +
	": it runs on linux (amd64 and arm64, glibc and musl), darwin (amd64 and arm64) and windows (amd64)")

const (
	installed = "libflagstore"
	fileName  = "libflagstore"
)

var carried embed.FS

func platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

func loadable(fs.File) (path string, loaded func(), err error) { return "", nil, errPlatform }

func dlopen(string) (uintptr, error) { return 0, errPlatform }

func dlsym(uintptr, string) (uintptr, error) { return 0, errPlatform }

type result uintptr

type starter func(userData uintptr, call *uint64, failure *cError) Code

type completions struct{ queue uint64 }

func openCompletions(*library) (*completions, error) { return nil, errPlatform }

func (*completions) await(context.Context, bool, starter) (done result, code Code, failure cError, err error) {
	return 0, 0, cError{}, errPlatform
}
