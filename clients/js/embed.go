// Package js holds the browser client, so that a service can serve it.
package js

import "embed"

// Client is the ES module msgq.js and those it imports, to be served side by side as
// text/javascript.
//
//go:embed msgq.js connection.js subscription.js errors.js
var Client embed.FS
