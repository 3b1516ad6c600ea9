package settings

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// HTTP says who may reach a service. Its address is a setting of the service.
type HTTP struct {
	AllowedOrigins []string `env:"MSGQ_ALLOWED_ORIGINS" help:"Origins of pages on other hosts that may use this service, such as https://app.example.com."`
	Auth           string   `env:"MSGQ_AUTH" default:"none" help:"none: everybody who reaches the address may do everything. jwt: what a token's claims allow."`
	Insecure       bool     `env:"MSGQ_INSECURE" help:"Allow an address that is not loopback although there is no authentication."`

	JWTSecretFile    string `name:"jwt-secret-file" env:"MSGQ_JWT_SECRET_FILE" help:"File that holds the secret with which tokens are signed (HS256, HS384, HS512)."`
	JWTPublicKeyFile string `name:"jwt-public-key-file" env:"MSGQ_JWT_PUBLIC_KEY_FILE" help:"PEM file with the public key to check tokens with (RSA, ECDSA, Ed25519)."`
	JWKSURL          string `name:"jwks-url" env:"MSGQ_JWKS_URL" help:"Where an identity provider lists its public keys."`
}

// AuthJWT is the value of Auth with which everybody needs a token.
const AuthJWT = "jwt"

// Check names every wrong setting, the service's address among them.
func (h HTTP) Check(addrName, addr string) []error {
	var wrong []error
	for _, origin := range h.AllowedOrigins {
		if !isOrigin(origin) {
			wrong = append(wrong, fmt.Errorf("MSGQ_ALLOWED_ORIGINS: %q is no origin as browsers send it, such as https://app.example.com: "+
				"scheme and host in small letters, no port that is the scheme's own, no path, no wildcard", origin))
		}
	}
	wrong = append(wrong, h.checkAuth()...)
	host, port, err := net.SplitHostPort(addr)
	_, errPort := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || errPort != nil:
		wrong = append(wrong, fmt.Errorf("%s: %q is no address such as 127.0.0.1:8080", addrName, addr))
	case h.Auth == "none" && !isLoopback(host) && !h.Insecure:
		wrong = append(wrong, fmt.Errorf("%s: %q can be reached from other machines, and MSGQ_AUTH=none lets everybody in: "+
			"set MSGQ_AUTH=jwt, use a loopback address, or set MSGQ_INSECURE=1 if that is meant", addrName, addr))
	}
	return wrong
}

func (h HTTP) checkAuth() []error {
	var wrong []error
	given := 0
	for _, file := range []string{h.JWTSecretFile, h.JWTPublicKeyFile} {
		if file != "" {
			given++ // and what is in it is looked at by package auth
		}
	}
	if h.JWKSURL != "" {
		given++
		if u, err := url.Parse(h.JWKSURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			wrong = append(wrong, fmt.Errorf("MSGQ_JWKS_URL: %q is no URL such as https://id.example.com/.well-known/jwks.json", h.JWKSURL))
		}
	}
	const keys = "one of MSGQ_JWT_SECRET_FILE, MSGQ_JWT_PUBLIC_KEY_FILE and MSGQ_JWKS_URL"
	switch {
	case h.Auth != "none" && h.Auth != AuthJWT:
		wrong = append(wrong, fmt.Errorf("MSGQ_AUTH: %q is neither none nor jwt", h.Auth))
	case h.Auth == AuthJWT && given != 1:
		wrong = append(wrong, fmt.Errorf("MSGQ_AUTH: jwt needs %s, %d are set", keys, given))
	case h.Auth == "none" && given > 0: // somebody believes that tokens are checked
		wrong = append(wrong, fmt.Errorf("MSGQ_AUTH: none checks no token, but %s is set; jwt is meant", keys))
	}
	return wrong
}

// isOrigin tells whether a browser can send it: it is compared letter by letter (RFC 6454, section 6.2).
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || strings.Contains(text, "*") || text != strings.ToLower(text) {
		return false
	}
	ownPort := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return text == u.Scheme+"://"+u.Host && (u.Port() == "" || u.Port() != ownPort) && !strings.HasSuffix(text, ":")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
