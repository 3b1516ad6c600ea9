package settings

import (
	"fmt"
	"net"
	"net/url"
)

// HTTP says who may reach a service. Its address is a setting of the service.
type HTTP struct {
	AllowedOrigins []string `env:"MSGQ_ALLOWED_ORIGINS" help:"Origins of pages on other hosts that may use this service, such as https://app.example.com."`
	Auth           string   `env:"MSGQ_AUTH" default:"none" help:"none: everybody who reaches the address may do everything."`
	Insecure       bool     `env:"MSGQ_INSECURE" help:"Allow an address that is not loopback although there is no authentication."`
}

// Check names every wrong setting, the service's address among them.
func (h HTTP) Check(addrName, addr string) []error {
	var wrong []error
	for _, origin := range h.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			wrong = append(wrong, fmt.Errorf("MSGQ_ALLOWED_ORIGINS: %q is no origin such as https://app.example.com", origin))
		}
	}
	if h.Auth != "none" {
		wrong = append(wrong, fmt.Errorf("MSGQ_AUTH: %q is not known to this version; only none is", h.Auth))
	}
	host, _, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		wrong = append(wrong, fmt.Errorf("%s: %q is no address such as 127.0.0.1:8080", addrName, addr))
	case !isLoopback(host) && !h.Insecure:
		wrong = append(wrong, fmt.Errorf("%s: %q can be reached from other machines, and MSGQ_AUTH=none lets everybody in: "+
			"use a loopback address, or set MSGQ_INSECURE=1 if that is meant", addrName, addr))
	}
	return wrong
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
