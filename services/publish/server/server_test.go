package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/services/publish/server"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }

// broker is a NATS server whose configuration a test changes while it runs.
type broker struct {
	*natsserver.Server
	t    *testing.T
	file string
}

// startBroker runs a server with these lines added to its configuration.
func startBroker(t *testing.T, lines string) *broker {
	t.Helper()
	b := &broker{t: t, file: filepath.Join(t.TempDir(), "nats.conf")}
	b.configure("port: -1\nhost: 127.0.0.1\njetstream { store_dir: '" + t.TempDir() + "' }\n" + lines)
	opts, err := natsserver.ProcessConfigFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	if b.Server, err = natsserver.NewServer(opts); err != nil {
		t.Fatal(err)
	}
	b.Start()
	t.Cleanup(func() {
		b.Shutdown()
		b.WaitForShutdown()
	})
	if !b.ReadyForConnections(msgqtest.Timeout) {
		t.Fatal("the broker is not ready")
	}
	return b
}

func (b *broker) configure(text string) {
	b.t.Helper()
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// change replaces a text of the configuration.
func (b *broker) change(before, after string) {
	b.t.Helper()
	text, err := os.ReadFile(b.file)
	if err != nil || !strings.Contains(string(text), before) {
		b.t.Fatalf("%q is not in %s: %v", before, text, err)
	}
	b.configure(strings.ReplaceAll(string(text), before, after))
	if err := b.Reload(); err != nil {
		b.t.Fatal(err)
	}
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start serves until the test ends.
func start(t *testing.T, cfg server.Config) (url string, log *journal) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = new(journal)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l, cfg, slog.New(slog.NewTextHandler(log, nil))) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the service ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String(), log
}

func config(t *testing.T, natsURL string) server.Config {
	t.Helper()
	t.Setenv("MSGQ_NATS_URL", natsURL)
	cfg, err := server.ParseConfig()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func do(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(msgqtest.Context(t), method, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func waitReady(t *testing.T, url string) {
	t.Helper()
	msgqtest.Eventually(t, "ready", func() bool {
		status, _ := do(t, http.MethodGet, url+"/readyz")
		return status == http.StatusOK
	})
}

func TestPermissionThatIsRemovedTurnsReadinessOff(t *testing.T) {
	const allowed, denied = "publish: '>'", "publish: { deny: 'events.t.>' }"
	b := startBroker(t, "authorization { users: [{ user: msgq, password: secret, permissions: { "+allowed+", subscribe: '>' } }] }")
	cfg := config(t, b.ClientURL())
	cfg.NATSUser, cfg.NATSPasswordFile = "msgq", filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(cfg.NATSPasswordFile, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := start(t, cfg)
	waitReady(t, url)
	b.change(allowed, denied)
	if status, body := do(t, http.MethodGet, url+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "permission") {
		t.Errorf("denied: readiness %d, %s", status, body)
	}
	if status, body := do(t, http.MethodPost, url+"/v1/topics/a/messages"); status != http.StatusServiceUnavailable {
		t.Errorf("denied: publish %d, %s", status, body)
	}
	b.change(denied, allowed)
	waitReady(t, url)
	if status, body := do(t, http.MethodPost, url+"/v1/topics/a/messages"); status != http.StatusCreated {
		t.Errorf("allowed again: publish %d, %s", status, body)
	}
}

func TestStreamThatIsMissingTurnsReadinessOff(t *testing.T) {
	b := startBroker(t, "")
	cfg := config(t, b.ClientURL())
	cfg.Provision = false
	url, _ := start(t, cfg)
	if status, body := do(t, http.MethodGet, url+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "lacks the stream") {
		t.Errorf("readiness %d, %s", status, body)
	}
	msgqtest.Connect(t, b.ClientURL(), nil) // makes the streams
	waitReady(t, url)
}

func TestStartTellsWhatIsLessThanAskedFor(t *testing.T) {
	b := startBroker(t, "max_payload: 512KB")
	js := msgqtest.JetStream(t, b.ClientURL())
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "EVENTS", Subjects: []string{"events.t.>", "events.q.>"}, AllowDirect: true, AllowMsgTTL: true,
		Storage: jetstream.FileStorage, PersistMode: jetstream.AsyncPersistMode, MaxAge: time.Hour,
	}); err != nil {
		t.Fatal(err)
	}
	url, log := start(t, config(t, b.ClientURL()))
	waitReady(t, url)
	for _, want := range []string{
		"persist mode is async", "max age is 1h0m0s, not 168h0m0s", "MSGQ_MAX_BODY", "limit=448KiB", "sync_interval",
	} {
		msgqtest.Eventually(t, want+" in the log", func() bool { return strings.Contains(log.String(), want) })
	}
	if warnings := strings.Count(log.String(), "less durable"); warnings != 1 {
		t.Errorf("%d warnings of less durability, want one", warnings)
	}
}
