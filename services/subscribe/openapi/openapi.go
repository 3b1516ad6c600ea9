// Package openapi describes the subscribe service's HTTP API.
package openapi

import _ "embed" // for the document

// Document is the description, as served at /openapi.yaml.
//
//go:embed openapi.yaml
var Document []byte
