package push

import (
	"net"
	"net/http"
	"time"

	"code.dny.dev/ssrf"
)

// newClient returns the client for all webhooks. Unless private is set it refuses
// every address that is not a public one, when it connects: whatever a name in the
// DNS leads to by then.
func newClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !private {
		dialer.Control = ssrf.New(ssrf.WithAnyPort()).Safe
	}
	return &http.Client{
		Transport: &http.Transport{ // no Proxy: one in the environment is not meant for this, and would get round the check
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConnsPerHost:    1000, // as many as one queue may have at once
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		// A redirect is an answer like any other that is not 2xx: following it could lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
