package filter

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/common"
)

// explanations turn CEL's messages into ours; what none matches is passed on.
var explanations = []struct {
	pattern *regexp.Regexp
	explain func(s source, found []string) *Error
}{
	{regexp.MustCompile(`(?s)^Syntax error: (.*)`), explainSyntax},
	{regexp.MustCompile(`^undeclared reference to '([^']*)'`), explainUndeclared},
	{regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`), explainOverload},
	{regexp.MustCompile(`^expected type 'bool' but found '(.*)'$`), explainNotBool},
	{regexp.MustCompile(`^type '(.*)' does not support field selection`), explainNoFields},
	{regexp.MustCompile(`recursion`), explainDepth},
	{regexp.MustCompile(`^invalid argument to has`), explainHas},
	{regexp.MustCompile(`^invalid (duration|timestamp) argument`), explainLiteral},
	{regexp.MustCompile(`^invalid (u?int) literal`), explainNumber},
	{regexp.MustCompile(`^error recovery`), explainUnexpected},
	{regexp.MustCompile(`^reserved identifier: (\w+)`), explainReserved},
}

// explain takes the complaint that comes first in the text: later ones often
// follow from it.
func explain(text string, issues []*common.Error) *Error {
	first := slices.MinFunc(issues, func(a, b *common.Error) int {
		if a.Location.Line() != b.Location.Line() {
			return a.Location.Line() - b.Location.Line()
		}
		return a.Location.Column() - b.Location.Column()
	})
	place := at(text, first.Location.Line(), first.Location.Column())
	for _, e := range explanations {
		if found := e.pattern.FindStringSubmatch(first.Message); found != nil {
			return e.explain(place, found)
		}
	}
	message, _, _ := strings.Cut(first.Message, "\n")
	return place.fault("", "%s", message)
}

// callHint is for functions called with what they do not take.
const callHint = `as in topic.startsWith("a"), data.text.contains("x"), size(data.list), int(data.n)`

var operatorName = strings.NewReplacer("_", "", "@", "")

func explainOverload(s source, found []string) *Error {
	name, types := found[1], splitTypes(found[2])
	switch {
	case name == "_?_:_":
		hint := "make both text, both numbers, or both true or false"
		return s.fault(hint, "the two results of ? : are of different types: %s", strings.Join(types[1:], " and "))
	case name == "_[_]":
		return s.fault("a place in a list is written data.list[0]", "%s cannot be indexed by %s", types[0], types[1])
	case !strings.ContainsAny(name, "_@"):
		receiver, arguments, member := strings.Cut(found[2], ".")
		if !member {
			return s.back(name).fault(callHint, "%s() does not take %s", name, found[2])
		}
		return s.back(name).fault(callHint, "%s() of %s does not take %s", name, receiver, arguments)
	}
	operator := operatorName.Replace(name)
	if operator == "-" && len(types) == 2 {
		if hint := dashHint(s); hint != "" {
			return s.fault(hint, "cannot apply - to %s", strings.Join(types, " and "))
		}
	}
	return s.fault(typesHint(operator, types), "cannot apply %s to %s", operator, strings.Join(types, " and "))
}

func typesHint(operator string, types []string) string {
	has := func(name string) bool { return slices.Contains(types, name) }
	numbers := 0
	for _, name := range []string{"int", "uint", "double"} {
		if has(name) {
			numbers++
		}
	}
	switch {
	case has("timestamp") && has("string"):
		return `write a time as timestamp("2026-01-31T12:00:00Z")`
	case has("duration") && has("string"):
		return `write a duration as duration("1h30m")`
	case numbers > 1:
		return "convert one of them with double(), int() or uint()"
	case has("string") && (numbers > 0 || has("bool")):
		return "text stands in quotes, numbers and true or false do not"
	case operator == "!" && len(types) == 1:
		return "! is for true or false: compare with something first"
	case operator == "in":
		return `in looks for a value in a list: topic in ["a", "b"]`
	}
	return ""
}

// splitTypes reads "(int, map(string, string))".
func splitTypes(list string) []string {
	list = strings.TrimSuffix(strings.TrimPrefix(list, "("), ")")
	var types []string
	depth, start := 0, 0
	for i, r := range list {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			types = append(types, strings.TrimSpace(list[start:i]))
			start = i + 1
		}
	}
	return append(types, strings.TrimSpace(list[start:]))
}

func explainNotBool(s source, found []string) *Error {
	return s.fault("compare it with something: == != < > in", "true or false is needed here, this is %s", found[1])
}

func explainNoFields(s source, found []string) *Error {
	return s.fault("only data and headers have fields", "%s has no fields", found[1])
}

func explainDepth(source, []string) *Error {
	return &Error{
		Line: 1, Column: 1, Message: fmt.Sprintf("the filter is nested too deeply, at most %d levels are allowed", maxDepth),
		Hint: "leave out parentheses, or write a in [b, c] for a == b || a == c",
	}
}

func explainHas(s source, _ []string) *Error {
	return s.fault("has(data.name), or \"name\" in data", "has() needs a field")
}

func explainLiteral(s source, found []string) *Error {
	hint := `durations look like "1h30m" or "500ms"`
	if found[1] == "timestamp" {
		hint = `times look like "2026-01-31T12:00:00Z"`
	}
	return s.fault(hint, "invalid %s", found[1])
}

func explainNumber(s source, _ []string) *Error {
	return s.fault("whole numbers have 64 bits; write 1e20 for a larger one", "the number is too large")
}
