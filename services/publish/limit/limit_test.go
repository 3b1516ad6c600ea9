package limit_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncmsglib/msgq/services/publish/limit"
)

func TestBudgetIsGivenBack(t *testing.T) {
	b := limit.NewBudget(200 << 10) // three requests and 8 KiB
	var shares []*limit.Share
	for range 3 {
		s, err := b.Enter(nil)
		if err == nil {
			err = s.Admit()
		}
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, s)
	}
	fourth, err := b.Enter(nil)
	if err != nil || !errors.Is(fourth.Admit(), limit.ErrOverloaded) {
		t.Errorf("a fourth: %v, want it to be let in and then ErrOverloaded", err)
	}
	fourth.Leave()
	if n, err := io.Copy(io.Discard, shares[0].Reader(strings.NewReader(strings.Repeat("x", 8<<10)))); n != 8<<10 || err != nil {
		t.Errorf("8 KiB: %d, %v", n, err)
	}
	if _, err := io.Copy(io.Discard, shares[1].Reader(strings.NewReader("x"))); !errors.Is(err, limit.ErrOverloaded) {
		t.Errorf("a byte more: %v, want ErrOverloaded", err)
	}
	shares[0].Release()
	if _, err := io.Copy(io.Discard, shares[1].Reader(strings.NewReader("x"))); err != nil {
		t.Errorf("after a release: %v", err)
	}
	for _, s := range shares {
		s.Leave()
	}
	for range 3 {
		if _, err := b.Enter(nil); err != nil {
			t.Errorf("after all have left: %v", err)
		}
	}
}

func TestRateIsPerCallerAndSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := limit.NewRate(10)
		if err != nil {
			t.Fatal(err)
		}
		allowed := func(caller string) (n int) {
			for r.Allow(caller, http.Header{}) == nil {
				n++
			}
			return n
		}
		if a, b := allowed("a"), allowed("b"); a != 10 || b != 10 {
			t.Errorf("%d and %d at once, want 10 each", a, b)
		}
		time.Sleep(500 * time.Millisecond) //nolint:forbidigo // virtual time
		if a := allowed("a"); a != 5 {
			t.Errorf("%d after half a second, want 5", a)
		}
		r.Charge("a", 35)
		h := http.Header{}
		if err := r.Allow("a", h); err == nil || h.Get("Retry-After") != "4" {
			t.Errorf("%v, Retry-After %q, want 4", err, h.Get("Retry-After"))
		}
		time.Sleep(4 * time.Second) //nolint:forbidigo // virtual time
		if a := allowed("a"); a != 5 {
			t.Errorf("%d after the batch is paid for, want 5", a)
		}
	})
}

func TestCallerIsAnIPv4AddressOrAnIPv6Network(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::ffff:10.0.0.1]:5": "::ffff:10.0.0.1", "[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::",
	} {
		if got := limit.Caller(addr); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
