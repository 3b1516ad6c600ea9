package filter

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a filter, where, and how to mend it.
type Error struct {
	// Line and Column count from 1, columns in Unicode code points. A fault of the
	// whole filter is at 1, 1.
	Line, Column int
	// Message is one line.
	Message string
	// Hint is one line about what to write instead.
	Hint string
}

// Error is all of it in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s (%s)", e.Line, e.Column, e.Message, e.Hint)
}

// checkText finds what would only confuse the parser.
func checkText(text string) error {
	e := &Error{Line: 1, Column: 1}
	switch {
	case len(text) > MaxLength:
		e.Message = fmt.Sprintf("the filter is %d bytes long, at most %d are allowed", len(text), MaxLength)
		e.Hint = "use several subscriptions, each with a part of it"
	case !utf8.ValidString(text):
		e.Message, e.Hint = "the filter is not valid UTF-8", "send it as UTF-8"
	case strings.TrimSpace(text) == "":
		e.Message, e.Hint = "the filter is empty", "leave it out, or write true, to get every message"
	default:
		return nil
	}
	return e
}

// source is a filter's text and a place in it.
type source struct {
	text   string
	offset int // bytes
}

// at finds a line, from 1, and a column in code points, from 0, as CEL counts them.
func at(text string, line, column int) source {
	offset := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[offset:], '\n')
		if next < 0 {
			return source{text, len(text)}
		}
		offset += next + 1
	}
	for ; column > 0 && offset < len(text); column-- {
		_, width := utf8.DecodeRuneInString(text[offset:])
		offset += width
	}
	return source{text, offset}
}

func (s source) before() string { return s.text[:s.offset] }
func (s source) rest() string   { return s.text[s.offset:] }

// back moves to the start of word if that is what stands directly before.
func (s source) back(word string) source {
	if strings.HasSuffix(s.before(), word) {
		s.offset -= len(word)
	}
	return s
}

// example is the hint where there is no better one.
const example = `a filter is like data.total > 40 && topic == "orders.created"`

// fault makes an Error at this place. An empty hint is replaced.
func (s source) fault(hint, format string, args ...any) *Error {
	hint = cmp.Or(hint, example)
	line := 1 + strings.Count(s.before(), "\n")
	column := 1 + utf8.RuneCountInString(s.text[1+strings.LastIndexByte(s.before(), '\n'):s.offset])
	return &Error{Line: line, Column: column, Message: clip(fmt.Sprintf(format, args...), 200), Hint: clip(hint, 200)}
}

// firstWord is the identifier, or else the one character, that text begins with.
func firstWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return !isWord(r) })
	if end < 0 {
		return text
	}
	if end == 0 {
		_, end = utf8.DecodeRuneInString(text)
	}
	return text[:end]
}

// lastWord is the identifier that text ends with.
func lastWord(text string) string {
	return text[1+strings.LastIndexFunc(text, func(r rune) bool { return !isWord(r) }):]
}

func isWord(r rune) bool {
	return r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// clip keeps a line short and printable.
func clip(text string, most int) string {
	short := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '�'
		}
		return r
	}, text[:min(len(text), 4*most)])
	if runes := []rune(short); len(runes) > most || len(text) > 4*most {
		short = string(runes[:min(len(runes), most)]) + "…"
	}
	return short
}
