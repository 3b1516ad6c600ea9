package msgq

import (
	"strconv"
	"time"
)

// How times and numbers stand in headers.

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// parseTime and parseInt read what this package wrote; anything else is zero.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func parseInt(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}
