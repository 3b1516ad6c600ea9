package request_test

import (
	"testing"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
)

func TestMain(m *testing.M) { msgqtest.VerifyTestMain(m) }
