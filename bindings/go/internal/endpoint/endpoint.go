// Package endpoint starts the DynamoDB endpoints of the tests, as processes that end with this one.
package endpoint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The table of most tests, and the one that the SDK's suites clear.
const (
	Table      = "flags"
	SuiteTable = "sdk-suites"
)

// Secret is the secret key of the tests. No message may hold it.
const Secret = "secret-that-must-not-show"

// Attributes are a row's attributes as DynamoDB types them: {"version": {"N": "1"}}.
type Attributes map[string]map[string]any

// Endpoint is a DynamoDB endpoint with its tables ready.
type Endpoint struct {
	URL string
}

// Repository is the folder of the whole project.
var Repository = sync.OnceValue(func() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for ; folder != "/"; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "Cargo.toml")); err == nil {
			return folder
		}
	}
	panic("the tests run in a checkout of the whole project")
})

// UseReleaseBuild has the package under test load the library of the release build, unless FLAGSTORE_LIBRARY names one.
func UseReleaseBuild() {
	if os.Getenv("FLAGSTORE_LIBRARY") == "" {
		_ = os.Setenv("FLAGSTORE_LIBRARY", filepath.Join(Repository(), "target/release/libflagstore.so"))
	}
}

// Local is flagstore-local: the file that FLAGSTORE_LOCAL names, or the one of the release build.
func Local(t testing.TB) Endpoint {
	t.Helper()
	endpoint, err := local()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

var local = sync.OnceValues(func() (Endpoint, error) {
	program := os.Getenv("FLAGSTORE_LOCAL")
	if program == "" {
		program = filepath.Join(Repository(), "target/release/flagstore-local")
	}
	var ready struct{ URL string }
	err := start(exec.Command(program, "--exit-with-stdin", "--table", Table, "--table", SuiteTable), &ready)
	return Endpoint{ready.URL}, err
})

// Dynalite is npm's dynalite, started by the program that FLAGSTORE_DYNALITE names. The test is skipped where that names
// none.
func Dynalite(t testing.TB) Endpoint {
	t.Helper()
	if os.Getenv("FLAGSTORE_DYNALITE") == "" {
		t.Skip("FLAGSTORE_DYNALITE names no dynalite: tests/dynalite/start is one, which needs Node.js and npm")
	}
	endpoint, err := dynalite()
	if err != nil {
		t.Fatal(err)
	}
	return endpoint
}

var dynalite = sync.OnceValues(func() (Endpoint, error) {
	var ready struct{ URL string }
	err := start(exec.Command(os.Getenv("FLAGSTORE_DYNALITE"), "--exit-with-stdin", "--table", Table), &ready)
	return Endpoint{ready.URL}, err
})

// start starts a server that ends with its standard input, and so with this process, and reads the line that it prints
// when it is ready.
func start(command *exec.Cmd, ready any) error {
	if _, err := command.StdinPipe(); err != nil {
		return err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return fmt.Errorf("%w: build it, or name it in FLAGSTORE_LOCAL", err)
	}
	serversMutex.Lock()
	servers = append(servers, command)
	serversMutex.Unlock()
	line, err := bufio.NewReader(output).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s ended before it was ready: %w", command.Path, err)
	}
	return json.Unmarshal(line, ready)
}

// servers are kept, since a command that is collected closes its pipes.
var (
	servers      []*exec.Cmd
	serversMutex sync.Mutex
)

// Put writes a row past the library.
func (e Endpoint) Put(t testing.TB, namespace, key string, attributes Attributes) {
	t.Helper()
	row := Attributes{"namespace": {"S": namespace}, "key": {"S": key}}
	for name, value := range attributes {
		row[name] = value
	}
	e.ask(t, "PutItem", map[string]any{"TableName": Table, "Item": row})
}

// Row reads a row's attributes besides its key, past the library; nil if there is none.
func (e Endpoint) Row(t testing.TB, namespace, key string) Attributes {
	t.Helper()
	answer := e.ask(t, "GetItem", map[string]any{
		"TableName": Table, "ConsistentRead": true, "Key": Attributes{"namespace": {"S": namespace}, "key": {"S": key}},
	})
	delete(answer.Item, "namespace")
	delete(answer.Item, "key")
	return answer.Item
}

// Clear deletes all rows of the suites' table whose namespace has this prefix.
func (e Endpoint) Clear(prefix string) error {
	answer, err := e.tryAsk("Scan", map[string]any{"TableName": SuiteTable, "ConsistentRead": true})
	if err != nil {
		return err
	}
	for _, row := range answer.Items {
		if namespace, _ := row["namespace"]["S"].(string); prefix == "" || strings.HasPrefix(namespace, prefix+":") {
			key := Attributes{"namespace": row["namespace"], "key": row["key"]}
			if _, err := e.tryAsk("DeleteItem", map[string]any{"TableName": SuiteTable, "Key": key}); err != nil {
				return err
			}
		}
	}
	return nil
}

// PutInSuites writes a row to the suites' table.
func (e Endpoint) PutInSuites(namespace, key string, attributes Attributes) error {
	row := Attributes{"namespace": {"S": namespace}, "key": {"S": key}}
	for name, value := range attributes {
		row[name] = value
	}
	_, err := e.tryAsk("PutItem", map[string]any{"TableName": SuiteTable, "Item": row})
	return err
}

type answer struct {
	Item  Attributes
	Items []Attributes
}

func (e Endpoint) ask(t testing.TB, operation string, request any) answer {
	t.Helper()
	answer, err := e.tryAsk(operation, request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// tryAsk sends one request, signed in form only: the endpoints want a signature and do not check it.
func (e Endpoint) tryAsk(operation string, body any) (answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequest("POST", e.URL, bytes.NewReader(text))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	request.Header.Set("X-Amz-Date", "20260101T000000Z")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s: status %d: %s", operation, response.StatusCode, said)
	}
	var found answer
	return found, json.Unmarshal(said, &found)
}

var prefixes atomic.Int64

// Prefix is a prefix that no other test has.
func Prefix() string {
	return fmt.Sprintf("go-%d-%d", os.Getpid(), prefixes.Add(1))
}

// Faults is tests/faults/endpoint in front of an endpoint: one that fails when it is told to.
type Faults struct {
	Endpoint
	control string
}

// WithFaults starts one for this test.
func WithFaults(t testing.TB, upstream Endpoint) *Faults {
	t.Helper()
	command := exec.Command(filepath.Join(Repository(), "tests/faults/endpoint"), "--upstream", upstream.URL, "--exit-with-stdin")
	var ready struct{ URL, Control string }
	if err := start(command, &ready); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return &Faults{Endpoint{ready.URL}, ready.Control}
}

// Script replaces the rules by these, in JSON.
func (f *Faults) Script(t testing.TB, rules string) {
	t.Helper()
	f.post(t, "/script", `{"rules":[`+rules+`]}`)
}

// Wait returns when so many requests had the action done to them.
func (f *Faults) Wait(t testing.TB, count int, action string) {
	t.Helper()
	f.post(t, "/wait", fmt.Sprintf(`{"count":%d,"action":%q,"timeout_ms":20000}`, count, action))
}

// Release lets go whoever is held.
func (f *Faults) Release(t testing.TB) {
	t.Helper()
	f.post(t, "/release", "{}")
}

func (f *Faults) post(t testing.TB, path, body string) {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Post(f.control+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		t.Fatalf("%s: status %d: %s", path, response.StatusCode, said)
	}
}
