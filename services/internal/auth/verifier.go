package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/asyncmsglib/msgq/services/internal/problem"
	"github.com/asyncmsglib/msgq/services/internal/settings"
)

const (
	knownTokens = 4096
	maxToken    = 16 << 10 // bytes
	// trusted is how long a token is not checked again: a key works that much longer than it is in the set that was read.
	trusted = time.Minute
)

// Verifier checks tokens. Where nobody has to authenticate it allows everything.
type Verifier struct {
	parser *jwt.Parser // nil: nobody has to
	keys   jwt.Keyfunc
	known  *lru.Cache[string, checked]
}

type checked struct {
	grant *Grant
	at    time.Time
}

// New reads the keys that the settings name. A key set is read again until ctx ends.
func New(ctx context.Context, s settings.HTTP, log *slog.Logger) (*Verifier, error) {
	if s.Auth != settings.AuthJWT {
		return &Verifier{}, nil
	}
	keys, methods, err := keysOf(ctx, s, log)
	if err != nil {
		return nil, err
	}
	known, _ := lru.New[string, checked](knownTokens) // the error is for a size of 0
	return &Verifier{
		parser: jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithExpirationRequired()), keys: plain(keys), known: known,
	}, nil
}

// plain refuses a token that says that it must not be read without extensions, of which none is known here (RFC 7515, section 4.1.11).
func plain(keys jwt.Keyfunc) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		if t.Header["crit"] != nil {
			return nil, errors.New("the header crit is not understood")
		}
		return keys(t)
	}
}

// Required reports whether one has to authenticate.
func (v *Verifier) Required() bool { return v.parser != nil }

// Grant is what the token allows. The error is a problem with the code unauthenticated, or 503 while there are no keys.
func (v *Verifier) Grant(token string) (*Grant, error) {
	if !v.Required() {
		return anyone, nil
	}
	now := time.Now()
	if c, ok := v.known.Get(token); ok && now.Sub(c.at) < trusted && !c.grant.Expired(now) {
		return c.grant, nil
	}
	if len(token) > maxToken {
		return nil, unauthenticated("The token is too long.")
	}
	var claims Claims
	_, err := v.parser.ParseWithClaims(token, &claims, v.keys)
	switch {
	case errors.Is(err, errNoKeys):
		return nil, errNoKeys
	case err != nil:
		return nil, unauthenticated(explain(err))
	}
	grant := claims.grant()
	v.known.Add(token, checked{grant, now})
	return grant, nil
}

// Of is what the request's token allows.
func (v *Verifier) Of(r *http.Request) (*Grant, error) {
	if !v.Required() {
		return anyone, nil
	}
	token, ok := Token(r)
	if !ok {
		return nil, unauthenticated("A token is needed: Authorization: Bearer TOKEN.")
	}
	return v.Grant(token)
}

// Token is the request's: of the Authorization header, or for server-sent
// events, to which a browser adds no header, of the query.
func Token(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token), true
	}
	if r.URL.Path == "/v1/events" {
		token = r.URL.Query().Get("access_token")
		return token, token != ""
	}
	return "", false
}

// ErrExpired is for a token that ended during a request.
var ErrExpired = unauthenticated("The token has expired.")

func unauthenticated(detail string) error {
	return problem.New(http.StatusUnauthorized, "unauthenticated", detail)
}

// explain says what is wrong with a token, and nothing of the keys.
func explain(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired.Error()
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return "The token is not valid yet."
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return "The token has no exp."
	case errors.Is(err, jwt.ErrTokenMalformed):
		return "The token is no JWT, or its claims are not of the form expected."
	case errors.Is(err, jwt.ErrTokenInvalidClaims): // whoever made it learns what is wrong
		return "The token's claims are wrong: " + strings.ReplaceAll(err.Error(), "\n", " ") + "."
	}
	return "The token is not signed with a key known here."
}
