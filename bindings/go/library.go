package flagstore

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unsafe"

	"github.com/ebitengine/purego"
)

// What this package was written for; another number is refused.
const abi = 1

const variable = "FLAGSTORE_LIBRARY"

// library is the loaded library. Its fields are the functions that this package uses, each named after its symbol:
// storeGetAsync is store_get_async.
type library struct {
	path string
	// Whether it is the copy inside the package.
	carried bool

	storeAbiVersion                 function
	storeVersion                    function
	storeCodeName                   function
	storeOpen                       function
	storeClose                      function
	storeGetCached                  function
	storeItemsView                  function
	storeMembershipCount            function
	storeMembershipEntry            function
	storeStatistics                 function
	storeDoctor                     function
	storeClearCache                 function
	storeNextEvent                  function
	storeGetAsync                   function
	storeGetAllAsync                function
	storeUpsertAsync                function
	storeInitAsync                  function
	storeInitJsonAsync              function
	storeInitializedAsync           function
	storeAvailableAsync             function
	storeBigSegmentsMetadataAsync   function
	storeBigSegmentsMembershipAsync function
	storeCancel                     function
	storeCompletionsOpen            function
	storeCompleteTo                 function
	storeCompletionsNext            function
	storeCompletionsNotify          function
	storeCompletionsClose           function
	storeResultCode                 function
	storeResultError                function
	storeResultItem                 function
	storeResultItems                function
	storeResultInitialized          function
	storeResultReport               function
	storeResultMetadata             function
	storeResultMembership           function
	storeErrorFree                  function
	storeItemFree                   function
	storeItemsFree                  function
	storeMembershipFree             function
	storeResultFree                 function
	storeStringFree                 function
}

// function is the address of a C function.
type function uintptr

// call calls it. Arguments that are pointers are converted to uintptr inside the call's own parentheses, so that the
// compiler keeps what they point to alive and in place.
//
//go:uintptrescapes
func (f function) call(arguments ...uintptr) uintptr {
	result, _, _ := purego.SyscallN(uintptr(f), arguments...)
	return result
}

// code calls a function that returns an int32_t.
//
//go:uintptrescapes
func (f function) code(arguments ...uintptr) Code {
	result, _, _ := purego.SyscallN(uintptr(f), arguments...)
	return Code(int32(result))
}

// LibraryVersion tells the version of the loaded libflagstore, such as "0.1.0". It fails with a *[LibraryError].
func LibraryVersion() (string, error) {
	l, err := load()
	if err != nil {
		return "", err
	}
	return goString(pointer(l.storeVersion.call())), nil
}

// LibraryFile tells which libflagstore is loaded: its path, or that it is the copy inside the package. It fails with a
// *[LibraryError].
func LibraryFile() (string, error) {
	l, err := load()
	if err != nil {
		return "", err
	}
	if l.carried {
		return "the copy inside the package", nil
	}
	return l.path, nil
}

// load finds the library at the first use and keeps it. The first place that has one decides: if that cannot be used,
// no other is tried.
var load = sync.OnceValues(func() (*library, error) {
	if named := os.Getenv(variable); named != "" {
		file, err := filepath.Abs(named)
		if err != nil {
			return nil, libraryError(variable, " is ", strconv.Quote(named), ": ", err.Error())
		}
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			return nil, libraryError(variable, " is ", strconv.Quote(named), ", and there is no such file: correct it or unset it")
		}
		return open(file)
	}
	copied, err := carried.Open(path.Join("lib", platform(), fileName))
	if err == nil {
		return openCopy(copied)
	}
	l, err := open(installed)
	if err != nil {
		return nil, libraryError("libflagstore was not found: ", variable, " is not set, this build of the package carries no copy for ",
			platform(), ", and the system says: ", strings.TrimPrefix(err.Error(), "flagstore: "))
	}
	return l, nil
})

// openCopy loads the copy inside the package.
func openCopy(copied fs.File) (*library, error) {
	defer func() { _ = copied.Close() }()
	path, loaded, err := loadable(copied)
	if err != nil {
		return nil, libraryError("the copy inside the package cannot be put where it can be loaded from (", err.Error(), "): set ", variable,
			" to the path of a copy, or TMPDIR to a folder that may hold programs")
	}
	defer loaded()
	l, err := open(path)
	if err == nil {
		l.carried = true
	}
	return l, err
}

// queue is what takes the finished calls of all stores, opened with the first of them.
var queue struct {
	sync.Mutex
	opened *completions
}

func (l *library) completions() (*completions, error) {
	queue.Lock()
	defer queue.Unlock()
	if queue.opened == nil {
		opened, err := openCompletions(l)
		if err != nil {
			return nil, err
		}
		queue.opened = opened
	}
	return queue.opened, nil
}

func open(path string) (*library, error) {
	handle, err := dlopen(path)
	if err != nil {
		why := err.Error()
		if strings.Contains(why, "Dynamic loading not supported") {
			why += ": the program is linked statically, and so cannot load it; leave out -static, and use an image with a C library"
		}
		return nil, libraryError(path, " cannot be used as libflagstore: ", why)
	}
	l := &library{path: path}
	fields := reflect.ValueOf(l).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).Type() != reflect.TypeFor[function]() {
			continue
		}
		address, err := dlsym(handle, symbol(fields.Type().Field(i).Name))
		if err != nil {
			return nil, libraryError(path, " cannot be used as libflagstore: ", err.Error())
		}
		*(*function)(fields.Field(i).Addr().UnsafePointer()) = function(address)
	}
	if number := uint32(l.storeAbiVersion.call()); number != abi {
		return nil, libraryError(path, " has ABI ", strconv.Itoa(int(number)), ", this package needs ABI ", strconv.Itoa(abi),
			": install versions that match")
	}
	return l, nil
}

// symbol is the name in C of a field of library.
func symbol(field string) string {
	var name strings.Builder
	for _, letter := range field {
		if unicode.IsUpper(letter) {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToLower(letter))
	}
	return name.String()
}

func (l *library) codeName(code Code) string {
	return goString(pointer(l.storeCodeName.call(uintptr(code))))
}

// failed is the error of a call that returned this code; it frees what the call filled in.
func (l *library) failed(code Code, failure *cError) *Error {
	err := &Error{code, l.codeName(code), goString(failure.message), failure.retriable != 0}
	l.storeErrorFree.call(uintptr(unsafe.Pointer(failure)))
	return err
}

// takeString copies a string that the library gave, and frees it.
func (l *library) takeString(text *byte) string {
	defer l.storeStringFree.call(uintptr(unsafe.Pointer(text)))
	return goString(text)
}
