package flagstore_test

import (
	"archive/zip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
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
