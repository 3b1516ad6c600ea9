package auth

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/settings"
)

// A token may only be signed in a way that suits the keys: a public key must never be taken for a shared secret.
var (
	symmetric  = []string{"HS256", "HS384", "HS512"}
	asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

const (
	minSecret    = 32               // bytes, as many as the smallest hash has (RFC 7518, section 3.2)
	refreshKeys  = 10 * time.Minute // a key set is read again
	unknownKeys  = 10 * time.Second // and sooner, at most this often, where a token names a key that is not in it
	fetchTimeout = 3 * time.Second
)

// Check reads the key that the settings name, but for a set of keys, and returns what is wrong with it.
func Check(s settings.HTTP) error {
	var err error
	switch {
	case s.JWTSecretFile != "":
		_, err = readSecret(s.JWTSecretFile)
	case s.JWTPublicKeyFile != "":
		_, err = readPublicKey(s.JWTPublicKeyFile)
	}
	return err
}

// keysOf finds the keys that the settings name, and how they may have signed.
func keysOf(ctx context.Context, s settings.HTTP, log *slog.Logger) (jwt.Keyfunc, []string, error) {
	switch {
	case s.JWTSecretFile != "":
		secret, err := readSecret(s.JWTSecretFile)
		if err != nil {
			return nil, nil, err
		}
		return func(*jwt.Token) (any, error) { return secret, nil }, symmetric, nil
	case s.JWTPublicKeyFile != "":
		key, err := readPublicKey(s.JWTPublicKeyFile)
		if err != nil {
			return nil, nil, err
		}
		return func(*jwt.Token) (any, error) { return key, nil }, asymmetric, nil
	}
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{s.JWKSURL}, keyfunc.Override{
		HTTPTimeout: fetchTimeout, RefreshInterval: refreshKeys,
		// The wait is shorter than the interval: a flood of bad tokens is refused at once.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(unknownKeys), 1), RateLimitWaitMax: time.Second,
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(_ context.Context, err error) { log.Warn("key set not read", "url", url, "error", err) }
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("MSGQ_JWKS_URL: %w", err)
	}
	signing, err := keyfunc.New(keyfunc.Options{Ctx: ctx, Storage: keys.Storage(), UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}})
	if err != nil {
		return nil, nil, fmt.Errorf("MSGQ_JWKS_URL: %w", err)
	}
	none := func() bool {
		read, _ := keys.Storage().KeyReadAll(ctx)
		return len(read) == 0
	}
	return func(t *jwt.Token) (any, error) {
		if none() { // a token need not name its key
			_, _ = keys.Storage().KeyRead(ctx, "any") // reads the set, unless it was tried just now
			if none() {
				return nil, errNoKeys
			}
		}
		return signing.Keyfunc(t)
	}, asymmetric, nil
}

// errNoKeys is no fault of the token.
var errNoKeys = problem.New(http.StatusServiceUnavailable, "overloaded",
	"Tokens cannot be checked: the key set has not been read yet, or has no keys.")

func readSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("MSGQ_JWT_SECRET_FILE: %w", err)
	}
	secret = bytes.TrimRight(secret, "\r\n")
	if len(secret) < minSecret {
		return nil, fmt.Errorf("MSGQ_JWT_SECRET_FILE: the secret has %d bytes, at least %d are needed; openssl rand -base64 48 makes one",
			len(secret), minSecret)
	}
	return secret, nil
}

// readPublicKey reads a PEM file with a key of RSA, ECDSA or Ed25519, or a certificate with one of the first two.
func readPublicKey(path string) (crypto.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("MSGQ_JWT_PUBLIC_KEY_FILE: %w", err)
	}
	if key, err := jwt.ParseRSAPublicKeyFromPEM(text); err == nil {
		return key, nil
	}
	if key, err := jwt.ParseECPublicKeyFromPEM(text); err == nil {
		return key, nil
	}
	if key, err := jwt.ParseEdPublicKeyFromPEM(text); err == nil {
		return key, nil
	}
	return nil, errors.New("MSGQ_JWT_PUBLIC_KEY_FILE: " + path + " is no PEM file with a public key of RSA, ECDSA or Ed25519")
}
