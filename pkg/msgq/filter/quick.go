package filter

import (
	"unique"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// quickTest compares a field with a constant, which most filters do, with a few looks into memory where CEL takes dozens. Where
// that is not simple, a header, a field that is missing or kinds that do not compare, it has CEL do it.
type quickTest struct {
	interpreter.InterpretableCall
	path     []unique.Handle[string] // names that filters share stay in the processor's cache
	constant ref.Val
	test     func(field, constant ref.Val) (answer ref.Val, ok bool)
}

// quicken makes a call a quickTest where it is one.
func quicken(call interpreter.InterpretableCall) interpreter.InterpretableV2 {
	test := quickTests[call.Function()]
	if test == nil {
		return call
	}
	args := call.Args()
	field, isField := args[0].(interpreter.InterpretableAttribute)
	constant, isConstant := args[1].(interpreter.InterpretableConst)
	if !isField || !isConstant {
		return call
	}
	path := pathTo(field.Attr())
	if path == nil || !isScalar(constant.Value()) {
		return call
	}
	return &quickTest{call, path, constant.Value(), test}
}

// pathTo is nil for other than names within names.
func pathTo(a interpreter.Attribute) []unique.Handle[string] {
	field, ok := a.(interpreter.NamespacedAttribute)
	if !ok || len(field.CandidateVariableNames()) != 1 {
		return nil
	}
	path := []unique.Handle[string]{unique.Make(field.CandidateVariableNames()[0])}
	for _, q := range field.Qualifiers() {
		name, ok := q.(interpreter.ConstantQualifier)
		if !ok || q.IsOptional() {
			return nil
		}
		text, ok := name.Value().(types.String)
		if !ok {
			return nil
		}
		path = append(path, unique.Make(string(text)))
	}
	return path
}

func (q *quickTest) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	if frame.CostTracker() == nil {
		if field, ok := q.field(frame); ok {
			if answer, ok := q.test(field, q.constant); ok {
				return answer
			}
		}
	}
	return q.InterpretableCall.Exec(frame)
}

func (q *quickTest) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, q.Exec)
}

func (q *quickTest) field(frame *interpreter.ExecutionFrame) (ref.Val, bool) {
	v, _ := frame.ResolveName(q.path[0].Value())
	for _, name := range q.path[1:] {
		object, _ := v.(map[string]any)
		v = object[name.Value()]
	}
	scalar, ok := v.(ref.Val)
	return scalar, ok && isScalar(scalar)
}

func isScalar(v ref.Val) bool {
	switch v.(type) {
	case types.Int, types.Uint, types.Double, types.String:
		return true
	}
	return false
}

var quickTests = map[string]func(l, r ref.Val) (ref.Val, bool){
	operators.Equals:        func(l, r ref.Val) (ref.Val, bool) { return types.Equal(l, r), true },
	operators.NotEquals:     func(l, r ref.Val) (ref.Val, bool) { return types.Bool(types.Equal(l, r) != types.True), true },
	operators.Less:          ordered(func(order types.Int) bool { return order < 0 }),
	operators.LessEquals:    ordered(func(order types.Int) bool { return order <= 0 }),
	operators.Greater:       ordered(func(order types.Int) bool { return order > 0 }),
	operators.GreaterEquals: ordered(func(order types.Int) bool { return order >= 0 }),
}

func ordered(holds func(types.Int) bool) func(l, r ref.Val) (ref.Val, bool) {
	return func(l, r ref.Val) (ref.Val, bool) {
		order, ok := l.(traits.Comparer).Compare(r).(types.Int) // an error where they do not compare
		return types.Bool(ok && holds(order)), ok
	}
}
