package push

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func trip(t *testing.T, c *circuit) {
	t.Helper()
	for i := range tripAfter {
		probe, err := c.enter(t.Context())
		if probe || err != nil {
			t.Fatalf("request %d: probe %t, %v, want it to pass", i+1, probe, err)
		}
		if opened := c.leave(probe, false); opened != (i == tripAfter-1) {
			t.Fatalf("failure %d: opened is %t", i+1, opened)
		}
	}
}

func TestCircuitTriesADeadEndpointAfterGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(nil)
		trip(t, c)
		for pause := firstPause; pause < 2*maxPause; pause *= 2 {
			start := time.Now()
			probe, err := c.enter(t.Context())
			if !probe || err != nil {
				t.Fatalf("probe %t, %v, want a probe", probe, err)
			}
			want := min(pause, maxPause)
			if waited := time.Since(start); waited < want/2 || waited > want*3/2 { // with the library's jitter
				t.Errorf("waited %s, want about %s", waited, want)
			}
			if c.leave(probe, false) {
				t.Error("it was open before")
			}
		}
		probe, _ := c.enter(t.Context())
		if closed := c.leave(probe, true); !closed {
			t.Error("a probe that went well must close the circuit")
		}
		start := time.Now()
		if probe, err := c.enter(t.Context()); probe || err != nil || time.Since(start) > 0 {
			t.Errorf("probe %t, %v after %s, want it to pass at once", probe, err, time.Since(start))
		}
	})
}

func TestOpenCircuitLetsOneProbeThroughAndTheOthersWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(nil)
		trip(t, c)
		entered := make(chan bool, 10)
		for range cap(entered) {
			go func() {
				probe, _ := c.enter(t.Context())
				entered <- probe
			}()
		}
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		if n := len(entered); n != 1 || !<-entered {
			t.Fatalf("%d requests passed, want one probe", n)
		}
		c.leave(true, true)
		for range cap(entered) - 1 {
			if <-entered {
				t.Error("a probe, though the circuit is closed")
			}
		}
	})
}

func TestSuccessBetweenFailuresKeepsTheCircuitClosed(t *testing.T) {
	c := newCircuit(nil)
	for range 10 * tripAfter {
		for i := range tripAfter {
			if c.leave(false, i == tripAfter-1) {
				t.Fatal("the circuit opened")
			}
		}
	}
}

func TestLateAnswersOfRequestsMadeBeforeItOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(nil)
		trip(t, c)
		until := c.until
		if c.leave(false, false) || c.until != until {
			t.Error("a failure made before must not lengthen the pause")
		}
		if !c.leave(false, true) {
			t.Error("a success shows that the endpoint lives")
		}
	})
}

func TestWaitingForAnOpenCircuitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quit := make(chan struct{})
		c := newCircuit(quit)
		trip(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
		close(quit)
		if _, err := c.enter(t.Context()); !errors.Is(err, errStopped) {
			t.Errorf("error %v, want errStopped", err)
		}
		c.reset()
		if probe, err := c.enter(t.Context()); probe || err != nil {
			t.Errorf("probe %t, %v, want another endpoint to be used at once", probe, err)
		}
	})
}
