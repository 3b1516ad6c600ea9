package filter

import (
	"fmt"
	"slices"
	"strings"
)

var (
	macros = []string{"all", "exists", "exists_one", "existsOne", "filter", "map", "transformList", "transformMap"}

	functions = []string{
		"contains", "endsWith", "startsWith", "matches", "size", "has",
		"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint",
		"getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours",
		"getMilliseconds", "getMinutes", "getMonth", "getSeconds",
	}

	// aliases are the names that the same things have elsewhere.
	aliases = map[string]string{
		"payload": "data", "body": "data", "event": "data", "message": "data", "msg": "data", "json": "data", "this": "data", "self": "data",
		"subject": "topic", "channel": "topic", "sequence": "seq", "offset": "seq", "message_id": "id", "messageId": "id",
		"content_type": "datacontenttype", "contentType": "datacontenttype", "nil": "null", "None": "null", "NULL": "null", "undefined": "null",
		"True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
	}
	functionAliases = map[string]string{
		"len": "size", "length": "size", "count": "size", "includes": "contains", "has_prefix": "startsWith", "hasPrefix": "startsWith",
		"hasSuffix": "endsWith", "match": "matches", "regex": "matches", "test": "matches", "str": "string", "toString": "string",
		"parseInt": "int", "number": "double", "float": "double", "date": "timestamp",
	}
)

func explainUndeclared(s source, found []string) *Error {
	name := found[1]
	if strings.HasPrefix(s.rest(), "(") {
		return undeclaredFunction(s.back(name), name)
	}
	return s.fault(variableHint(s, name), "undeclared reference to '%s'", name)
}

func undeclaredFunction(s source, name string) *Error {
	if slices.Contains(macros, name) {
		return s.fault(`has() is the only macro; "x" in data.list finds a value in a list`, "filters do not have %s()", name)
	}
	hint := callHint
	if best := functionAliases[name]; best != "" {
		hint = fmt.Sprintf("did you mean %s()?", best)
	} else if best := closest(name, functions); best != "" {
		hint = fmt.Sprintf("did you mean %s()?", best)
	}
	return s.fault(hint, "there is no function %s()", name)
}

func variableHint(s source, name string) string {
	if hint := dashHint(s); hint != "" {
		return hint
	}
	if best := aliases[name]; best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	names := make([]string, len(variables))
	for i, v := range variables {
		names[i] = v.name
	}
	if best := closest(name, names); best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	if before := strings.TrimRight(s.before(), " "); before != "" && strings.ContainsAny(before[len(before)-1:], "=[,") {
		return fmt.Sprintf(`did you mean %q, or data.%s?`, name, name)
	}
	return fmt.Sprintf("did you mean data.%s?", name)
}

// dashHint sees headers.content-type, which reads as a subtraction. The place is
// the dash or the word behind it.
func dashHint(s source) string {
	inPath := func(r rune) bool { return isWord(r) || r == '-' || r == '.' }
	start := 1 + strings.LastIndexFunc(s.before(), func(r rune) bool { return !inPath(r) })
	end := strings.IndexFunc(s.rest()+" ", func(r rune) bool { return !inPath(r) })
	path := s.text[start : s.offset+end]
	dash := strings.IndexByte(path, '-')
	if dash < 0 || start+dash > s.offset {
		return ""
	}
	dot := strings.LastIndexByte(path[:dash], '.')
	if dot < 0 || dash == len(path)-1 {
		return ""
	}
	return fmt.Sprintf("a name with a dash goes in brackets: %s[%q]", path[:dot], path[dot+1:])
}

// closest is the candidate that few typing errors separate from name, or empty.
func closest(name string, candidates []string) string {
	best, least := "", 1+min(2, len(name)/3)
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with the next
// (optimal string alignment). Long names have no near ones and would cost time.
func distance(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
