package wsconn

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/asyncmsglib/msgq/services/subscribe/asyncapi"
)

func TestDocumentNamesEveryCode(t *testing.T) {
	for _, code := range []int{
		closeShutdown, 1002, closeBinary, closeNotUTF8, 1009, closeInternal, // gorilla sends 1002 and 1009
		closeBadFrames, closeOverLimit, closeBrokerGone, closeStalled,
	} {
		if !bytes.Contains(asyncapi.Document, fmt.Appendf(nil, "\n    | %d | ", code)) {
			t.Errorf("close code %d is missing", code)
		}
	}
	named := []string{"bad_request", "unknown_type", "duplicate_id", "broker_unavailable", "internal"}
	for _, c := range codes {
		named = append(named, c.code)
	}
	_, table, _ := bytes.Cut(asyncapi.Document, []byte("| error code |"))
	table, _, _ = bytes.Cut(table, []byte("channels:"))
	for _, code := range named {
		if !bytes.Contains(table, []byte(code)) {
			t.Errorf("error code %s is missing", code)
		}
	}
}
