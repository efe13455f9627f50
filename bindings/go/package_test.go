package flagstore_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

const fresh = `package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

func main() {
	store, err := flagstore.Open(flagstore.Options{
		Table: "flags", Prefix: os.Args[2], Endpoint: os.Args[1], Region: "us-east-1", AccessKeyID: "a", SecretAccessKey: "b",
	})
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	flag, found, err := store.Get(context.Background(), "features", "flag")
	maps, _ := os.ReadFile("/proc/self/maps")
	fmt.Print(string(flag.Payload), " ", found, " ", err, " ", strings.Contains(string(maps), "/memfd:libflagstore.so"))
}
`

// A program in an empty folder requires the module as packaged, builds without cgo, and reads a flag through the copy of
// the library inside itself, with neither this checkout nor an installed library in reach.
func TestAFreshModuleInstallsThePackageAndReadsAFlag(t *testing.T) {
	local := endpoint.Local(t)
	given := options(local)
	wantUpsert(t, opened(t, given), "features", item("flag", 1, flagJSON), flagstore.Written, nil)

	proxy, program := t.TempDir(), t.TempDir()
	if output, err := exec.Command("./package", flagstore.LibraryPath(), proxy).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	wantPapers(t, filepath.Join(proxy, "github.com/flagstore/flagstore/bindings/go/@v/v"+flagstore.Version+".zip"))
	if err := os.WriteFile(filepath.Join(program, "main.go"), []byte(fresh), 0o600); err != nil {
		t.Fatal(err)
	}
	// What else it requires comes from the module cache, which these tests have filled; the package goes into one of its own.
	cache := strings.TrimSpace(string(must[[]byte](t)(exec.Command("go", "env", "GOMODCACHE").Output())))
	own := t.TempDir()
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "FLAGSTORE_LIBRARY=") })
	environment = append(environment, "GOMODCACHE="+own, "GOPROXY=file://"+proxy+",file://"+cache+"/cache/download", "GOFLAGS=-modcacherw",
		"GONOSUMDB=*", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOWORK=off")
	run := func(name string, arguments ...string) string {
		command := exec.Command(name, arguments...)
		command.Dir, command.Env = program, environment
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v: %s", name, arguments, err, output)
		}
		return string(output)
	}
	run("go", "mod", "init", "fresh.example/program")
	run("go", "get", "github.com/flagstore/flagstore/bindings/go@v"+flagstore.Version)
	run("go", "build", "-o", "program", ".")
	if said := run(filepath.Join(program, "program"), local.URL, given.Prefix); said != flagJSON+" true <nil> true" {
		t.Error(said)
	}
}

// header64 is the first bytes of a library, by which its package knows what it is for.
func header64(magic string, at, machine int, wide bool, rest string) []byte {
	text := make([]byte, 512)
	copy(text, magic)
	if wide {
		binary.LittleEndian.PutUint32(text[at:], uint32(machine))
	} else {
		binary.LittleEndian.PutUint16(text[at:], uint16(machine))
	}
	return append(text, rest...)
}

// Each platform's library comes to where a program for its GOOS and GOARCH embeds it; one in the wrong place stops the packaging.
func TestTheModuleHasEveryPlatformsLibraryInItsPlace(t *testing.T) {
	windows := header64("MZ", 0x80+4, 0x8664, false, "")
	windows[60] = 0x80
	platforms := map[string]struct {
		file, place string
		text        []byte
	}{
		"aarch64-unknown-linux-gnu":  {"libflagstore.so", "lib/linux_arm64", header64("\x7fELF", 18, 183, false, "libc.so.6")},
		"x86_64-unknown-linux-musl":  {"libflagstore.so", "lib/linux_amd64_musl", header64("\x7fELF", 18, 62, false, "libc.so")},
		"aarch64-unknown-linux-musl": {"libflagstore.so", "lib/linux_arm64_musl", header64("\x7fELF", 18, 183, false, "libc.so")},
		"x86_64-apple-darwin":        {"libflagstore.dylib", "lib/darwin_amd64", header64("\xcf\xfa\xed\xfe", 4, 0x01000007, true, "")},
		"aarch64-apple-darwin":       {"libflagstore.dylib", "lib/darwin_arm64", header64("\xcf\xfa\xed\xfe", 4, 0x0100000c, true, "")},
		"x86_64-pc-windows-gnu":      {"flagstore.dll", "lib/windows_amd64", windows},
	}
	folder, proxy := t.TempDir(), t.TempDir()
	write := func(platform, file string, text []byte) {
		if err := errors.Join(os.MkdirAll(filepath.Join(folder, platform), 0o700), os.WriteFile(filepath.Join(folder, platform, file), text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, platform := range platforms {
		write(name, platform.file, platform.text)
	}
	if output, err := exec.Command("./package", flagstore.LibraryPath(), proxy, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	archive := must[*zip.ReadCloser](t)(zip.OpenReader(filepath.Join(proxy, "github.com/flagstore/flagstore/bindings/go/@v/v"+flagstore.Version+".zip")))
	defer archive.Close()
	in := func(place string) []byte {
		file, err := archive.Open("github.com/flagstore/flagstore/bindings/go@v" + flagstore.Version + "/" + place)
		if err != nil {
			t.Error(err)
			return nil
		}
		return must[[]byte](t)(io.ReadAll(file))
	}
	for name, platform := range platforms {
		if text := in(platform.place + "/" + platform.file); !bytes.Equal(text, platform.text) {
			t.Errorf("%s is not in %s", name, platform.place)
		}
	}
	if own := in("lib/linux_" + runtime.GOARCH + "/libflagstore.so"); !bytes.Equal(own, must[[]byte](t)(os.ReadFile(flagstore.LibraryPath()))) {
		t.Error("the library of this machine is not the one that was given")
	}
	write("x86_64-unknown-linux-musl", "libflagstore.so", platforms["aarch64-unknown-linux-musl"].text)
	output, err := exec.Command("./package", flagstore.LibraryPath(), proxy, folder).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "is aarch64-unknown-linux-musl, not x86_64-unknown-linux-musl") {
		t.Errorf("%v: %s", err, output)
	}
}

// A program without cgo names glibc's loader, whatever it is to run on. Told to name musl's, it runs there, and says which
// library it looked for.
func TestAProgramWithoutCgoRunsOnMuslWhenItsLinkerIsToldTheLoader(t *testing.T) {
	loaders := must[[]string](t)(filepath.Glob("/lib/ld-musl-*.so.1"))
	if len(loaders) == 0 {
		t.Skip("musl is not installed (Debian's package musl)")
	}
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "test", "-c", "-o", program, "-ldflags", "-I "+loaders[0], ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	run := func(variables ...string) string {
		child := exec.Command(program)
		child.Env = append([]string{roleVariable + "=open"}, variables...)
		output, _ := child.CombinedOutput()
		return string(output)
	}
	if said := run(); !strings.Contains(said, "no copy for linux_"+runtime.GOARCH+"_musl") {
		t.Error(said)
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	library := filepath.Join(endpoint.Repository(), "build/platforms", machine+"-unknown-linux-musl", "libflagstore.so")
	if _, err := os.Stat(library); err != nil {
		t.Skip("there is no library for musl: make platforms")
	}
	if said := run("FLAGSTORE_LIBRARY=" + library); said != library {
		t.Error(said)
	}
}

// The licences of the library, and what it is made of, lie in the module beside it.
func wantPapers(t *testing.T, module string) {
	t.Helper()
	archive, err := zip.OpenReader(module)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	for _, paper := range []string{"LICENSE", "THIRD-PARTY-NOTICES", "flagstore.cdx.json"} {
		if !slices.ContainsFunc(archive.File, func(file *zip.File) bool { return path.Base(file.Name) == paper }) {
			t.Error("the module lacks " + paper)
		}
	}
}
