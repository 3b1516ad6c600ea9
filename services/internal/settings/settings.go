// Package settings reads a program's settings from flags and MSGQ_* variables
// and reports all that are wrong at once.
package settings

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	units "github.com/docker/go-units"
)

// Checker is a group of settings that can be wrong in ways a type does not show.
type Checker interface {
	// Check returns one error for each wrong setting.
	Check() []error
}

// Bytes is a size such as 1048576, 64KiB or 8GiB.
type Bytes int64

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := units.RAMInBytes(string(text))
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no size such as 1048576, 64KiB or 8GiB", text)
	}
	*b = Bytes(n)
	return nil
}

// String is the size with a unit.
func (b Bytes) String() string { return units.BytesSize(float64(b)) }

// Parse reads args and the environment into cli, a pointer to a struct with
// kong tags. check may name more. The error names
// every wrong setting; --help and --version exit.
func Parse(cli any, args []string, check func() []error, opts ...kong.Option) (*kong.Context, error) {
	var unread unreadable
	for _, t := range []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[bool](), reflect.TypeFor[time.Duration](), reflect.TypeFor[Bytes](),
	} {
		opts = append(opts, kong.TypeMapper(t, collecting{defaults.ForType(t), &unread}))
	}
	parser, err := kong.New(cli, append(opts, kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))...)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	ctx, err := parser.Parse(args)
	var wrong []error
	for err != nil && len(args) > 0 { // such as a flag that is unknown: nothing was filled in, so the rest is looked at without it
		wrong = append(wrong, err)
		unread = unreadable{}
		args = without(args, err)
		_, err = parser.Parse(args)
	}
	wrong = append(wrong, unread.errs...)
	if err == nil && check != nil {
		wrong = append(wrong, slices.DeleteFunc(check(), unread.named)...)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("wrong settings:\n  %w", indented{errors.Join(wrong...)})
	}
	return ctx, nil
}

// without leaves out the flag that an error is about, or everything.
func without(args []string, err error) []string {
	flag, ok := strings.CutPrefix(err.Error(), "unknown flag ")
	flag, _, _ = strings.Cut(flag, ",") // a proposal follows
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == flag || strings.HasPrefix(arg, flag+"=") })
	if !ok || len(rest) == len(args) {
		return nil
	}
	return rest
}

// indented puts each of several errors on a line of its own below the first.
type indented struct{ error }

func (e indented) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "\n  ") }
func (e indented) Unwrap() error { return e.error }

var defaults = kong.NewRegistry().RegisterDefaults()

// unreadable are settings without a value: what else is said of them means nothing.
type unreadable struct {
	errs  []error
	names []string
}

// named reports whether the error is about one of them.
func (u *unreadable) named(err error) bool {
	return slices.ContainsFunc(u.names, func(name string) bool { return strings.HasPrefix(err.Error(), name+":") })
}

// collecting notes what cannot be read and goes on, so that one start shows every wrong setting.
type collecting struct {
	kong.Mapper
	unread *unreadable
}

func (c collecting) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	err := c.Mapper.Decode(ctx, target)
	if err == nil || ctx.Value.Flag == nil {
		return err
	}
	name := "--" + ctx.Value.Flag.Name
	for _, env := range ctx.Value.Flag.Envs {
		if _, set := os.LookupEnv(env); set {
			name = env
		}
	}
	c.unread.errs = append(c.unread.errs, fmt.Errorf("%s: %w", name, err))
	c.unread.names = append(c.unread.names, ctx.Value.Flag.Envs...)
	return nil
}

// IsBool lets a flag stand without a value.
func (c collecting) IsBool() bool {
	b, ok := c.Mapper.(interface{ IsBool() bool })
	return ok && b.IsBool()
}
