package containers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// A stream that met a full disk stays frozen when there is room again, until
// the broker is started anew: the publish service is not ready for as long, and says why.
func TestServiceIsNotReadyWhileTheBrokersDiskIsFrozen(t *testing.T) {
	requireDocker(t)
	ctr := startSmallDisk(t)
	url, err := ctr.PortEndpoint(t.Context(), "4222/tcp", "nats")
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"--max-bytes=1GiB"} // more than the disk has
	s := harness.Start(t, harness.Options{NATSURL: url, PublishFlags: flags, SubscribeFlags: flags})
	readyz := func() harness.Response { return s.Do(t, http.MethodGet, s.PublishURL+"/readyz", "") }
	publish := func() harness.Response {
		return s.Do(t, http.MethodPost, s.PublishURL+"/v1/topics/a/messages", strings.Repeat("x", 256<<10))
	}

	acknowledged := 0
	for publish().Status == http.StatusCreated {
		acknowledged++
		if acknowledged > 1000 {
			t.Fatal("the disk did not fill up")
		}
	}
	for _, what := range []string{"full", "with room again"} {
		if what != "full" {
			shell(t, ctr, "rm /data/ballast")
		}
		if r := readyz(); r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), "disk") {
			t.Errorf("disk %s: readiness %d %s", what, r.Status, r.Body)
		}
	}
	shell(t, ctr, "killall nats-server")
	s.WaitReady(t)
	if r := publish(); r.Status != http.StatusCreated {
		t.Errorf("broker started anew: %d %s", r.Status, r.Body)
	}
	sub, err := msgqtest.Connect(t, url, func(cfg *msgq.Config) { cfg.MaxBytes = 1 << 30 }).
		Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	read := 0
	for _, err := range sub.All(msgqtest.Context(t)) {
		if err != nil {
			t.Fatalf("%d of %d acknowledged messages read: %v", read, acknowledged+1, err)
		}
		read++
		if read == acknowledged+1 {
			return
		}
	}
}

// startSmallDisk runs a broker on a disk of 32 MiB, half of which is taken by others' data.
func startSmallDisk(t *testing.T) testcontainers.Container {
	t.Helper()
	ctr, err := testcontainers.Run(t.Context(), natsImage,
		testcontainers.WithEntrypoint("sh", "-c"),
		testcontainers.WithCmd("trap 'exit 0' TERM; dd if=/dev/zero of=/data/ballast bs=1M count=16; while :; do nats-server --config /nats.conf & wait; done"),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			ContainerFilePath: "/nats.conf", FileMode: 0o644,
			Reader: strings.NewReader("jetstream { store_dir: /data, max_file_store: 10GB, sync_interval: always }"),
		}),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Tmpfs = map[string]string{"/data": "size=32m"} }),
		testcontainers.WithExposedPorts("4222/tcp"),
		testcontainers.WithWaitStrategy(wait.ForLog("Server is ready").WithStartupTimeout(time.Minute)))
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatalf("start %s: %v", natsImage, err)
	}
	return ctr
}

func shell(t *testing.T, ctr testcontainers.Container, command string) {
	t.Helper()
	if code, _, err := ctr.Exec(t.Context(), []string{"sh", "-c", command}); err != nil || code != 0 {
		t.Fatalf("%s: exit code %d, %v", command, code, err)
	}
}
