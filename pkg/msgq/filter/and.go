package filter

import "fmt"

// And is the filter that holds where both do. Either may be empty, which holds
// for everything. The error is the first one's that does not compile, or says
// that they are too long together; it is an [*Error].
func And(a, b string) (string, error) {
	for _, text := range []string{a, b} {
		if text == "" {
			continue
		}
		if _, err := Compile(text); err != nil { // alone: what is no expression could break out of its brackets
			return "", err
		}
	}
	switch {
	case a == "":
		return b, nil
	case b == "":
		return a, nil
	}
	both := fmt.Sprintf("(%s\n) && (%s\n)", a, b) // a filter may end in a comment
	_, err := Compile(both)
	return both, err
}
