package filter

import (
	"sync"

	"cel.dev/cel-go/cel"
)

// Limits. What a cost of 10,000 buys is in prices.go.
const (
	maxDepth = 100
	maxCost  = 10_000
)

// variables are what a filter sees; machine resolves them.
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
