package web_test

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/web"
)

func newFrame(ip net.IP) *echo.Echo {
	e := web.New(web.Options{
		Log: slog.New(slog.DiscardHandler), Addr: &net.TCPAddr{IP: ip, Port: 8080}, Origins: []string{"https://App.example.com:8443"},
		Auth: &auth.Verifier{}, Registry: web.NewRegistry(),
	})
	e.GET("/page", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	return e
}

func get(e *echo.Echo, host, path string) int {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Host = host
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Code
}

func TestHostThatMayBeSomebodyElsesIsRefused(t *testing.T) {
	local := newFrame(net.IPv4(127, 0, 0, 1))
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "127.0.0.1": 200, "192.168.1.2:80": 200, "[::1]:8080": 200, "[::1]": 200,
		"localhost:8080": 200, "LocalHost.": 200, "app.localhost:1": 200, "app.example.com": 200, "APP.example.com:9": 200,
		"attacker.example:8080": 403, "attacker.example": 403, "localhost.attacker.example": 403, "127.0.0.1.attacker.example": 403,
		"sub.app.example.com": 403, "attacker.example:127.0.0.1": 403, "publish:8080": 200, "": 200,
	} {
		if got := get(local, host, "/page"); got != want {
			t.Errorf("Host %q: %d, want %d", host, got, want)
		}
	}
	if got := get(local, "attacker.example", "/healthz"); got != http.StatusOK {
		t.Errorf("health: %d, want it for any Host", got)
	}
}

func TestServiceThatOthersReachHasWhateverNameTheyKnow(t *testing.T) {
	for _, ip := range []net.IP{net.IPv4zero, net.IPv6zero, net.IPv4(10, 0, 0, 1)} {
		if got := get(newFrame(ip), "subscribe:8081", "/page"); got != http.StatusOK {
			t.Errorf("on %s: %d, want 200", ip, got)
		}
	}
}
