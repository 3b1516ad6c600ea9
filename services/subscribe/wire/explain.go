package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Explain says in a client's words why JSON could not be read into one of our
// types: encoding/json's own text names Go's.
func Explain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := jsonPath(wrong.Field)
		if field == "" {
			field = "the whole"
		}
		return fmt.Sprintf("%s: a %s is not expected here", field, wrong.Value)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("no JSON at byte %d: %s", syntax.Offset, syntax)
	}
	return err.Error() // of our own types
}

// jsonPath is a field's path without the names of embedded types, which encoding/json puts into it.
func jsonPath(field string) string {
	path := slices.DeleteFunc(strings.Split(field, "."), func(name string) bool { return name != "" && unicode.IsUpper(rune(name[0])) })
	return strings.Join(path, ".")
}
