package msgq

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// WhenFull says what a stream at its size limit does.
type WhenFull string

// What a full stream does.
const (
	// DiscardOld forgets the oldest message. The default.
	DiscardOld WhenFull = "discard_old"
	// Refuse fails the publish with [ErrStreamFull].
	Refuse WhenFull = "refuse"
)

// QueueLimit bounds [Config].MaxQueues: a broker takes 1,000 consumers of a stream, and live subscriptions need some.
const QueueLimit = 900

// Config says which broker and which streams a [Client] uses. The zero value
// is ready to use; [Config.WithDefaults] names the values that zeros stand for.
type Config struct {
	// URL is the NATS server, or several with commas between. Default: nats://127.0.0.1:4222.
	URL string
	// Name is what the broker shows for the connection. Default: msgq.
	Name string
	// NATSOptions are added to the connection: credentials, TLS. Handlers among them are called after the client's
	// own. It reconnects for ever and without a buffer, whatever they say.
	NATSOptions []nats.Option

	// Stream is the stream that holds the messages. Subjects begin with it in lower case. Default: EVENTS.
	Stream string
	// Replicas is the number of copies, 1 to 5. Default: 1.
	Replicas int
	// MaxAge is how long messages are kept. Default: 7 days.
	MaxAge time.Duration
	// MaxBytes is how much the stream holds. Default: 8 GiB.
	MaxBytes int64
	// WhenFull is what happens at MaxBytes. Default: DiscardOld.
	WhenFull WhenFull
	// DuplicateWindow is how long ids are remembered. Default: 5 minutes.
	DuplicateWindow time.Duration
	// NoProvision: wait for missing streams rather than create them.
	NoProvision bool
	// MaxQueues is how many queues may exist, at most [QueueLimit]. Default: 100.
	MaxQueues int

	// TailBytes is how much of the newest messages is kept in memory for live
	// subscriptions; readers further back read from the broker. Default: 64 MiB.
	TailBytes int64
	// CatchUpBytes is how much of what was read from the broker for readers further
	// back is kept in memory, so that it is read once for all of them. Default: 32 MiB.
	CatchUpBytes int64
	// MaxFilters is how many distinct filters live subscriptions may have at a time. Default: 10,000.
	MaxFilters int
	// Logger takes what happens in the background. Default: slog.Default().
	Logger *slog.Logger
}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	setDefault(&c.URL, nats.DefaultURL)
	setDefault(&c.Name, "msgq")
	setDefault(&c.Stream, "EVENTS")
	setDefault(&c.Replicas, 1)
	setDefault(&c.MaxAge, 7*24*time.Hour)
	setDefault(&c.MaxBytes, 8<<30)
	setDefault(&c.WhenFull, DiscardOld)
	setDefault(&c.DuplicateWindow, min(5*time.Minute, c.MaxAge))
	setDefault(&c.MaxQueues, 100)
	setDefault(&c.TailBytes, 64<<20)
	setDefault(&c.CatchUpBytes, 32<<20)
	setDefault(&c.MaxFilters, 10_000)
	setDefault(&c.Logger, slog.Default())
	return c
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// ConfigError is a field of [Config] outside its limits.
type ConfigError struct {
	Field  string // as Config calls it
	Reason string // what was received, and what is allowed
}

func (e *ConfigError) Error() string { return e.Field + ": " + e.Reason }

// Validate names every field that is outside its limits, in a joined error of *[ConfigError]. Zero values stand for defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var errs []error
	check := func(field string, ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, &ConfigError{field, fmt.Sprintf(format, args...)})
		}
	}
	check("Stream", isName(c.Stream) && len(c.Stream) <= 32, "%q, 1 to 32 characters of A-Z a-z 0-9 _ - are allowed", c.Stream)
	check("Replicas", c.Replicas >= 1 && c.Replicas <= 5, "%d, 1 to 5 are allowed", c.Replicas)
	check("MaxAge", c.MaxAge >= time.Minute, "%s, at least 1m is needed", c.MaxAge)
	check("MaxBytes", c.MaxBytes >= 1<<20, "%d, at least 1 MiB is needed", c.MaxBytes)
	check("WhenFull", c.WhenFull == DiscardOld || c.WhenFull == Refuse, "%q, %s or %s is expected", c.WhenFull, DiscardOld, Refuse)
	check("DuplicateWindow", c.DuplicateWindow >= time.Second && c.DuplicateWindow <= c.MaxAge,
		"%s, 1s up to the max age are allowed", c.DuplicateWindow)
	check("MaxQueues", c.MaxQueues >= 1 && c.MaxQueues <= QueueLimit, "%d, 1 to %d are allowed", c.MaxQueues, QueueLimit)
	check("TailBytes", c.TailBytes >= 1<<20, "%d, at least 1 MiB is needed", c.TailBytes)
	check("CatchUpBytes", c.CatchUpBytes >= 1<<20, "%d, at least 1 MiB is needed", c.CatchUpBytes)
	check("MaxFilters", c.MaxFilters >= 1, "%d, at least 1 is needed", c.MaxFilters)
	return errors.Join(errs...)
}
