package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/asyncmsglib/msgq/services/subscribe/asyncapi"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// document is the protocol's description, as far as the tests look at it.
type document struct {
	schemas    map[string]*jsonschema.Schema // by type
	Info       struct{ Description string }
	Operations map[string]struct {
		Messages []struct {
			Ref string `json:"$ref"`
		}
	}
	Components struct {
		Messages map[string]struct {
			Examples []struct{ Payload json.RawMessage }
		}
		Schemas struct {
			Error struct {
				Properties struct {
					Code struct{ Enum []string }
				}
			}
		}
	}
}

func loadDocument() (*document, error) {
	var content any
	if err := yaml.Unmarshal(asyncapi.Document, &content); err != nil {
		return nil, err
	}
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	d := &document{schemas: make(map[string]*jsonschema.Schema)}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("asyncapi.json", whole); err != nil {
		return nil, err
	}
	for kind := range d.Components.Messages {
		if d.schemas[kind], err = compiler.Compile("asyncapi.json#/components/schemas/" + kind); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// check validates one object against the schema of its type.
func (d *document) check(kind, raw string) error {
	schema := d.schemas[kind]
	if schema == nil {
		return fmt.Errorf("type %q is not documented", kind)
	}
	object, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		return err
	}
	return schema.Validate(object)
}

// types are those of one direction.
func (d *document) types(operation string) []string {
	var kinds []string
	for _, m := range d.Operations[operation].Messages {
		kinds = append(kinds, m.Ref[strings.LastIndexByte(m.Ref, '/')+1:])
	}
	return kinds
}

func TestProtocolDocumentIsServedAndItsExamplesAreRight(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	if r := s.Do(t, http.MethodGet, s.SubscribeURL+"/asyncapi.yaml", ""); r.Status != http.StatusOK || !bytes.Equal(r.Body, asyncapi.Document) {
		t.Fatalf("status %d, %d bytes", r.Status, len(r.Body))
	}
	d, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"fromClient", "toClient"} {
		for _, kind := range d.types(operation) {
			if len(d.Components.Messages[kind].Examples) == 0 {
				t.Errorf("%s has no example", kind)
			}
			for _, example := range d.Components.Messages[kind].Examples {
				if err := d.check(kind, string(example.Payload)); err != nil {
					t.Errorf("%s %s: %v", kind, example.Payload, err)
				}
			}
		}
	}
	if err := d.check("pong", `{"type":"pong","more":1}`); err == nil {
		t.Error("an unknown field passes: the schemas check nothing")
	}
}

func TestExamplesOfTheProtocolDocumentAreUnderstood(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, harness.Options{})
	d, err := loadDocument()
	if err != nil {
		t.Fatal(err)
	}
	ws := s.Dial(t, nil)
	kinds := d.types("fromClient")
	last := slices.Index(kinds, "unsubscribe") // it ends what others need
	for _, kind := range append(slices.Delete(kinds, last, last+1), "unsubscribe") {
		for _, example := range d.Components.Messages[kind].Examples {
			ws.SendText(string(example.Payload))
			// The tags of an example are nobody's; all else has to be right.
			if f := ws.Next(); f.Type == "error" && f.Code != "unknown_tag" || len(f.Ref) == 0 {
				t.Errorf("%s is answered %s", example.Payload, f.Raw)
			}
		}
	}
}
