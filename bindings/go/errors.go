package flagstore

import "strings"

// Error is what a call fails with. errors.As finds it; errors.Is finds its [Code]:
//
//	if errors.Is(err, flagstore.ErrTableNotFound) {
type Error struct {
	// Code is the number of the C ABI: negative, stable, never reused.
	Code Code
	// CodeName is the name of Code, such as "STORE_ERROR_TIMEOUT".
	CodeName string
	// Message says what was attempted, what happened and what to do. It never holds a credential or a payload.
	Message string
	// Retriable is whether the same call may succeed later without anyone changing anything.
	Retriable bool
}

// Error returns the message.
func (e *Error) Error() string { return "flagstore: " + e.Message }

// Unwrap returns the code, for errors.Is.
func (e *Error) Unwrap() error { return e.Code }

// Code is a number of the C ABI. As an error it is the target of errors.Is.
type Code int32

// Error returns the name, such as "STORE_ERROR_TIMEOUT".
func (c Code) Error() string {
	if l, err := load(); err == nil {
		return l.codeName(c)
	}
	return "STORE_UNKNOWN"
}

// What can go wrong. The README of the project says what to do about each.
const (
	ErrPanic              Code = -1
	ErrNullArgument       Code = -2
	ErrInvalidUTF8        Code = -3
	ErrInvalidLength      Code = -4
	ErrInvalidHandle      Code = -5 // the store is closed
	ErrTooManyStores      Code = -6
	ErrUnknownOption      Code = -7
	ErrOptionType         Code = -8
	ErrOptionValue        Code = -9
	ErrEmptyTableName     Code = -10
	ErrEmptyKey           Code = -11
	ErrEmptyKind          Code = -12
	ErrKeyTooLong         Code = -13
	ErrInvalidVersion     Code = -14
	ErrInvalidJSON        Code = -15
	ErrDuplicateKey       Code = -16
	ErrEmptyItem          Code = -17
	ErrTableNotFound      Code = -30
	ErrKeySchema          Code = -31
	ErrAccessDenied       Code = -32
	ErrInvalidCredentials Code = -33
	ErrExpiredCredentials Code = -34
	ErrNoCredentials      Code = -35
	ErrNoRegion           Code = -36
	ErrClockSkew          Code = -37
	ErrThrottled          Code = -38 // retriable, as are all up to ErrUnexpectedResponse
	ErrTimeout            Code = -39
	ErrConnection         Code = -40
	ErrService            Code = -41
	ErrUnexpectedResponse Code = -42
	ErrRejected           Code = -43
	ErrCalledInCallback   Code = -44
	ErrRuntime            Code = -45 // retriable
	// ErrCancelled is of a call that was ended early. Where its context did that, its error is the context's.
	ErrCancelled Code = -46
)

// LibraryError says why the shared library libflagstore cannot be used, and where it was looked for.
type LibraryError struct {
	// Message ends with what to do.
	Message string
}

func (e *LibraryError) Error() string { return "flagstore: " + e.Message }

func libraryError(words ...string) *LibraryError {
	return &LibraryError{strings.Join(words, "")}
}
