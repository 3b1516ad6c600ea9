package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Explain says in a client's words why JSON could not be read into one of our
// types: encoding/json's own text names Go's.
func Explain(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
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
