package filter

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
)

// Limits. What a cost of 10,000 buys is in prices.go.
const (
	maxDepth = 100
	maxCost  = 10_000
)

// variables are what a filter sees; activation resolves them.
var variables = []struct {
	name string
	kind *cel.Type
}{
	{"topic", cel.StringType},
	{"id", cel.StringType},
	{"seq", cel.IntType},
	{"time", cel.TimestampType},
	{"headers", cel.MapType(cel.StringType, cel.StringType)},
	{"datacontenttype", cel.StringType},
	{"data", cel.DynType},
}

// environment is made once: it costs milliseconds and never changes.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ClearMacros(),
		cel.Macros(cel.HasMacro),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.EagerlyValidateDeclarations(true),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(maxDepth),
	}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(options...)
})

func programOptions() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.CustomDecoratorV2(bound),
		cel.CostTracking(prices{}),
		cel.CostTrackerOptions(cost.OverloadTracker(surcharge{}.OverloadID(), surcharge{}.amount)),
		cel.CostLimit(maxCost),
	}
}
