package harness

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const secret = "a secret of the tests, long enough"

func writeSecret(t testing.TB) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Token is one with these permissions, the claim msgq, for so long.
func Token(t testing.TB, permissions map[string]any, d time.Duration) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": "tester", "exp": jwt.NewNumericDate(time.Now().Add(d)), "msgq": permissions}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Bearer is the header that brings a token which holds while the test may run.
func Bearer(t testing.TB, permissions map[string]any) string {
	t.Helper()
	return "Authorization: Bearer " + Token(t, permissions, time.Hour)
}

// DialSilent connects like Dial, without waiting for a welcome: the client has not authenticated yet.
func (s *Stack) DialSilent(t testing.TB) *Socket {
	t.Helper()
	conn, res, err := s.dial(t, http.Header{}, new(net.Dialer))
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, res)
	}
	return &Socket{Conn: conn, t: t}
}
