package flagstore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	flagstore "github.com/flagstore/flagstore/bindings/go"
)

// open has another process open a store, with these variables instead of FLAGSTORE_LIBRARY. It tells where that found
// the library, or why it did not.
func open(t *testing.T, variables ...string) (said string, opened bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "FLAGSTORE_LIBRARY=") })
	child.Env = append(append(child.Env, roleVariable+"=open"), variables...)
	output, err := child.CombinedOutput()
	return string(output), err == nil
}

func TestTheVariableNamesTheFile(t *testing.T) {
	path := flagstore.LibraryPath()
	if said, opened := open(t, "FLAGSTORE_LIBRARY="+path); !opened || said != path {
		t.Error(said)
	}
	relative := must[string](t)(filepath.Rel(must[string](t)(os.Getwd()), path))
	if said, opened := open(t, "FLAGSTORE_LIBRARY="+relative); !opened || said != path {
		t.Error(said)
	}
}

func TestAWrongVariableIsFatal(t *testing.T) {
	text := filepath.Join(t.TempDir(), "libflagstore.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	system := must[string](t)(filepath.EvalSymlinks(libc(t)))
	for path, why := range map[string]string{
		"/nowhere/libflagstore.so": `FLAGSTORE_LIBRARY is "/nowhere/libflagstore.so", and there is no such file: correct it or unset it`,
		t.TempDir():                "there is no such file",
		text:                       text + " cannot be used as libflagstore: ",
		system:                     "store_abi_version",
	} {
		if said, opened := open(t, "FLAGSTORE_LIBRARY="+path, "LD_LIBRARY_PATH="+filepath.Dir(flagstore.LibraryPath())); opened || !strings.Contains(said, why) {
			t.Errorf("%s: %s", path, said)
		}
	}
}

// libc is a library that is not this one.
func libc(t *testing.T) string {
	for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile("/proc/self/maps")))) {
		if fields := strings.Fields(line); len(fields) == 6 && strings.Contains(fields[5], "/libc.so") {
			return fields[5]
		}
	}
	t.Fatal("this process has no libc")
	return ""
}

func TestTheSystemComesLast(t *testing.T) {
	if said, opened := open(t); opened {
		t.Skipf("this system has libflagstore installed as %s", said)
	} else if !strings.Contains(said, "libflagstore was not found: FLAGSTORE_LIBRARY is not set") {
		t.Error(said)
	}
	folder := t.TempDir()
	if err := os.Symlink(flagstore.LibraryPath(), filepath.Join(folder, "libflagstore.so.1")); err != nil {
		t.Fatal(err)
	}
	if said, opened := open(t, "LD_LIBRARY_PATH="+folder); !opened || said != "libflagstore.so.1" {
		t.Error(said)
	}
	if said, _ := open(t, "FLAGSTORE_LIBRARY="); strings.Contains(said, `FLAGSTORE_LIBRARY is ""`) {
		t.Error(said)
	}
}

func TestAnotherABIIsFatal(t *testing.T) {
	stub := stubLibrary(t)
	if said, opened := open(t, "FLAGSTORE_LIBRARY="+stub); opened || !strings.Contains(said, stub+" has ABI 77, this package needs ABI 1: install versions that match") {
		t.Error(said)
	}
}

// stubLibrary is a library with every function that the package uses, of another ABI.
func stubLibrary(t *testing.T) string {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("a library of another ABI needs a C compiler to be made with")
	}
	source := "unsigned store_abi_version(void) { return 77; }\n"
	for _, name := range symbols() {
		if name != "store_abi_version" {
			source += "void " + name + "(void) {}\n"
		}
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "stub.c"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "libflagstore.so.1")
	if output, err := exec.Command(compiler, "-shared", "-fPIC", "-o", path, filepath.Join(folder, "stub.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return path
}
