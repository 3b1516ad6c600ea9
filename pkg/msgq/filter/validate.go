package filter

import (
	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// validate refuses what type-checks and still is no filter.
func validate(text string, ast *cel.Ast) error {
	var first *Error
	visitor := celast.NewExprVisitor(func(e celast.Expr) {
		if first == nil {
			first = validateNode(text, ast, e)
		}
	})
	celast.PreOrderVisit(ast.NativeRep().Expr(), visitor)
	if first != nil {
		return first
	}
	if kind := ast.OutputType().Kind(); kind != types.BoolKind && kind != types.DynKind {
		result := cel.FormatCELType(ast.OutputType())
		return source{text: text}.fault("compare it with something: == != < > in", "the filter's result is %s, not true or false", result)
	}
	return nil
}

func validateNode(text string, ast *cel.Ast, e celast.Expr) *Error {
	switch e.Kind() {
	case celast.StructKind:
		name := e.AsStruct().TypeName()
		return nodeAt(text, ast, e.ID()).back(name).fault("compare one field at a time", "filters do not make messages like %s{}", name)
	case celast.CallKind:
		if e.AsCall().FunctionName() == overloads.Matches {
			return validatePattern(text, ast, e.AsCall())
		}
	}
	return nil
}

// validatePattern asks for a literal: a pattern from the payload would have to be
// compiled for each message, by whatever the publisher sent.
func validatePattern(text string, ast *cel.Ast, call celast.CallExpr) *Error {
	args := call.Args()
	if len(args) == 0 {
		return nil
	}
	pattern := args[len(args)-1]
	place := nodeAt(text, ast, pattern.ID())
	if pattern.Kind() != celast.LiteralKind {
		return place.fault(`for text that is not a pattern, use contains()`, `the pattern of matches() must be written out: matches("^a.*z$")`)
	}
	literal, _ := pattern.AsLiteral().(types.String)
	if _, _, err := compileRegex(string(literal)); err != nil {
		return place.fault("patterns are RE2, short ones, as in ^order-[0-9]+$", "%v", err)
	}
	return nil
}

// nodeAt is where a node of the syntax tree begins.
func nodeAt(text string, ast *cel.Ast, id int64) source {
	location := ast.NativeRep().SourceInfo().GetStartLocation(id)
	return at(text, location.Line(), location.Column())
}
