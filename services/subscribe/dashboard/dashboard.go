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

	"github.com/asyncmsglib/msgq/clients/js"
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

// Handler serves the page at /, its files under /dashboard/ and the browser
// client under /client/, to GET and HEAD. All else is 404, or 405.
func Handler() http.Handler {
	files := http.NewServeMux()
	add(files, static, "static", "/dashboard/")
	add(files, js.Client, ".", "/client/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		files.ServeHTTP(w, r)
	})
}

// add serves each file of a folder under a prefix, and index.html at / alone.
func add(mux *http.ServeMux, from embed.FS, folder, prefix string) {
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		panic("dashboard: " + err.Error()) // the folder is in the binary
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(from, path.Join(folder, entry.Name()))
		if err != nil {
			panic("dashboard: " + err.Error())
		}
		pattern := prefix + entry.Name()
		if entry.Name() == "index.html" {
			pattern = "/{$}"
		}
		mux.Handle("GET "+pattern, file(entry.Name(), content))
	}
}

// file answers with content; a browser keeps it but asks each time whether it is still the same.
func file(name string, content []byte) http.Handler {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", etag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}
