package filter

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// hook is a value at a place in the event, such as "opened" at data.action.
type hook struct {
	path  []string // begins with the variable
	value ref.Val  // as scalar makes it
}

// maxChoices bounds what (a || b) && (c || d) && … multiplies to.
const maxChoices = 8

// choices finds what must be in an event for an expression to be true. Of each choice
// the event has at least one hook; it is enough to look for those of any one choice.
func choices(e ast.Expr) [][]hook {
	if path := pathOf(e); path != nil {
		return [][]hook{{{path, types.True}}}
	}
	if e.Kind() != ast.CallKind {
		return nil
	}
	args := e.AsCall().Args()
	switch e.AsCall().FunctionName() {
	case operators.LogicalAnd:
		var all [][]hook
		for _, arg := range args {
			all = append(all, choices(arg)...)
		}
		return all
	case operators.LogicalOr:
		all := choices(args[0])
		for _, arg := range args[1:] {
			all = either(all, choices(arg))
		}
		return all
	case operators.LogicalNot:
		return hooks(args[0], types.False)
	case operators.Equals:
		if isLiteral(args[0]) {
			return hooks(args[1], args[0].AsLiteral())
		}
		return hooks(args[0], literals(args[1])...)
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			return hooks(args[0], literals(args[1].AsList().Elements()...)...)
		}
	}
	return nil
}

// either combines the sides of an ||: one hook of one of them is in the event.
func either(left, right [][]hook) [][]hook {
	var all [][]hook
	for _, l := range left {
		for _, r := range right {
			if len(all) == maxChoices {
				return all
			}
			all = append(all, append(slices.Clip(l), r...))
		}
	}
	return all
}

// hooks is the one choice of a place that has one of the values, or none.
func hooks(place ast.Expr, values ...ref.Val) [][]hook {
	path := pathOf(place)
	if path == nil || len(values) == 0 {
		return nil
	}
	var all []hook
	for _, v := range values {
		key := scalar(v)
		if key == nil { // bytes, which no event has: not worth a case
			return nil
		}
		all = append(all, hook{path, key})
	}
	return [][]hook{all}
}

// literals are the values of constants, none if one of them is not constant.
func literals(list ...ast.Expr) []ref.Val {
	var values []ref.Val
	for _, e := range list {
		if !isLiteral(e) {
			return nil
		}
		values = append(values, e.AsLiteral())
	}
	return values
}

// pathOf is the path of an expression like data.a["b"], nil for any other.
func pathOf(e ast.Expr) []string {
	switch e.Kind() {
	case ast.IdentKind:
		for _, v := range variables {
			if v.name == e.AsIdent() {
				return []string{v.name}
			}
		}
	case ast.SelectKind:
		if s := e.AsSelect(); !s.IsTestOnly() {
			return extend(s.Operand(), s.FieldName())
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() == operators.Index && isLiteral(call.Args()[1]) {
			if name, ok := call.Args()[1].AsLiteral().(types.String); ok {
				return extend(call.Args()[0], string(name))
			}
		}
	}
	return nil
}

func extend(object ast.Expr, name string) []string {
	if path := pathOf(object); path != nil {
		return append(path, name)
	}
	return nil
}

// scalar makes a value a key: what is equal in CEL has the same key. The other way it
// may fail, 2^53 and 2^53+1 have one: who is found is evaluated anyway. It is nil for
// objects, lists and whatever else is not looked up.
func scalar(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case string:
		return types.String(v)
	case types.Int:
		return types.Double(v)
	case types.Uint:
		return types.Double(v)
	case types.String, types.Double, types.Bool, types.Null:
		key, _ := v.(ref.Val)
		return key
	}
	return nil
}
