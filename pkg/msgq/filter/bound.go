package filter

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

func init() {
	// CEL labels an error with the node it comes from, also these two that all
	// programs share: a data race, unless they have a label from the start.
	types.LabelErrNode(-1, types.NoSuchOverloadErr())
	types.LabelErrNode(-1, types.Int(1<<62).ConvertToType(types.TimestampType))
}

// bound replaces the operations that one payload can make arbitrarily slow by ones
// that pay before they start, and the commonest ones by quick ones.
func bound(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	switch call.Function() {
	case operators.Equals, operators.NotEquals:
		return quicken(&boundedCall{call, call.Args(), equal}), nil
	case operators.In:
		return &boundedCall{call, call.Args(), in}, nil
	case overloads.Matches:
		return newMatcher(call)
	}
	return quicken(call), nil
}

// boundedCall is a call of two arguments. It stays an InterpretableCall, so that
// the planner still makes a set of a constant list.
type boundedCall struct {
	interpreter.InterpretableCall
	args []interpreter.InterpretableV2 // Args allocates
	do   func(c *boundedCall, frame *interpreter.ExecutionFrame, l, r ref.Val) ref.Val
}

func (c *boundedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	l := c.args[0].Exec(frame)
	if types.IsUnknownOrError(l) {
		return l
	}
	r := c.args[1].Exec(frame)
	if types.IsUnknownOrError(r) {
		return r
	}
	return types.LabelErrNode(c.ID(), c.do(c, frame, l, r))
}

func (c *boundedCall) Eval(vars interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(vars, c.Exec)
}

// equal pays for the smaller side: a comparison ends with it.
func equal(c *boundedCall, frame *interpreter.ExecutionFrame, l, r ref.Val) ref.Val {
	if frame.CostTracker() != nil { // to weigh takes time too
		charge(frame, weigh(l, weigh(r, maxCost+1)))
	}
	result := types.Equal(l, r)
	if same, ok := result.(types.Bool); ok && c.Function() == operators.NotEquals {
		return !same
	}
	return result
}

func in(_ *boundedCall, frame *interpreter.ExecutionFrame, l, r ref.Val) ref.Val {
	container, ok := r.(traits.Container)
	if !ok {
		return types.NewErr("in needs a list or an object, not %s", r.Type().TypeName())
	}
	if frame.CostTracker() != nil {
		units := weigh(l, maxCost+1)
		if list, ok := r.(traits.Lister); ok {
			units *= max(size(list), 1)
		}
		charge(frame, units)
	}
	return container.Contains(l)
}
