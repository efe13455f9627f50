package flagstore

import (
	"context"
	"encoding/json"
	"unsafe"
)

// Level is how bad a [Finding] is.
type Level string

const (
	// LevelOK means that there is nothing to do.
	LevelOK Level = "ok"
	// LevelNote is of what is worth knowing.
	LevelNote Level = "note"
	// LevelWarning is of what may become a problem.
	LevelWarning Level = "warning"
	// LevelProblem is of what keeps flags from arriving, or from being written.
	LevelProblem Level = "problem"
)

// Report is what [Doctor] found between this process and its flags.
type Report struct {
	// Problems and Warnings are how many findings have these levels; no problem where flags arrive.
	Problems int       `json:"problems"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

// Finding is one thing that [Doctor] looked at.
type Finding struct {
	// Check is what was looked at, such as "credentials". The page docs/doctor.md of the project has them all.
	Check string `json:"check"`
	Level Level  `json:"level"`
	// Found is what was seen, as a sentence that holds no secret.
	Found string `json:"found"`
	// Remedy is what to do about it, empty where there is nothing to do.
	Remedy string `json:"remedy"`
}

// Doctor looks at everything between this process and its flags, says what is wrong and what to do about it.
//
// It takes the options of [Open], and opens no store. It reads all flags and segments once, and asks for two writes that
// cannot succeed; nothing is written or cached. Whatever is wrong with table, network or credentials stands in the report. It
// waits for at most four times Timeout and twice AllTimeout, and holds an OS thread meanwhile. When the context ends it returns
// the context's error at once; what was begun ends by itself.
//
// It fails with an *[Error] that names the option that is wrong, or with a *[LibraryError].
func Doctor(ctx context.Context, options Options) (Report, error) {
	l, err := load()
	if err != nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	type answer struct {
		report Report
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		report, err := l.doctor(options.json())
		answered <- answer{report, err}
	}()
	select {
	case answer := <-answered:
		return answer.report, answer.err
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
}

func (l *library) doctor(options []byte) (Report, error) {
	var text *byte
	var failure cError
	code := l.storeDoctor.code(uintptr(unsafe.Pointer(&options[0])), uintptr(len(options)),
		uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&failure)))
	if code < 0 {
		return Report{}, l.failed(code, &failure)
	}
	var report Report
	err := json.Unmarshal([]byte(l.takeString(text)), &report)
	return report, err
}
