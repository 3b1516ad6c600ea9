package msgq_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/asyncmsglib/msgq/pkg/msgq"
	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

const (
	pushSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	otherSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// pushQueue has secret as it is given; nil leaves it out.
func pushQueue(secret *string) msgq.Queue {
	return msgq.Queue{Name: "q", Topics: []string{"a"}, Push: &msgq.Push{URL: "https://example.com/hook", Secret: secret}}
}

func putQueue(t *testing.T, c *msgq.Client, q msgq.Queue) msgq.Queue {
	t.Helper()
	if _, err := c.PutQueue(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	info, err := c.QueueInfo(t.Context(), q.Name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Queue
}

func checkSecret(t *testing.T, c *msgq.Client, want string) {
	t.Helper()
	info, err := c.QueueInfo(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	if push := info.Queue.Push; push != nil && push.SecretID != "" {
		if got, err = c.PushSecret(t.Context(), "q", push.SecretID); err != nil {
			t.Errorf("secret: %v", err)
		}
	}
	if got != want {
		t.Errorf("secret %q, want %q", got, want)
	}
}

// checkSecrets checks which secrets are kept at all.
func checkSecrets(t *testing.T, url string, want ...string) {
	t.Helper()
	bucket, err := msgqtest.JetStream(t, url).KeyValue(t.Context(), "EVENTS_SECRETS")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := bucket.Keys(t.Context())
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		t.Fatal(err)
	}
	var got []string
	for _, key := range keys {
		entry, err := bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(entry.Value()))
	}
	if !slices.Equal(got, want) {
		t.Errorf("secrets %q are kept, want %q", got, want)
	}
}

func TestPushSecretIsKeptUntilItIsChangedOrRemoved(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	first := putQueue(t, c, pushQueue(new(pushSecret)))
	if first.Push.SecretID == "" || first.Push.Secret != nil {
		t.Errorf("push is %+v, want the secret named, not told", first.Push)
	}
	s.Restart()
	msgqtest.Eventually(t, "the first client is back", func() bool {
		_, err := c.QueueInfo(t.Context(), "q")
		return err == nil
	})
	checkSecret(t, s.Connect(nil), pushSecret) // another instance
	if kept := putQueue(t, c, pushQueue(nil)); kept.Push.SecretID != first.Push.SecretID {
		t.Error("a change without a secret must keep it")
	}
	if changed := putQueue(t, c, pushQueue(new(otherSecret))); changed.Push.SecretID == first.Push.SecretID {
		t.Error("another secret must have another name, or no instance would notice")
	}
	checkSecret(t, c, otherSecret)
	checkSecrets(t, s.URL, otherSecret)
	if removed := putQueue(t, c, pushQueue(new(""))); removed.Push.SecretID != "" {
		t.Errorf("push is %+v, want no secret", removed.Push)
	}
	checkSecret(t, c, "")
	checkSecrets(t, s.URL)
}

func TestPushSecretGoesWithItsQueueAndItsPush(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	putQueue(t, c, pushQueue(new(pushSecret)))
	if q := putQueue(t, c, msgq.Queue{Name: "q"}); q.Push != nil {
		t.Errorf("push is %+v, want none", q.Push)
	}
	checkSecrets(t, s.URL)
	putQueue(t, c, pushQueue(new(pushSecret)))
	if err := c.DeleteQueue(t.Context(), "q"); err != nil {
		t.Fatal(err)
	}
	checkSecrets(t, s.URL)
	if q := putQueue(t, c, pushQueue(nil)); q.Push.SecretID != "" {
		t.Error("a new queue must not have the secret of an earlier one")
	}
}

// putBoth has two clients change the queue at once, and returns its push settings after that.
func putBoth(t *testing.T, a, b *msgq.Client, one, two msgq.Queue) *msgq.Push {
	t.Helper()
	var both sync.WaitGroup
	for c, q := range map[*msgq.Client]msgq.Queue{a: one, b: two} {
		both.Go(func() {
			if _, err := c.PutQueue(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	info, err := a.QueueInfo(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return info.Queue.Push
}

func TestPushSecretIsThatOfItsSettingsHoweverManyChangeThemAtOnce(t *testing.T) {
	s := msgqtest.NewServer(t)
	a, b := s.Connect(nil), s.Connect(nil)
	one, two := pushQueue(new(pushSecret)), pushQueue(new(otherSecret))
	two.Push.URL += "/other"
	for range 100 {
		if push := putBoth(t, a, b, one, two); push.URL == one.Push.URL {
			checkSecret(t, a, pushSecret)
		} else {
			checkSecret(t, a, otherSecret)
		}
		putQueue(t, a, one)
		checkSecrets(t, s.URL, pushSecret)
		if push := putBoth(t, a, b, pushQueue(nil), msgq.Queue{Name: "q"}); push != nil && push.SecretID != "" {
			checkSecret(t, a, pushSecret)
		}
	}
}

func TestSeekLeavesNoSettingsWithoutTheirSecret(t *testing.T) {
	s := msgqtest.NewServer(t)
	a, b := s.Connect(nil), s.Connect(nil)
	for range 15 {
		putQueue(t, a, pushQueue(new(pushSecret)))
		var both sync.WaitGroup
		both.Go(func() {
			if err := a.SeekQueue(t.Context(), "q", msgq.FromAll()); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := b.PutQueue(t.Context(), msgq.Queue{Name: "q"}); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if info, err := a.QueueInfo(t.Context(), "q"); err != nil {
			t.Fatal(err)
		} else if info.Queue.Push != nil {
			checkSecret(t, a, pushSecret)
		}
	}
}

func TestPushSecretThatIsGoneIsNotKept(t *testing.T) {
	s := msgqtest.NewServer(t)
	c := s.Connect(nil)
	putQueue(t, c, pushQueue(new(pushSecret)))
	if err := msgqtest.JetStream(t, s.URL).DeleteKeyValue(t.Context(), "EVENTS_SECRETS"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutQueue(t.Context(), pushQueue(nil)); !errors.Is(err, msgq.ErrInvalidQueue) || !strings.Contains(err.Error(), "push.secret") {
		t.Errorf("error %v, want ErrInvalidQueue that names the field", err)
	}
	putQueue(t, c, pushQueue(new(otherSecret)))
	checkSecret(t, c, otherSecret)
}

func TestPushSecretIsNotInTheConsumer(t *testing.T) {
	s := msgqtest.NewServer(t)
	putQueue(t, s.Connect(nil), pushQueue(new(pushSecret)))
	js := msgqtest.JetStream(t, s.URL)
	consumer, err := js.Consumer(t.Context(), "EVENTS", "q")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(consumer.CachedInfo())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), strings.TrimPrefix(pushSecret, "whsec_")) || !strings.Contains(string(text), "example.com") {
		t.Errorf("the consumer is %s, want the URL in it and not the secret", text)
	}
}

func TestPushSecretWaitsForItsBucketWhereNothingMayBeCreated(t *testing.T) {
	s := msgqtest.NewServer(t)
	s.Connect(nil) // creates the streams
	c := s.Connect(func(cfg *msgq.Config) { cfg.NoProvision = true })
	if _, err := c.PutQueue(t.Context(), pushQueue(new(pushSecret))); !errors.Is(err, msgq.ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
	if _, err := c.QueueInfo(t.Context(), "q"); !errors.Is(err, msgq.ErrQueueNotFound) {
		t.Errorf("error %v, want no queue without its secret", err)
	}
}

func TestPushSettingsOutsideTheirLimitsAreRefused(t *testing.T) {
	c := msgqtest.NewServer(t).Connect(nil)
	for name, p := range map[string]msgq.Push{
		"no URL":                   {},
		"a path":                   {URL: "/hook"},
		"another scheme":           {URL: "ftp://example.com"},
		"no host":                  {URL: "http://:80/"},
		"a host of dots":           {URL: "http://.../"},
		"a host of a hyphen":       {URL: "http://-:80/"},
		"port 0":                   {URL: "http://example.com:0/"},
		"a port over 65535":        {URL: "http://example.com:65536/"},
		"a port that is no number": {URL: "http://example.com:http/"},
		"a control character":      {URL: "http://example.com/\n"},
		"a password in the URL":    {URL: "https://user:hunter2@example.com"},
		"a URL of 2049 bytes":      {URL: "http://example.com/" + strings.Repeat("x", 2030)},
		"a timeout of 99ms":        {URL: "http://a", Timeout: 99 * time.Millisecond},
		"a timeout over 5m":        {URL: "http://a", Timeout: 5*time.Minute + 1},
		"1001 at once":             {URL: "http://a", Concurrency: 1001},
		"less than none at once":   {URL: "http://a", Concurrency: -1},
		"a secret without prefix":  {URL: "http://a", Secret: new(strings.TrimPrefix(pushSecret, "whsec_"))},
		"a secret that is no code": {URL: "http://a", Secret: new("whsec_hunter2!")},
		"a secret of 18 bytes":     {URL: "http://a", Secret: new("whsec_aHVudGVyMmh1bnRlcjJodW50")},
		"a secret of 66 bytes":     {URL: "http://a", Secret: new("whsec_" + strings.Repeat("aHVu", 22))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.PutQueue(t.Context(), msgq.Queue{Name: "q", Topics: []string{"a"}, Push: &p})
			if !errors.Is(err, msgq.ErrInvalidQueue) || !strings.Contains(err.Error(), "push.") {
				t.Fatalf("error %v, want ErrInvalidQueue that names the field", err)
			}
			for _, secret := range []string{"hunter2", "aHVu", pushSecret[6:]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%v repeats a secret", err)
				}
			}
		})
	}
}
