package filter

import (
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

// cheap reports whether an expression takes little time whatever the message holds,
// so that its cost need not be metered: each operation stops at the end of a constant
// in the filter's text, and of operations fewer than maxCost fit into MaxLength.
func cheap(e celast.Expr) bool {
	switch e.Kind() {
	case celast.LiteralKind, celast.IdentKind:
		return true
	case celast.SelectKind:
		return cheap(e.AsSelect().Operand())
	case celast.CallKind:
		return cheapCall(e.AsCall())
	}
	return false
}

func cheapCall(call celast.CallExpr) bool {
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]celast.Expr{call.Target()}, args...)
	}
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
		return allCheap(args)
	case operators.Equals, operators.NotEquals,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return allCheap(args) && (isLiteral(args[0]) || isLiteral(args[1]))
	case operators.Index, overloads.StartsWith, overloads.EndsWith:
		return allCheap(args) && isLiteral(args[1])
	case operators.In:
		return cheap(args[0]) && args[1].Kind() == celast.ListKind && allLiteral(args[1].AsList().Elements())
	}
	return false
}

func allCheap(list []celast.Expr) bool {
	for _, e := range list {
		if !cheap(e) {
			return false
		}
	}
	return true
}

func allLiteral(list []celast.Expr) bool {
	for _, e := range list {
		if !isLiteral(e) {
			return false
		}
	}
	return true
}

func isLiteral(e celast.Expr) bool { return e.Kind() == celast.LiteralKind }
