package main

import (
	"strings"
	"testing"
)

func TestUpNamesEachWrongSettingOnce(t *testing.T) {
	t.Setenv("MSGQ_LOG_LEVEL", "loud")
	t.Setenv("MSGQ_RATE", "-1")
	t.Setenv("MSGQ_MAX_QUEUES", "0")
	t.Setenv("MSGQ_MAX_BYTES", "none")
	t.Setenv("MSGQ_AUTH", "jwt")
	t.Setenv("MSGQ_JWT_SECRET_FILE", "/nowhere")
	r := command(t, "", "up", "--data", t.TempDir(), "--subscribe-addr", "nonsense")
	if r.code != exitWrongUse {
		t.Errorf("exit %d, want %d", r.code, exitWrongUse)
	}
	for _, name := range []string{"MSGQ_LOG_LEVEL", "MSGQ_RATE", "MSGQ_MAX_QUEUES", "MSGQ_MAX_BYTES", "MSGQ_SUBSCRIBE_ADDR", "MSGQ_JWT_SECRET_FILE"} {
		if n := strings.Count(r.err, "  "+name+":"); n != 1 {
			t.Errorf("%s is named %d times in:\n%s", name, n, r.err)
		}
	}
}

func TestUpLeavesConsumersOfTheBrokerToLiveSubscriptions(t *testing.T) {
	t.Setenv("MSGQ_MAX_QUEUES", "901")
	if r := command(t, "", "up", "--data", t.TempDir()); r.code != exitWrongUse || !strings.Contains(r.err, "MSGQ_MAX_QUEUES: 901, 1 to 900") {
		t.Errorf("%+v", r)
	}
}
