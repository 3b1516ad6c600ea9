package containers_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

const (
	natsImage = "nats:2.15-alpine" // the compose file's
	root      = "../.."            // the repository
)

// stack is a broker and both services on a network of their own.
type stack struct {
	harness.Stack // publishes and subscribes

	nats, publisher, subscriber *testcontainers.DockerContainer
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

// docker runs the command line client and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// build makes a service's image as a user would. The Docker API, which
// testcontainers builds with, has no session to pull base images in for BuildKit.
func build(t *testing.T, service string) (image string) {
	t.Helper()
	image = "msgq/" + service + ":test"
	docker(t, "build", "--quiet", "--file", "deploy/Dockerfile."+service, "--build-arg", "VERSION=test", "--tag", image, ".")
	return image
}

func startStack(t *testing.T) *stack {
	t.Helper()
	// The test removes what it starts; the reaper would be one more image to pull.
	t.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	publishImage, subscribeImage := build(t, "publish"), build(t, "subscribe")
	nw, err := network.New(t.Context())
	testcontainers.CleanupNetwork(t, nw)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{Stack: harness.Stack{Client: &http.Client{Timeout: msgqtest.Timeout}}}
	s.nats = run(t, nw, "nats", natsImage,
		testcontainers.WithCmd("-c", "/etc/nats/nats.conf"),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			HostFilePath: root + "/deploy/nats/nats.conf", ContainerFilePath: "/etc/nats/nats.conf", FileMode: 0o644,
		}),
		testcontainers.WithExposedPorts("8222/tcp"),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/healthz").WithPort("8222/tcp")))
	s.publisher = run(t, nw, "publish", publishImage, service("8080/tcp", nil))
	s.subscriber = run(t, nw, "subscribe", subscribeImage,
		service("8081/tcp", map[string]string{"MSGQ_PUBLISH_URL": "http://publish:8080"}))
	s.PublishURL = endpoint(t, s.publisher, "8080/tcp")
	s.SubscribeURL = endpoint(t, s.subscriber, "8081/tcp")
	return s
}

func (s *stack) services() map[string]*testcontainers.DockerContainer {
	return map[string]*testcontainers.DockerContainer{"publish": s.publisher, "subscribe": s.subscriber}
}

// killBroker ends the broker without warning and starts it again.
func (s *stack) killBroker(t *testing.T) {
	t.Helper()
	docker(t, "kill", "-s", "KILL", s.nats.GetContainerID())
	if err := s.nats.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// service is what both services are started with: as the compose file does it.
func service(port string, env map[string]string) testcontainers.CustomizeRequestOption {
	return func(req *testcontainers.GenericContainerRequest) error {
		req.Env = map[string]string{"MSGQ_NATS_URL": "nats://nats:4222", "MSGQ_INSECURE": "1", "MSGQ_LOG_FORMAT": "text"}
		maps.Copy(req.Env, env)
		req.ExposedPorts = []string{port}
		req.HostConfigModifier = func(h *container.HostConfig) {
			h.ReadonlyRootfs, h.CapDrop = true, []string{"ALL"}
		}
		req.WaitingFor = wait.ForHealthCheck().WithStartupTimeout(time.Minute)
		return nil
	}
}

// run starts a container that ends with the test, and shows its log if that failed.
func run(
	t *testing.T, nw *testcontainers.DockerNetwork, name, image string, opts ...testcontainers.ContainerCustomizer,
) *testcontainers.DockerContainer {
	t.Helper()
	ctr, err := testcontainers.Run(t.Context(), image, append(opts, network.WithNetwork([]string{name}, nw))...)
	testcontainers.CleanupContainer(t, ctr)
	if ctr != nil {
		t.Cleanup(func() { // runs before the one above
			if t.Failed() {
				showLog(t, name, ctr)
			}
		})
	}
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	return ctr
}

func showLog(t *testing.T, name string, ctr testcontainers.Container) {
	t.Helper()
	logs, err := ctr.Logs(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Logf("no log of %s: %v", name, err)
		return
	}
	defer func() { _ = logs.Close() }()
	text, _ := io.ReadAll(logs)
	t.Logf("the end of %s's log:\n%s", name, text[max(0, len(text)-8<<10):])
}

func endpoint(t *testing.T, ctr *testcontainers.DockerContainer, port string) string {
	t.Helper()
	address, err := ctr.PortEndpoint(t.Context(), port, "http")
	if err != nil {
		t.Fatal(err)
	}
	return address
}
