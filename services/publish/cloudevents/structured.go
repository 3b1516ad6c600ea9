package cloudevents

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Structured reads an event in the JSON format.
func Structured(text []byte) (Event, error) {
	var members map[string]jsontext.Value // duplicate names and what is not UTF-8 are errors
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return Event{}, invalid("the event is not one JSON object in UTF-8, or has a member twice")
	}
	e := Event{Attributes: make(map[string]string, len(members))}
	data, encoded := members["data"], members["data_base64"]
	delete(members, "data")
	delete(members, "data_base64")
	for name, value := range members {
		if value.Kind() == 'n' {
			continue // as good as absent
		}
		text, ok := attribute(value)
		if !ok {
			return Event{}, invalid("the attribute %q is neither a string nor a boolean nor an integer of 32 bits", name)
		}
		e.Attributes[name] = text
	}
	e.DataContentType = e.Attributes["datacontenttype"]
	delete(e.Attributes, "datacontenttype")
	if err := e.setData(data, encoded); err != nil {
		return Event{}, err
	}
	return e, e.check()
}

func attribute(value jsontext.Value) (string, bool) {
	switch value.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, value)
		return string(text), err == nil
	case 't', 'f':
		return string(value), true
	case '0':
		n, err := strconv.ParseInt(string(value), 10, 32)
		return strconv.FormatInt(n, 10), err == nil
	}
	return "", false
}

func (e *Event) setData(data, encoded jsontext.Value) error {
	switch {
	case data != nil && encoded != nil:
		return invalid("data and data_base64, only one is allowed")
	case encoded != nil:
		text, err := jsontext.AppendUnquote(nil, encoded)
		if err != nil {
			return invalid("data_base64 is no string")
		}
		if e.Data, err = base64.StdEncoding.DecodeString(string(text)); err != nil {
			return invalid("data_base64 is not base64")
		}
	case data != nil:
		if e.DataContentType == "" {
			e.DataContentType = "application/json" // section 3.1.1 of the JSON format
		}
		e.Data = Data(e.DataContentType, data)
	default:
		e.DataContentType = "" // of nothing
	}
	return nil
}

// Data is the bytes that a JSON value stands for: itself where the content type
// declares JSON, else a string's text.
func Data(contentType string, value jsontext.Value) []byte {
	if value.Kind() != '"' || IsJSON(contentType) {
		return value
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return value // cannot be: it was parsed
	}
	return text
}
