package filter

import (
	"fmt"
	"math"
	"sync"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// machine runs filters, one after the other, against one event. It keeps what CEL
// would allocate for each: the frame, the meter and the fields as CEL values.
type machine struct {
	event                        *Event
	topic, id, time, contentType any
	frame                        *interpreter.ExecutionFrame
	meter                        cost.Tracker
}

var machines = sync.Pool{New: func() any { return new(machine) }}

// start takes a machine, stop gives it back.
func start(e *Event) (*machine, error) {
	m, _ := machines.Get().(*machine)
	frame, err := interpreter.NewExecutionFrame(m)
	if err != nil {
		return nil, err
	}
	m.event, m.frame = e, frame
	return m, nil
}

func (m *machine) stop() {
	m.frame.Close()
	*m = machine{} // a pooled machine must not keep a payload alive
	machines.Put(m)
}

func (m *machine) run(p program) (out ref.Val, err error) {
	if p.root == nil { // nothing is asked for
		return types.True, nil
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case interpreter.EvalCancelledError:
			out, err = nil, r
		default: // a fault in CEL is one message that one filter does not get
			out, err = nil, fmt.Errorf("internal error: %v", r)
		}
	}()
	if err := m.setMeter(p.metered); err != nil {
		return nil, err
	}
	out = p.root.Exec(m.frame)
	if failed, ok := out.(*types.Err); ok {
		return nil, failed
	}
	return out, nil
}

func (m *machine) setMeter(on bool) error {
	if !on {
		if m.frame.CostTracker() != nil {
			m.frame.SetCostTracker(nil)
		}
		return nil
	}
	fresh, err := meter()
	if err != nil {
		return err
	}
	m.meter = *fresh
	m.frame.SetCostTracker(&m.meter)
	return nil
}

// ResolveName gives CEL a variable.
func (m *machine) ResolveName(name string) (any, bool) {
	switch name {
	case "data":
		return m.event.payload(), true
	case "topic":
		return text(&m.topic, m.event.Topic), true
	case "id":
		return text(&m.id, m.event.ID), true
	case "datacontenttype":
		return text(&m.contentType, m.event.DataContentType), true
	case "headers":
		return m.event.Headers, true
	case "seq":
		return types.Int(min(m.event.Seq, math.MaxInt64)), true
	case "time":
		if m.time == nil {
			m.time = types.Timestamp{Time: m.event.Time}
		}
		return m.time, true
	}
	return nil, false
}

// text allocates the CEL value of a string once for all filters that ask for it.
func text(kept *any, s string) any {
	if *kept == nil {
		*kept = types.String(s)
	}
	return *kept
}

// Parent is none: there is one scope.
func (*machine) Parent() interpreter.Activation { return nil }
