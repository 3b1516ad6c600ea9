package main

import (
	"errors"
	"net/url"
	"strings"
)

// serviceURL is where a service is, without a slash at its end.
type serviceURL string

// UnmarshalText refuses what no request could be sent to.
func (u *serviceURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil {
		return err
	}
	if parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return errors.New("a URL such as http://127.0.0.1:8080 is expected, not " + string(text))
	}
	*u = serviceURL(strings.TrimRight(string(text), "/"))
	return nil
}
