package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/problem"
)

// probes are what monitors ask for, under whatever name they know.
var probes = []string{"/healthz", "/readyz", "/metrics"}

// checkHost refuses names that are not known to be this machine's, on a service that trusts whoever is on it: anybody may
// have a name of his lead here (DNS rebinding), and what checkOrigin sees of his page is then one of the service's own.
func checkHost(origins []string) echo.MiddlewareFunc {
	var known []string
	for _, origin := range origins {
		if u, err := url.Parse(origin); err == nil {
			known = append(known, strings.ToLower(u.Hostname()))
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			host := hostName(r)
			if isLocal(host) || slices.Contains(known, host) || slices.Contains(probes, r.URL.Path) {
				return next(c)
			}
			return problem.New(http.StatusForbidden, "forbidden", fmt.Sprintf("The Host %.100q may not be this machine's: "+
				"without authentication, IP addresses, names without a dot and the hosts of MSGQ_ALLOWED_ORIGINS are served.", host))
		}
	}
}

// hostName is the Host without its port, the brackets of IPv6 and the dot of a complete name.
func hostName(r *http.Request) string {
	return strings.ToLower(strings.TrimSuffix((&url.URL{Host: r.Host}).Hostname(), "."))
}

// isLocal reports whether nobody can have the host lead here: it is an address itself, one of the names kept for this
// (RFC 6761), or has no dot, as no name that one can buy.
func isLocal(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost")
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
