package msgq

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a topic. The broker itself takes more and then misbehaves: a
// subject of 5,000 bytes closes the connection that everybody shares.
const (
	MaxTopicTokens = 16
	MaxTopicLength = 255 // bytes
)

// ValidateTopic reports whether topic is 1 to 16 tokens of [A-Za-z0-9_-]+
// joined by dots and at most 255 bytes. The error wraps [ErrInvalidTopic].
func ValidateTopic(topic string) error {
	return validateTokens(topic, false)
}

// ValidatePattern is [ValidateTopic] for patterns, in which a token may be "*"
// (any one token) and the last one ">" (one or more).
func ValidatePattern(pattern string) error {
	return validateTokens(pattern, true)
}

func validateTokens(s string, wildcards bool) error {
	if s == "" {
		return fmt.Errorf("%w: it is empty", ErrInvalidTopic)
	}
	if len(s) > MaxTopicLength {
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrInvalidTopic, len(s), MaxTopicLength)
	}
	tokens := strings.Count(s, ".") + 1
	if tokens > MaxTopicTokens {
		return fmt.Errorf("%w: %d tokens, at most %d are allowed", ErrInvalidTopic, tokens, MaxTopicTokens)
	}
	i := 0
	for token := range strings.SplitSeq(s, ".") {
		i++
		switch {
		case token == "":
			return fmt.Errorf("%w %q: token %d is empty", ErrInvalidTopic, s, i)
		case wildcards && token == "*":
		case wildcards && token == ">":
			if i != tokens {
				return fmt.Errorf("%w %q: > may only be the last token", ErrInvalidTopic, s)
			}
		case !isName(token):
			return fmt.Errorf("%w %q: token %d has a character outside A-Z a-z 0-9 _ -", ErrInvalidTopic, s, i)
		}
	}
	return nil
}

// isName reports whether s consists of [A-Za-z0-9_-] only.
func isName(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// MaxPatterns is how many patterns one subscription may have.
const MaxPatterns = 16

func validatePatterns(patterns []string) error {
	if len(patterns) == 0 || len(patterns) > MaxPatterns {
		return fmt.Errorf("%w: %d patterns, 1 to %d are allowed", ErrInvalidTopic, len(patterns), MaxPatterns)
	}
	for _, p := range patterns {
		if err := ValidatePattern(p); err != nil {
			return err
		}
	}
	return nil
}

// MatchTopic reports whether the pattern covers the topic. A pattern may stand
// in for the topic: then it reports whether one covers all that the other does.
func MatchTopic(pattern, topic string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, ".")
		t, trest, tmore := strings.Cut(topic, ".")
		switch {
		case p == ">":
			return true
		case t == ">", p != "*" && p != t:
			return false
		case !pmore && !tmore:
			return true
		case pmore != tmore:
			return false
		}
		pattern, topic = prest, trest
	}
}

// minimalPatterns sorts the patterns and leaves out those that another covers:
// the broker refuses a consumer with them (error 10138).
func minimalPatterns(patterns []string) []string {
	all := slices.Compact(slices.Sorted(slices.Values(patterns)))
	var minimal []string
	for i, p := range all {
		covered := slices.ContainsFunc(all, func(q string) bool { return q != p && MatchTopic(q, p) })
		if !covered {
			minimal = append(minimal, all[i])
		}
	}
	return minimal
}

// overlap reports whether a topic can match both patterns.
func overlap(a, b string) bool {
	for {
		x, xrest, xmore := strings.Cut(a, ".")
		y, yrest, ymore := strings.Cut(b, ".")
		switch {
		case x == ">" || y == ">":
			return true
		case x != "*" && y != "*" && x != y, xmore != ymore:
			return false
		case !xmore:
			return true
		}
		a, b = xrest, yrest
	}
}
