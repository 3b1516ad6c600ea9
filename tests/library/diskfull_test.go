package library_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

// The broker is told of more room than its disk has, as when others fill the disk.
func TestFullDiskRefusesMessagesAndKeepsWhatItAcknowledged(t *testing.T) {
	url := startNATS(t,
		testcontainers.WithCmd("--config", "/nats.conf"),
		testcontainers.WithFiles(testcontainers.ContainerFile{
			ContainerFilePath: "/nats.conf", FileMode: 0o644,
			Reader: strings.NewReader("jetstream { store_dir: /data, max_file_store: 10GB, sync_interval: always }"),
		}),
		testcontainers.WithHostConfigModifier(func(h *container.HostConfig) { h.Tmpfs = map[string]string{"/data": "size=32m"} }))
	c := msgqtest.Connect(t, url, func(cfg *msgq.Config) { cfg.MaxBytes = 1 << 30 })

	acknowledged, failures := 0, 0
	var err error
	for failures < 2 && acknowledged < 1000 {
		m := msgq.Message{Topic: "a", ID: strconv.Itoa(acknowledged), Data: make([]byte, 256<<10)}
		if _, err = c.Publish(t.Context(), m); err == nil {
			acknowledged++
			continue
		}
		failures++
		if !errors.Is(err, msgq.ErrUnavailable) && !errors.Is(err, msgq.ErrStreamFull) {
			t.Errorf("error %v, want ErrUnavailable or ErrStreamFull", err)
		}
	}
	t.Logf("%d messages of 256 KiB acknowledged, then: %v", acknowledged, err)
	if failures == 0 {
		t.Fatal("the disk did not fill up")
	}
	sub, err := msgqtest.Connect(t, url, nil).Live(t.Context(), msgq.Live{Topics: []string{"a"}, From: msgq.FromAll()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	read := 0
	for m, err := range sub.All(msgqtest.Context(t)) {
		if err != nil || m.ID != strconv.Itoa(read) {
			t.Fatalf("message %v, error %v, want %d", m, err, read)
		}
		read++
		if read == acknowledged {
			return
		}
	}
}
