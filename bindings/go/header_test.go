package flagstore_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	flagstore "github.com/flagstore/flagstore/bindings/go"
	"github.com/flagstore/flagstore/bindings/go/internal/endpoint"
)

// header is the header for parsers, without line breaks.
func header(t *testing.T) string {
	text := must[[]byte](t)(os.ReadFile(filepath.Join(endpoint.Repository(), "include/flagstore_cdef.h")))
	return strings.Join(strings.Fields(string(text)), " ")
}

// symbols are the functions that the package uses.
func symbols() []string {
	var names []string
	for i := range reflect.TypeOf(flagstore.Library).NumField() {
		if name := reflect.TypeOf(flagstore.Library).Field(i).Name; strings.HasPrefix(name, "store") {
			names = append(names, flagstore.Symbol(name))
		}
	}
	return names
}

var optionRow = regexp.MustCompile("(?m)^\\| (`\\w+`[^|]*)\\|")
var optionName = regexp.MustCompile("`(\\w+)`")

// The options of the project's README, and those that a full set of fields gives.
func TestOptionsAreThoseOfTheLibrary(t *testing.T) {
	text := string(must[[]byte](t)(os.ReadFile(filepath.Join(endpoint.Repository(), "README.md"))))
	_, text, _ = strings.Cut(text, "\n## Options\n")
	text, _, _ = strings.Cut(text, "\n## ")
	var documented []string
	for _, row := range optionRow.FindAllStringSubmatch(text, -1) {
		for _, name := range optionName.FindAllStringSubmatch(row[1], -1) {
			documented = append(documented, name[1])
		}
	}
	var options flagstore.Options
	fields := reflect.ValueOf(&options).Elem()
	for i := range fields.NumField() {
		switch field := fields.Field(i); field.Kind() {
		case reflect.String:
			field.SetString("given")
		case reflect.Bool:
			field.SetBool(true)
		default:
			field.SetInt(1)
		}
	}
	var given map[string]any
	if err := json.Unmarshal([]byte(options.JSON()), &given); err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(given))
	slices.Sort(documented)
	if len(documented) < 30 || !slices.Equal(names, documented) {
		t.Errorf("the fields give %v, the README has %v", names, documented)
	}
}

var declaration = regexp.MustCompile(`([\w ]+?[ *]+)(store_\w+)\(([^)]*)\);`)

// declared is how many arguments each function of the header takes, and what it returns.
func declared(t *testing.T) (arguments map[string]int, results map[string]string) {
	arguments, results = map[string]int{}, map[string]string{}
	for _, found := range declaration.FindAllStringSubmatch(header(t), -1) {
		results[found[2]] = strings.TrimSpace(found[1])
		arguments[found[2]] = strings.Count(found[3], ",") + 1
		if found[3] == "void" {
			arguments[found[2]] = 0
		}
	}
	if len(arguments) < 30 {
		t.Fatalf("the header has %d functions", len(arguments))
	}
	return arguments, results
}

// Every call in the package's source passes as many arguments as the header declares, and takes an int32_t for one.
func TestCallsAreAsTheHeaderDeclares(t *testing.T) {
	arguments, results := declared(t)
	unused := map[string]bool{}
	for _, name := range symbols() {
		unused[name] = true
		if _, known := arguments[name]; !known {
			t.Errorf("the header has no %s", name)
		}
	}
	for _, file := range must[[]string](t)(filepath.Glob("*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), file, nil, 0)), func(node ast.Node) bool {
			call, _ := node.(*ast.CallExpr)
			if call == nil {
				return true
			}
			method, _ := call.Fun.(*ast.SelectorExpr)
			if method == nil {
				return true
			}
			function, _ := method.X.(*ast.SelectorExpr)
			if function == nil || !strings.HasPrefix(function.Sel.Name, "store") || method.Sel.Name != "call" && method.Sel.Name != "code" {
				return true
			}
			name := flagstore.Symbol(function.Sel.Name)
			delete(unused, name)
			passed := len(call.Args)
			if call.Ellipsis.IsValid() {
				// The call out of the cache, which fills an array with its arguments; freeing passes one of them.
				passed = map[string]int{"store_get_cached": flagstore.Arguments, "store_item_free": 1}[name]
			}
			if passed != arguments[name] {
				t.Errorf("%s: %s takes %d arguments, %d are passed", file, name, arguments[name], passed)
			}
			if method.Sel.Name == "code" && results[name] != "int32_t" {
				t.Errorf("%s: %s returns %s", file, name, results[name])
			}
			return true
		})
	}
	for name := range unused {
		t.Errorf("%s is looked up and not called", name)
	}
}

var member = regexp.MustCompile(`^(.*?[ *])(\w+)$`)

func TestStructsAreLaidOutAsTheHeaderSays(t *testing.T) {
	text := header(t)
	sizes := map[string]uintptr{"int32_t": 4, "int64_t": 8, "size_t": 8}
	for name, here := range flagstore.Structs {
		_, rest, found := strings.Cut(text, "typedef struct "+name+" { ")
		body, _, _ := strings.Cut(rest, "; }")
		if !found {
			t.Errorf("the header has no %s", name)
			continue
		}
		members := strings.Split(body, "; ")
		fields := reflect.TypeOf(here)
		if fields.NumField() != len(members) {
			t.Errorf("%s has %d members, here %d", name, len(members), fields.NumField())
			continue
		}
		var offset uintptr
		for i, declared := range members {
			parts := member.FindStringSubmatch(declared)
			size, isNumber := sizes[strings.TrimSpace(parts[1])]
			if !isNumber {
				size = 8
			}
			offset = (offset + size - 1) / size * size
			field := fields.Field(i)
			isPointer := field.Type.Kind() == reflect.Pointer
			goName := strings.TrimPrefix(flagstore.Symbol(strings.ToUpper(field.Name[:1])+field.Name[1:]), "_")
			if goName != parts[2] || field.Offset != offset || field.Type.Size() != size || isPointer == isNumber {
				t.Errorf("%s: the header has %q at %d, here %s at %d", name, declared, offset, field.Name, field.Offset)
			}
			offset += size
		}
	}
}

// Every number of the header has its constant here, and every constant here its number in the header and its name in
// the library.
func TestNumbersAreThoseOfTheHeader(t *testing.T) {
	here := flagstore.Codes
	file := must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0))
	ast.Inspect(file, func(node ast.Node) bool {
		spec, _ := node.(*ast.ValueSpec)
		if spec == nil || !strings.HasPrefix(spec.Names[0].Name, "Err") {
			return true
		}
		value, _ := spec.Values[0].(*ast.UnaryExpr)
		number := must[int](t)(strconv.Atoi(value.X.(*ast.BasicLit).Value))
		code := flagstore.Code(-number)
		here[code.Error()] = code
		name := strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(code.Error(), "STORE_"), "ERROR_"), "_", ""))
		if !strings.EqualFold("Err"+name, spec.Names[0].Name) {
			t.Errorf("%s is %s", spec.Names[0].Name, code.Error())
		}
		return true
	})
	numbers := regexp.MustCompile(`(STORE_\w+) = (-?\d+)`).FindAllStringSubmatch(header(t), -1)
	for _, found := range numbers {
		number := must[int](t)(strconv.Atoi(found[2]))
		switch {
		case found[1] == "STORE_ABI_VERSION":
			if number != flagstore.ABI {
				t.Errorf("the header has ABI %d, here it is %d", number, flagstore.ABI)
			}
		case strings.HasPrefix(found[1], "STORE_LEVEL_"):
		default:
			if code, known := here[found[1]]; !known || int(code) != number {
				t.Errorf("%s is %d, here %d", found[1], number, code)
			}
			delete(here, found[1])
		}
	}
	for name := range here {
		t.Errorf("the header has no %s", name)
	}
}
