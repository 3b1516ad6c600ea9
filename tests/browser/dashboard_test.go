// Package browser_test uses the dashboard as a person would, in a real browser.
package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestDashboardShowsWhatIsPublished(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	p.do("open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.SubscribeURL+"/"))
	p.waitText("#live-showing", "new messages") // the subscription holds

	s.Publish(t, "orders.created", `{"id":1,"total":9.5}`, "Idempotency-Key: order-1")
	p.waitText("#live-rows", "orders.created")
	for _, want := range []string{"order-1", `"total":9.5`} {
		if row := p.text("#live-rows"); !strings.Contains(row, want) {
			t.Errorf("the row %q does not show %q", row, want)
		}
	}

	p.do("publish with the form",
		chromedp.SetValue(css("#publish-topic"), "orders.paid"),
		chromedp.SetValue(css("#publish-data"), `{"html":"<img src=x onerror=alert(1)>"}`),
		chromedp.Click(css("#publish-button")))
	p.waitText("#publish-result", "Stored as seq 2")
	p.waitText("#live-rows", "orders.paid")
	p.waitText("#live-rows", "<img src=x") // as text, not as a picture

	p.do("ask for what makes no sense",
		chromedp.SetValue(css("#live-filter"), `data.total = 1`), chromedp.Click(css("#live-apply")))
	p.waitText("#live-error", "column")

	p.do("ask for large orders",
		chromedp.SetValue(css("#live-pattern"), "orders.*"),
		chromedp.SetValue(css("#live-filter"), "data.total > 5"), chromedp.Click(css("#live-apply")))
	p.waitText("#live-showing", "data.total > 5")
	for i := range 20 {
		s.Publish(t, "orders.created", fmt.Sprintf(`{"id":%d,"total":%d}`, i, i))
	}
	p.waitText("#live-rows", `"total":19`)
	if rows := p.text("#live-rows"); strings.Contains(rows, `"total":3}`) || !strings.Contains(rows, `"total":6}`) {
		t.Errorf("the table does not show just what the filter lets through:\n%s", rows)
	}
	p.screenshot("dashboard.png")
}

func TestDashboardGoesOnAfterAnOutage(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	p.do("open the page", chromedp.Navigate(s.SubscribeURL+"/"))
	p.waitText("#live-showing", "new messages") // the subscription holds
	s.Publish(t, "a.before", `1`)
	p.waitText("#live-rows", "a.before")
	s.Broker.Stop()
	p.waitText("#state", "waiting") // the connection to the service lives
	p.waitText("#state-detail", "broker")
	p.screenshot("waiting.png")
	s.Broker.Start()
	s.WaitReady(t)
	s.Publish(t, "a.after", `2`)
	p.waitText("#live-rows", "a.after")
	p.waitText("#state", "live")
}

// MSGQ_EVENTS names a larger file of events than the demo data.
func TestDashboardReceivesEveryEventOnceInOrder(t *testing.T) {
	path := os.Getenv("MSGQ_EVENTS")
	if path == "" {
		path = "../testdata/github-events.ndjson"
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	p.do("open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.SubscribeURL+"/"))
	p.waitText("#live-showing", "new messages")
	var want []string // newest first, as the page shows them
	for line := range strings.Lines(string(file)) {
		var e struct {
			Topic string
			Data  json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		r := s.Publish(t, e.Topic, string(e.Data))
		want = append(want, fmt.Sprint(r.Seq))
	}
	slices.Reverse(want)
	p.waitText("#seen", fmt.Sprint(len(want)))
	p.waitText("#live-kept", fmt.Sprint(len(want)))
	got, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("#live-rows tr.row")].map((row) => row.dataset.seq)`))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the page shows %v, error %v, want %v", got, err, want)
	}
}
