package filter

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// maxInstructions is how large a regular expression may be once its repetitions
// are written out: x{1000} is a thousand, and a 2 KiB filter could hold 200 of it.
const maxInstructions = 1000

// compileRegex measures a pattern before it lets it be written out.
func compileRegex(pattern string) (*regexp.Regexp, int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, 0, err
	}
	n := instructions(parsed)
	if n > maxInstructions {
		return nil, 0, fmt.Errorf("the regular expression is too large: %d instructions, at most %d are allowed", n, maxInstructions)
	}
	re, err := regexp.Compile(pattern)
	return re, n, err
}

// instructions is about the size of the compiled pattern. The parser keeps nested
// repetitions to a product of 1,000, so it cannot overflow.
func instructions(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpConcat:
		n = 0
	case syntax.OpRepeat:
		return max(re.Min, re.Max, 1) * instructions(re.Sub[0])
	}
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	return n
}

// matcher is text.matches(pattern) with the pattern compiled.
type matcher struct {
	interpreter.InterpretableV2 // the call it stands for
	text                        interpreter.InterpretableV2
	re                          *regexp.Regexp
	instructions                int
}

func newMatcher(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	args := call.Args()
	pattern, ok := args[len(args)-1].(interpreter.InterpretableConst)
	if !ok || len(args) != 2 {
		return nil, errors.New("the pattern of matches() is not a literal") // validate said so before
	}
	text, _ := pattern.Value().(types.String)
	re, n, err := compileRegex(string(text))
	if err != nil {
		return nil, err
	}
	return &matcher{call, args[0], re, n}, nil
}

func (m *matcher) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := m.text.Exec(frame)
	if types.IsUnknownOrError(v) {
		return v
	}
	text, ok := v.(types.String)
	if !ok {
		return types.NewErrWithNodeID(m.ID(), "matches() needs a string, not %s", v.Type().TypeName())
	}
	charge(frame, 1+uint64(len(text)*m.instructions)/stepsPerUnit)
	return types.Bool(m.re.MatchString(string(text)))
}

func (m *matcher) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, m.Exec)
}
