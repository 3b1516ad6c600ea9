package push

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"code.dny.dev/ssrf"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

func get(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	return err
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:1") // must mean nothing
	client := newClient(false)
	defer client.CloseIdleConnections()
	for name, host := range map[string]string{
		"loopback": "127.0.0.1", "any loopback": "127.9.9.9", "loopback, IPv6": "[::1]", "this host": "0.0.0.0", "this host, IPv6": "[::]",
		"private 10": "10.1.2.3", "private 172": "172.16.0.1", "private 192": "192.168.1.1", "unique local": "[fd00::1]",
		"link-local, where clouds keep credentials": "169.254.169.254", "link-local, IPv6": "[fe80::1]",
		"shared by carriers": "100.64.0.1", "multicast": "224.0.0.1", "multicast, IPv6": "[ff02::1]", "broadcast": "255.255.255.255",
		"loopback as mapped IPv4": "[::ffff:127.0.0.1]", "private as mapped IPv4": "[::ffff:10.0.0.1]", "NAT64 of loopback": "[64:ff9b::7f00:1]",
		"6to4 of loopback": "[2002:7f00:1::]", "a name for loopback": "localhost",
	} {
		t.Run(name, func(t *testing.T) {
			err := get(t, client, "http://"+host+":9/")
			if !errors.Is(err, ssrf.ErrProhibitedIP) {
				t.Fatalf("error %v, want ErrProhibitedIP before anything is sent", err)
			}
			if reason := reasonOf(err).Error(); !strings.Contains(reason, "private or reserved") || strings.Contains(reason, host) {
				t.Errorf("reason %q, want what is wrong without the address", reason)
			}
		})
	}
}

func TestPrivateAddressesAreReachedWhereThatIsMeant(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	defer func() { _ = server.Close(); <-served }()
	client := newClient(true)
	defer client.CloseIdleConnections()
	if err := get(t, client, "http://"+listener.Addr().String()); err != nil {
		t.Error(err)
	}
}
