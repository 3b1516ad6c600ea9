// Package mediatype reads content types.
package mediatype

import "strings"

// JSON is the media type that nearly all data has.
const JSON = "application/json"

// Of is what stands before the parameters, in lower case. What these are does not matter: mime.ParseMediaType
// gives nothing where one of them is there twice, and such data would escape the rules for its type.
func Of(contentType string) string {
	if contentType == JSON { // and need not be parsed
		return JSON
	}
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}
