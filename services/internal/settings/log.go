package settings

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

// Log says what is logged and how.
type Log struct {
	LogLevel  string `env:"MSGQ_LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string `env:"MSGQ_LOG_FORMAT" help:"text or json. Default: text on a terminal, else json."`
}

// Check names every wrong setting.
func (l Log) Check() []error {
	var wrong []error
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.LogLevel)); err != nil {
		wrong = append(wrong, fmt.Errorf("MSGQ_LOG_LEVEL: %q is none of debug, info, warn, error", l.LogLevel))
	}
	if l.LogFormat != "" && l.LogFormat != "text" && l.LogFormat != "json" {
		wrong = append(wrong, fmt.Errorf("MSGQ_LOG_FORMAT: %q is neither text nor json", l.LogFormat))
	}
	return wrong
}

// Logger writes to f.
func (l Log) Logger(f *os.File) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.LogLevel)) // Check has seen it
	opts := &slog.HandlerOptions{Level: level}
	text := l.LogFormat == "text" || l.LogFormat == "" && term.IsTerminal(int(f.Fd()))
	if text {
		return slog.New(slog.NewTextHandler(io.Writer(f), opts))
	}
	return slog.New(slog.NewJSONHandler(f, opts))
}
