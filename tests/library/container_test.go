package library_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const natsImage = "nats:2.15-alpine" // the compose file's

// A plain NATS server with its own defaults, max_payload and sync_interval among them.
func TestConformanceOfAContainerisedServer(t *testing.T) {
	url := startNATS(t, testcontainers.WithCmd("--jetstream", "--store_dir", "/tmp/nats"))
	msgqtest.Conformance(t, func(t *testing.T) *msgq.Client {
		t.Helper()
		return msgqtest.Connect(t, url, func(cfg *msgq.Config) { cfg.TailBytes = 1 << 20 })
	})
}

// startNATS runs a server that ends with the test.
func startNATS(t *testing.T, opts ...testcontainers.ContainerCustomizer) (url string) {
	t.Helper()
	requireDocker(t)
	ctr, err := testcontainers.Run(t.Context(), natsImage, append(opts,
		testcontainers.WithExposedPorts("4222/tcp"),
		testcontainers.WithWaitStrategy(wait.ForLog("Server is ready").WithStartupTimeout(time.Minute)))...)
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatalf("start %s: %v", natsImage, err)
	}
	if url, err = ctr.PortEndpoint(t.Context(), "4222/tcp", "nats"); err != nil {
		t.Fatal(err)
	}
	return url
}

// requireDocker skips the test where there is no Docker.
func requireDocker(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), "docker", "info").Run()
	if err == nil {
		return
	}
	if os.Getenv("MSGQ_REQUIRE_DOCKER") == "1" {
		t.Fatalf("MSGQ_REQUIRE_DOCKER=1, but docker info: %v", err)
	}
	t.Skipf("needs Docker, and docker info failed: %v", err)
}
