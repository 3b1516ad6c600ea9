package wire

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// kinds are what values are called that are not expected.
var kinds = map[jsontext.Kind]string{
	'n': "null", 't': "a boolean", 'f': "a boolean", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

// Explain says in a client's words why [Unmarshal] could not read JSON: the library's own text names Go's types.
func Explain(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends in the middle"
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("no JSON at byte %d: %s", syntax.ByteOffset, syntax.Err)
	}
	wrong, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return err.Error()
	}
	field := strings.Join(slices.Collect(wrong.JSONPointer.Tokens()), ".")
	switch kind, known := kinds[wrong.JSONKind]; {
	case errors.Is(wrong.Err, json.ErrUnknownName):
		return fmt.Sprintf("there is no field %.100q", field)
	case wrong.GoType == reflect.TypeFor[time.Time]() && wrong.JSONKind == '"':
		return fmt.Sprintf("%.100s: it is no time such as 2026-01-31T15:04:05Z", field)
	case wrong.GoType == reflect.TypeFor[Duration]() && wrong.JSONKind != '"': // refused in the library's words
		return fmt.Sprintf("%.100s: %s is not expected here", field, kind)
	case wrong.Err != nil && !errors.Is(wrong.Err, strconv.ErrSyntax) && !errors.Is(wrong.Err, strconv.ErrRange):
		return fmt.Sprintf("%.100s: %s", field, wrong.Err) // of our own types
	case field == "" && known:
		return kind + " is not expected here"
	case known:
		return fmt.Sprintf("%.100s: %s is not expected here", field, kind)
	}
	return fmt.Sprintf("%.100s: it is not what is expected here", field)
}
