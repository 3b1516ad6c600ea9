package cloudevents

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/asyncmsglib/msgq/services/internal/rawjson"
)

// Structured reads an event in the JSON format.
func Structured(text []byte) (Event, error) {
	members, err := rawjson.Members(text)
	if err != nil {
		return Event{}, invalid("the event is %v", err)
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
		switch {
		case stringAttributes[name] && value.Kind() != '"':
			return Event{}, invalid("the attribute %s is no string", name)
		case !ok:
			return Event{}, invalid("the attribute %.100q is neither a string in Unicode nor a boolean nor an integer of 32 bits", name)
		}
		e.Attributes[name] = text
	}
	e.DataContentType = e.Attributes["datacontenttype"]
	delete(e.Attributes, "datacontenttype")
	if encoded.Kind() == 'n' {
		encoded = nil
	}
	if err := e.setData(data, encoded); err != nil {
		return Event{}, err
	}
	return e, e.check()
}

// stringAttributes are those of the specification; extensions may have other types.
var stringAttributes = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "datacontenttype": true, "dataschema": true, "subject": true, "time": true,
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

func (e *Event) setData(data, encoded jsontext.Value) (err error) {
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
		e.Data, err = Data(e.DataContentType, data)
	case e.DataContentType != "": // of nothing: it stays an attribute
		e.Attributes["datacontenttype"], e.DataContentType = e.DataContentType, ""
	}
	return err
}

// Data is the bytes that a JSON value stands for: itself where the content type
// declares JSON, else a string's text, which must be Unicode.
func Data(contentType string, value jsontext.Value) ([]byte, error) {
	if value.Kind() != '"' || IsJSON(contentType) {
		return value, nil
	}
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return nil, invalid("the data is text with half a surrogate pair")
	}
	return text, nil
}
