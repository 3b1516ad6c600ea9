package browser_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// TestWorkerInABrowser runs the recipe as it says: a page from another web server, which takes the
// client from the service.
func TestWorkerInABrowser(t *testing.T) {
	p := openPage(t)
	var html string // known when the service's address is
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, html)
	}))
	defer pages.Close()
	s := harness.Start(t, harness.Options{SubscribeFlags: []string{"--allowed-origins=http://127.0.0.1:8000," + pages.URL}})
	html = s.Recipe(t, "A worker in a browser", "html")
	type counts struct {
		Ready, Acknowledged int
		InFlight            int `json:"in_flight"`
	}
	count := func() (n counts) {
		s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues/kitchen", "").JSON(t, &n)
		return n
	}
	p.do("open the page", chromedp.Navigate(pages.URL+"/kitchen.html"))
	msgqtest.Eventually(t, "the page is a member", func() bool {
		return s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues/kitchen", "").Status == http.StatusOK
	})
	for i := range 6 { // two more than its credit
		s.Publish(t, "orders.created", fmt.Sprintf(`{"table":%d}`, i))
	}
	p.waitText("#orders", `Done: {"table":3}`)
	p.do("do the first order", chromedp.Click(css("#orders button")))
	p.waitText("#orders", `Done: {"table":4}`)
	msgqtest.Eventually(t, "it is acknowledged, 4 are on the screen", func() bool {
		return count() == counts{Ready: 1, Acknowledged: 1, InFlight: 4}
	})
	p.do("close the page", chromedp.Navigate("about:blank"))
	ws := s.Dial(t, nil) // another screen
	ws.Send(map[string]any{"type": "subscribe", "id": "q", "queue": "kitchen"})
	seen := map[string]int{}
	for range 5 {
		seen[string(ws.WaitType("message").Data)]++
	}
	if len(seen) != 5 || seen[`{"table":0}`] != 0 {
		t.Errorf("the other screen got %v, want all but the first", seen)
	}
}
