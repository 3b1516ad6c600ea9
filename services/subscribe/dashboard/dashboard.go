// Package dashboard serves the page that shows and publishes messages, and the
// browser client it is built on. All of it is in the binary; the page talks to
// nothing but its own host: /v1/ws and POST /v1/topics/{topic}/messages.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/clients/js"
	"github.com/asyncmsglib/msgq/services/internal/web"
)

//go:embed static
var static embed.FS

// policy lets the page run its own files and nothing else. 'self' covers
// WebSockets to the same host. Trusted types make the browser itself refuse
// text that is to become HTML.
const policy = "default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// contentTypes are fixed here because package mime asks the machine it runs on.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Routes adds the page at /, its files under /dashboard/ and the browser client under /client/.
func Routes(e *echo.Echo) {
	add(e, static, "static", "/dashboard/")
	add(e, js.Client, ".", "/client/")
}

// add serves each file of a folder under a prefix, and index.html at / alone.
func add(e *echo.Echo, from embed.FS, folder, prefix string) {
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		panic("dashboard: " + err.Error()) // the folder is in the binary
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(from, path.Join(folder, entry.Name()))
		if err != nil {
			panic("dashboard: " + err.Error())
		}
		at := prefix + entry.Name()
		if entry.Name() == "index.html" {
			at = "/"
		}
		e.Match(web.Reading, at, file(entry.Name(), content))
	}
}

// file answers with content; a browser keeps it but asks each time whether it is still the same.
func file(name string, content []byte) echo.HandlerFunc {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", etag)
		http.ServeContent(c.Response(), c.Request(), name, time.Time{}, bytes.NewReader(content))
		return nil
	}
}
