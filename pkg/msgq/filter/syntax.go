package filter

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// operatorWords are what people write from other languages.
var operatorWords = map[string]string{
	"and": "use &&", "or": "use ||", "not": "use !", "is": "use ==", "equals": "use ==", "eq": "use ==", "ne": "use !=",
	"gt": "use >", "lt": "use <", "ge": "use >=", "le": "use <=",
	"like": "use contains(), startsWith() or matches()", "contains": `write data.text.contains("x")`,
	"between": "use >= && <=", "if": "write condition ? a : b",
}

var missing = regexp.MustCompile(`^missing '(.)' at`)

// explainSyntax looks at the text rather than at the parser's view of it.
func explainSyntax(s source, found []string) *Error {
	rest, before := s.rest(), s.before()
	word, previous := firstWord(rest), lastWord(strings.TrimRight(before, " \t\n"))
	if e := explainCharacter(s); e != nil {
		return e
	}
	if strings.EqualFold(previous, "not") {
		s.offset = strings.LastIndex(before, previous)
		return s.fault("use !", "'%s' is not an operator", previous)
	}
	if strings.HasSuffix(before, ".") && word != "" {
		return explainAfterDot(s)
	}
	if strings.EqualFold(word, "not") && firstWord(strings.TrimLeft(rest[len(word):], " ")) == "in" {
		return s.fault("write !(a in b)", "'not in' is not an operator")
	}
	if hint := operatorWords[strings.ToLower(word)]; hint != "" {
		return s.fault(hint, "'%s' is not an operator", word)
	}
	if m := missing.FindStringSubmatch(found[1]); m != nil {
		return s.fault("add it where the part that it closes ends", "a closing %s is missing", m[1])
	}
	if strings.TrimSpace(rest) == "" {
		return s.fault("something has to follow, as in data.total > 40", "the filter ends too early")
	}
	return explainUnexpected(s, nil)
}

func explainUnexpected(s source, _ []string) *Error {
	word := firstWord(s.rest())
	r, _ := utf8.DecodeRuneInString(word)
	switch {
	case !unicode.IsPrint(r):
		return s.fault("", "unexpected character %U", r)
	case len(s.rest()) > 1 && r == '.' && unicode.IsDigit(rune(s.rest()[1])):
		return s.fault("a place in a list is written data.list[0]", "unexpected number after a dot")
	}
	return s.fault("", "unexpected %s", word)
}

// explainCharacter knows the characters that begin nothing in CEL.
func explainCharacter(s source) *Error {
	rest, before := s.rest(), s.before()
	if rest == "" {
		return nil
	}
	switch first := firstWord(rest); first {
	case "=":
		hint := "use == to compare"
		if strings.HasPrefix(rest, "=>") || strings.HasPrefix(rest, "=<") {
			hint = "use >= or <="
		}
		return s.fault(hint, "'=' is not an operator")
	case "&":
		return s.fault("use &&", "'&' is not an operator")
	case "|":
		return s.fault("use ||", "'|' is not an operator")
	case ">":
		if strings.HasSuffix(before, "<") {
			s.offset--
			return s.fault("use !=", "'<>' is not an operator")
		}
	case "“", "”", "„", "‘", "’":
		return s.fault(`use plain ones: " or '`, "%s is not a quote", first)
	case `"`, "'":
		return explainString(s, first)
	}
	return nil
}

func explainString(s source, quote string) *Error {
	line, _, _ := strings.Cut(s.rest()[1:], "\n")
	if found := strings.Contains(line, "\\"); found {
		return s.fault(fmt.Sprintf(`write a backslash as \\, or put r before the quote: r%sa\d+%s`, quote, quote), "bad escape after a backslash")
	}
	if !strings.Contains(line, quote) {
		return s.fault("end it with the quote that it begins with", "the text is not closed: a %s is missing", quote)
	}
	return nil
}

// explainAfterDot is about names that cannot stand after a dot.
func explainAfterDot(s source) *Error {
	name := s.rest()[:strings.IndexFunc(s.rest()+" ", func(r rune) bool { return !isWord(r) && r != '$' && r != '@' && r != '-' })]
	if name == "" {
		return s.fault("write a name there, as in data.total", "a name is missing after the dot")
	}
	return s.fault(fmt.Sprintf("write [%q] instead of .%s", name, name), "%s cannot stand after a dot", name)
}

func explainReserved(s source, found []string) *Error {
	return s.fault(operatorWords[found[1]], "%s is a reserved word", found[1])
}
