// Package asyncapi describes the WebSocket protocol.
package asyncapi

import _ "embed" // for the document

// Document is the description, as served at /asyncapi.yaml.
//
//go:embed asyncapi.yaml
var Document []byte
