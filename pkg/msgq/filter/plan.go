package filter

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/interpreter"
)

// program is a filter made ready to run. It is planned here and not by CEL's own
// Program, which allocates a cost tracker for each evaluation, on ten thousand
// filters more work than the filters themselves.
type program struct {
	root    interpreter.InterpretableV2
	metered bool
}

// planner is made once, like the environment.
var planner = sync.OnceValues(func() (interpreter.Interpreter, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	dispatcher := interpreter.NewDispatcher()
	for name, function := range env.Functions() {
		bindings, err := function.Bindings()
		if err != nil {
			return nil, fmt.Errorf("function %s: %w", name, err)
		}
		if err := dispatcher.Add(bindings...); err != nil {
			return nil, fmt.Errorf("function %s: %w", name, err)
		}
	}
	adapter, provider := env.CELTypeAdapter(), env.CELTypeProvider()
	attributes := interpreter.NewAttributeFactory(env.Container, adapter, provider)
	return interpreter.NewInterpreter(dispatcher, env.Container, provider, adapter, attributes), nil
})

// plan fails on constants that cannot be computed, like int("x").
func plan(checked *ast.AST) (program, error) {
	p, err := planner()
	if err != nil {
		return program{}, err
	}
	root, err := p.NewInterpretable(checked, interpreter.CustomDecoratorV2(bound), interpreter.Optimize())
	return program{root, !cheap(checked.Expr())}, err
}

// meter is copied for each evaluation that is metered.
var meter = sync.OnceValues(func() (*cost.Tracker, error) {
	return cost.NewTracker(prices{},
		cost.TrackerLimit(maxCost),
		cost.TrackerLimitExceededHandler(func() {
			panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: "more work than the cost limit allows"})
		}),
		cost.OverloadTracker(surcharge{}.OverloadID(), surcharge{}.amount),
	)
})
