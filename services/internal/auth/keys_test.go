package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/asyncmsglib/msgq/services/internal/auth"
	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/settings"
)

func claims() *auth.Claims {
	return &auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: "me", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))},
		Msgq:             auth.Permissions{Publish: []string{"a.>"}, Queues: []string{"q"}, Filter: "data.n > 1", Admin: true},
	}
}

// sign is a token with these claims; kid may be empty.
func sign(t *testing.T, method jwt.SigningMethod, key any, kid string, c *auth.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func verifier(t *testing.T, s settings.HTTP) *auth.Verifier {
	t.Helper()
	s.Auth = settings.AuthJWT
	v, err := auth.New(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func publicPEM(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestGrantIsWhatTheClaimsSay(t *testing.T) {
	secret := strings.Repeat("s", 32)
	v := verifier(t, settings.HTTP{JWTSecretFile: file(t, secret+"\n")})
	for range 2 { // read, and known
		g, err := v.Grant(sign(t, jwt.SigningMethodHS512, []byte(secret), "", claims()))
		if err != nil {
			t.Fatal(err)
		}
		if g.Subject != "me" || !slices.Equal(g.Publish, []string{"a.>"}) || g.Subscribe != nil || !slices.Equal(g.Queues, []string{"q"}) ||
			g.Filter != "data.n > 1" || !g.Admin || g.Expired(time.Now()) || !g.Expired(time.Now().Add(2*time.Hour)) {
			t.Errorf("got %+v", g)
		}
	}
	unending := claims()
	unending.ExpiresAt = nil
	early := claims()
	early.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Minute))
	for name, token := range map[string]string{
		"no exp":         sign(t, jwt.SigningMethodHS256, []byte(secret), "", unending),
		"not yet":        sign(t, jwt.SigningMethodHS256, []byte(secret), "", early),
		"another secret": sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), "", claims()),
	} {
		if g, err := v.Grant(token); err == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestPublicKeysOfEachKindCheckTokens(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		public crypto.PublicKey
		key    any
		method jwt.SigningMethod
	}{
		"RSA":     {&rsaKey.PublicKey, rsaKey, jwt.SigningMethodRS256},
		"RSA PSS": {&rsaKey.PublicKey, rsaKey, jwt.SigningMethodPS512},
		"ECDSA":   {&ecKey.PublicKey, ecKey, jwt.SigningMethodES256},
		"Ed25519": {edPublic, edKey, jwt.SigningMethodEdDSA},
	} {
		t.Run(name, func(t *testing.T) {
			text := publicPEM(t, test.public)
			v := verifier(t, settings.HTTP{JWTPublicKeyFile: file(t, text)})
			if _, err := v.Grant(sign(t, test.method, test.key, "", claims())); err != nil {
				t.Error(err)
			}
			// Whoever knows the public key, and all may, must not be able to sign with it.
			if g, err := v.Grant(sign(t, jwt.SigningMethodHS256, []byte(text), "", claims())); err == nil {
				t.Errorf("the public key was taken for a secret: %+v", g)
			}
		})
	}
}

// keySet is an identity provider whose only key can change.
func keySet(t *testing.T, use ...jwkset.USE) (url string, change func(kid string, public crypto.PublicKey)) {
	t.Helper()
	var document atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, ok := document.Load().([]byte)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(server.Close)
	return server.URL, func(kid string, public crypto.PublicKey) {
		store := jwkset.NewMemoryStorage()
		jwk, err := jwkset.NewJWKFromKey(public, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid, USE: append(use, "")[0]}})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.KeyWrite(context.Background(), jwk); err != nil {
			t.Fatal(err)
		}
		text, err := store.JSONPublic(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		document.Store([]byte(text))
	}
}

func TestKeyForEncryptionSignsNothing(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for use, want := range map[jwkset.USE]bool{jwkset.UseSig: true, jwkset.UseEnc: false} {
		url, change := keySet(t, use)
		change("one", key.Public())
		v := verifier(t, settings.HTTP{JWKSURL: url})
		if _, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, key, "one", claims())); (err == nil) != want {
			t.Errorf("use %s: %v, want ok %t", use, err, want)
		}
	}
}

func TestTokenWithCriticalHeadersIsRefused(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	v := verifier(t, settings.HTTP{JWTSecretFile: file(t, string(secret))})
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims())
	token.Header["crit"] = []string{"exp"}
	text, err := token.SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := v.Grant(text); err == nil {
		t.Errorf("got %+v", g)
	}
}

func TestKeySetIsReadAgainForAKeyThatIsNew(t *testing.T) {
	var keys [2]ed25519.PrivateKey
	for i := range keys {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	url, change := keySet(t)
	change("one", keys[0].Public())
	v := verifier(t, settings.HTTP{JWKSURL: url})
	if _, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, keys[0], "one", claims())); err != nil {
		t.Error(err)
	}
	if g, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, keys[1], "one", claims())); err == nil {
		t.Errorf("signed with another key: %+v", g)
	}
	change("two", keys[1].Public())
	if _, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, keys[1], "two", claims())); err != nil {
		t.Error(err)
	}
	if g, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, keys[1], "three", claims())); err == nil {
		t.Errorf("a key of nobody: %+v", g)
	}
}

func TestTokensAreNotRefusedWhileTheKeySetCannotBeRead(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	v := verifier(t, settings.HTTP{JWKSURL: down.URL})
	_, err = v.Grant(sign(t, jwt.SigningMethodEdDSA, key, "one", claims()))
	if p := problem.Of(err); p.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %v, want 503", p.Status, err)
	}
	for what, token := range map[string]string{
		"no JWT":         "a.b.c",
		"another method": sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("s", 32)), "", claims()),
	} {
		if _, err := v.Grant(token); problem.Of(err).Status != http.StatusUnauthorized {
			t.Errorf("%s: %v, want 401", what, err)
		}
	}
}

func TestKeySetThatWasNotThereAtTheStartIsReadForAToken(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	url, change := keySet(t)
	v := verifier(t, settings.HTTP{JWKSURL: url}) // it answers 404
	change("one", key.Public())
	if _, err := v.Grant(sign(t, jwt.SigningMethodEdDSA, key, "", claims())); err != nil {
		t.Error(err)
	}
}

func TestKeysThatAreNoneAreRefusedAtTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		settings settings.HTTP
		names    string
	}{
		"a short secret":       {settings.HTTP{JWTSecretFile: file(t, "secret")}, "MSGQ_JWT_SECRET_FILE"},
		"no file":              {settings.HTTP{JWTSecretFile: "/nowhere"}, "MSGQ_JWT_SECRET_FILE"},
		"a secret as a key":    {settings.HTTP{JWTPublicKeyFile: file(t, strings.Repeat("s", 64))}, "MSGQ_JWT_PUBLIC_KEY_FILE"},
		"an empty public key":  {settings.HTTP{JWTPublicKeyFile: file(t, "")}, "MSGQ_JWT_PUBLIC_KEY_FILE"},
		"no public key's file": {settings.HTTP{JWTPublicKeyFile: "/nowhere"}, "MSGQ_JWT_PUBLIC_KEY_FILE"},
	} {
		test.settings.Auth = settings.AuthJWT
		_, err := auth.New(t.Context(), test.settings, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%s: error %v, want one that names %s", name, err, test.names)
		}
	}
}
