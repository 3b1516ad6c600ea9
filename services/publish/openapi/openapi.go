// Package openapi describes the publish service's API.
package openapi

import _ "embed" // for the document

// Document is the description, as served at /openapi.yaml.
//
//go:embed openapi.yaml
var Document []byte
