// Package library_test runs pkg/msgq against brokers in processes and containers of their own, and kills them.
package library_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }
