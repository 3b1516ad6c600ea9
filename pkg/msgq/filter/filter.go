package filter

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// MaxLength is how long a filter's text may be, in bytes.
const MaxLength = 2048

// Filter is a compiled filter. It is safe for concurrent use.
type Filter struct {
	text    string
	program program
}

// Compile parses and checks a filter. The error is an [*Error].
func Compile(text string) (*Filter, error) {
	f, _, err := compile(text)
	return f, err
}

// compile also gives the syntax tree, which takes more memory than the filter.
func compile(text string) (*Filter, *cel.Ast, error) {
	if err := checkText(text); err != nil {
		return nil, nil, err
	}
	env, err := environment()
	if err != nil {
		return nil, nil, fmt.Errorf("filter environment: %w", err) // a fault of this package
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, nil, explain(text, issues.Errors())
	}
	if err := validate(text, ast); err != nil {
		return nil, nil, err
	}
	program, err := plan(ast.NativeRep())
	if err != nil {
		return nil, nil, explainProgram(text, ast, err)
	}
	return &Filter{text: text, program: program}, ast, nil
}

// String is the text that the filter was compiled from.
func (f *Filter) String() string { return f.text }

// Match reports whether the filter holds for the event. Where it cannot be
// evaluated it does not hold.
func (f *Filter) Match(e *Event) bool {
	out, err := f.eval(e)
	return err == nil && out == types.True
}

// Check is [Filter.Match] that also says why the filter could not be evaluated:
// a missing field, a wrong type, a result that is not boolean, too much work.
// The error is nil where the filter just does not hold. Its text may quote the
// message.
func (f *Filter) Check(e *Event) (bool, error) {
	out, err := f.eval(e)
	if err != nil {
		return false, &evalError{err}
	}
	holds, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("the result is %s, not true or false", out.Type().TypeName())
	}
	return bool(holds), nil
}

func (f *Filter) eval(e *Event) (ref.Val, error) {
	m, err := start(e)
	if err != nil {
		return nil, err
	}
	defer m.stop()
	return m.run(f.program)
}

// evalError makes its text only when asked: most callers just count.
type evalError struct{ err error }

func (e *evalError) Error() string { return clip(e.err.Error(), 200) }
func (e *evalError) Unwrap() error { return e.err }

// explainProgram is for constants that only planning looks at, like int("x").
func explainProgram(text string, ast *cel.Ast, err error) *Error {
	place := source{text: text}
	if failed, ok := errors.AsType[*types.Err](err); ok && failed.NodeID() > 0 {
		place = nodeAt(text, ast, failed.NodeID())
		place = place.back(lastWord(place.before()))
	}
	return place.fault("a constant has to be a value of its type, as in int(\"17\")", "%v", err)
}
