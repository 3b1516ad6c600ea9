package wire

import (
	"github.com/go-json-experiment/json"

	"github.com/asyncmsglib/msgq/services/internal/rawjson"
)

// Unmarshal reads JSON into one of our types. Names have to be equal to the letter: encoding/json would take TYPE for type.
// [Explain] says what is wrong with an error.
func Unmarshal(text []byte, v any, opts ...json.Options) error {
	return json.Unmarshal(text, v, append(opts, rawjson.Rules...)...)
}
