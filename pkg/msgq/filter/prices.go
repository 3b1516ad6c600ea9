package filter

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// CEL's own prices take contains() for quadratic, so that it fails on 100 kB, and
// size(), int() and timezones for free. These follow the time that is spent: one
// is about 100 ns.
const (
	bytesPerUnit = 128 // one pass over the largest payload, 1 MiB, is 8,192
	itemsPerUnit = 16
	stepsPerUnit = 100 // regular expressions, worst case
	timezoneCost = 200 // looks the name up in a file, every time
)

// prices charges for calls after they were made: none takes longer than one pass
// over the payload, apart from those in bound.go, which pay before.
type prices struct{}

var one uint64 = 1

func (prices) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if (function == overloads.StartsWith || function == overloads.EndsWith) && len(args) == 2 {
		args = args[1:]
	}
	units := uint64(1)
	for _, arg := range args {
		units += textUnits(arg)
		if list, ok := arg.(traits.Lister); ok && function == operators.Add {
			units += size(list) / itemsPerUnit
		}
	}
	if len(args) == 2 && strings.HasPrefix(function, "get") {
		units += timezoneCost
	}
	if units == 1 {
		return &one
	}
	return &units
}

func textUnits(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v)) / bytesPerUnit
	case types.Bytes:
		return uint64(len(v)) / bytesPerUnit
	}
	return 0
}

func size(v traits.Sizer) uint64 {
	n, _ := v.Size().(types.Int)
	return uint64(max(n, 0))
}

// charge adds to the evaluation's cost and, past the limit, ends it by a panic
// that CEL's Eval turns into an error.
func charge(frame *interpreter.ExecutionFrame, units uint64) {
	costs := frame.CostTracker()
	if costs == nil { // constants, while planning
		return
	}
	if units <= 1 {
		costs.Qualify(0) // adds exactly one and does not allocate
		return
	}
	costs.EvalUnary(nil, 0, surcharge{}, types.Int(min(units, maxCost+1)), nil)
}

// surcharge is a call that does not exist: CEL's tracker takes an amount only as
// the price of a call.
type surcharge struct{}

func (surcharge) Function() string   { return "surcharge" }
func (surcharge) OverloadID() string { return "msgq_surcharge" }

func (surcharge) amount(args []ref.Val, _ ref.Val) *uint64 {
	n, _ := args[0].(types.Int) // charge gives one
	units := uint64(n)
	return &units
}
