package filter

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// way is a choice of hooks, by which an entry can be found. Where sure is set, it is one of the terms
// that have to be true, and is whenever one of the hooks is in an event.
type way struct {
	hooks []hook
	sure  ast.Expr
}

// ways are the choices of an expression.
func ways(e ast.Expr) []way {
	var all []way
	for _, term := range terms(e) {
		for _, hooks := range choices(term) {
			w := way{hooks: hooks}
			if isTest(term) && !slices.ContainsFunc(hooks, isRounded) {
				w.sure = term
			}
			all = append(all, w)
		}
	}
	return all
}

// terms are a, b and c of a && b && c.
func terms(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var all []ast.Expr
	for _, arg := range e.AsCall().Args() {
		all = append(all, terms(arg)...)
	}
	return all
}

// isTest tells a term that looks at one place, and asks no more than its hooks say.
func isTest(term ast.Expr) bool {
	if term.Kind() != ast.CallKind {
		return true
	}
	f := term.AsCall().FunctionName()
	return f != operators.LogicalAnd && f != operators.LogicalOr
}

// isRounded: other numbers have the same key.
func isRounded(h hook) bool {
	const exact = 1 << 53
	n, ok := h.value.(types.Double)
	return ok && (n >= exact || n <= -exact)
}

// without is the program for those events in which a term of the expression is known to be true. It has no root where that is all
// that is asked for. What is metered is not changed: it would end later.
func (p program) without(sure ast.Expr, whole *ast.AST) (program, error) {
	if sure == nil || p.metered {
		return p, nil
	}
	rest := slices.DeleteFunc(terms(whole.Expr()), func(e ast.Expr) bool { return e == sure })
	if len(rest) == 0 {
		return program{}, nil
	}
	root := rest[0]
	if len(rest) > 1 {
		root = ast.NewExprFactory().NewCall(whole.Expr().ID(), operators.LogicalAnd, rest...)
	}
	return plan(ast.NewCheckedAST(ast.NewAST(root, whole.SourceInfo()), whole.TypeMap(), whole.ReferenceMap()))
}
