package filter

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"github.com/go-json-experiment/json/jsontext"
)

// empty stands for every {} in a payload: a megabyte of them costs no map each.
var empty = map[string]any{}

// decode reads JSON into nil, []any, map[string]any and CEL's own types for the
// rest, which would else be allocated at each look at them; nil also where it is not valid JSON in valid UTF-8 or is nested
// more than 10,000 deep. Of equal names the last counts, as in encoding/json,
// which takes twice the time.
func decode(data []byte) any {
	if !utf8.Valid(data) {
		return nil
	}
	// Invalid UTF-8 can now only be written as an escape, "\ud800", which is valid JSON.
	d := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := decodeValue(d)
	if err != nil {
		return nil
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil
	}
	return v
}

func decodeValue(d *jsontext.Decoder) (any, error) {
	switch d.PeekKind() {
	case '{':
		return decodeObject(d)
	case '[':
		return decodeArray(d)
	case '0':
		text, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		return number(text), nil
	}
	token, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return types.String(token.String()), nil
	case 'n':
		return nil, nil
	default: // a closing bracket out of place is an error above
		return types.Bool(token.Bool()), nil
	}
}

func decodeObject(d *jsontext.Decoder) (any, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	object := empty
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // before the token's buffer is used again
		v, err := decodeValue(d)
		if err != nil {
			return nil, err
		}
		if len(object) == 0 {
			object = make(map[string]any)
		}
		object[key] = v
	}
	_, err := d.ReadToken()
	return object, err
}

func decodeArray(d *jsontext.Decoder) (any, error) {
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	array := []any{}
	for d.PeekKind() != ']' {
		v, err := decodeValue(d)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := d.ReadToken()
	return array, err
}

// number keeps whole numbers exact as long as 64 bits can; the rest is a double,
// infinite where it is too large for one.
func number(text []byte) any {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return types.Int(n)
	}
	if n, err := strconv.ParseUint(string(text), 10, 64); err == nil {
		return types.Uint(n)
	}
	f, _ := strconv.ParseFloat(string(text), 64)
	return types.Double(f)
}
