//go:build !linux || (!amd64 && !arm64)

package flagstore

import (
	"context"
	"errors"
	"runtime"
)

// A program that uses this package builds anywhere. Where there is no library it is told so when it opens a store.
var errPlatform = errors.New("it runs on linux/amd64 and linux/arm64, and this is " + runtime.GOOS + "/" + runtime.GOARCH)

func embedded() (path string, found bool, err error) { return "", false, nil }

func dlopen(string) (uintptr, error) { return 0, errPlatform }

func dlsym(uintptr, string) (uintptr, error) { return 0, errPlatform }

type completion struct{}

func newCompletion() (*completion, error) { return nil, errPlatform }

func (*completion) callback() (function, userData uintptr) { return 0, 0 }

func (*completion) wait(context.Context, func(uintptr)) (uintptr, error) { return 0, errPlatform }

func (*completion) unused() {}
