package browser_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asyncmsglib/msgq/pkg/msgq/msgqtest"
	"github.com/asyncmsglib/msgq/tests/harness"
)

// bury makes the queue with n dead letters, {"n":1} and on.
func bury(t *testing.T, s *harness.Stack, queue, reason string, n int) {
	t.Helper()
	ws := s.Dial(t, nil)
	ws.Send(map[string]any{"type": "subscribe", "id": "q", "topics": []string{queue + ".>"}, "queue": queue, "max_attempts": 3})
	ws.WaitType("subscribed")
	for i := range n {
		s.Publish(t, queue+".welcome", fmt.Sprintf(`{"n":%d,"account":12345678901234567890,"html":"<img src=x onerror=alert(1)>"}`, i+1), "Msgq-Header-Region: eu")
		ws.Send(map[string]any{"type": "reject", "id": "q", "tags": []string{ws.WaitType("message").Tag}, "reason": reason, "ref": 1})
		ws.WaitType("ok")
	}
	_ = ws.Conn.Close()
}

// waitDead waits until the service itself says so.
func waitDead(t *testing.T, s *harness.Stack, queue string, ready, dead int) {
	t.Helper()
	msgqtest.Eventually(t, fmt.Sprintf("%s has %d ready and %d dead", queue, ready, dead), func() bool {
		var q struct{ Ready, Dead int }
		s.Do(t, http.MethodGet, s.SubscribeURL+"/v1/queues/"+queue, "").JSON(t, &q)
		return q.Ready == ready && q.Dead == dead
	})
}

func TestDashboardShowsQueuesAndSeesToTheirDeadLetters(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	p.do("open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.SubscribeURL+"/"), chromedp.Click(css("#tab-queues")))
	p.waitText("#queues-empty", "No queues")
	bury(t, s, "mailer", `no such customer <b>"17"</b>`, 6)
	bury(t, s, "billing", "timeout", 1)
	p.waitText("#queue-rows", "billing") // counts and queues come by themselves
	p.waitText("#queue-rows", "mailer")

	p.do("choose a queue", chromedp.Click(css(`#queue-rows tr[data-name="mailer"] button`)))
	p.waitText("#dead-showing", "6, of 6 dead letters")
	p.waitText("#queue-facts", "mailer.>")
	p.waitText("#dead-rows", `no such customer <b>"17"</b>`) // as text

	p.do("open the first one", chromedp.Click(css("#dead-rows tr.row button")))
	p.waitText("#dead-rows .detail", "12345678901234567890") // every digit of it
	p.waitText("#dead-rows .detail", "<img src=x onerror=alert(1)>")
	p.screenshot("queues.png")

	p.do("redrive it, and think again", chromedp.Click(css(`.detail button[aria-label="Redrive message 1"]`)))
	p.waitText("#confirm-text", "Message 1 will be delivered")
	p.do("cancel", chromedp.Click(css("#confirm-no")))
	waitDead(t, s, "mailer", 0, 6)
	p.do("redrive it", chromedp.Click(css(`.detail button[aria-label="Redrive message 1"]`)), chromedp.Click(css("#confirm-yes")))
	p.waitText("#dead-notice", "1 redriven")
	p.waitText("#dead-showing", "5, of 5 dead letters")
	waitDead(t, s, "mailer", 1, 5)

	p.do("a filter that is none", chromedp.SetValue(css("#dead-filter"), "data.n >"), chromedp.Click(css("#dead-apply")))
	p.waitText("#dead-error", "column")
	p.waitText("#dead-form button:disabled", "Redrive all") // is not what is typed
	p.do("a filter", chromedp.SetValue(css("#dead-filter"), "data.n > 4"), chromedp.Click(css("#dead-apply")))
	p.waitText("#dead-showing", "2 match")
	p.do("discard what matches", chromedp.Click(css("#dead-discard")))
	p.waitText("#confirm-text", "mailer that match data.n > 4")
	p.screenshot("queues-confirm.png")
	p.do("yes", chromedp.Click(css("#confirm-yes")))
	p.waitText("#dead-notice", "2 discarded")
	p.waitText("#dead-empty", "None matches")
	waitDead(t, s, "mailer", 1, 3)

	p.do("reload", chromedp.Reload()) // the address says which queue
	p.waitText("#dead-showing", "3, of 3 dead letters")
	p.do("redrive all", chromedp.Click(css("#dead-redrive")), chromedp.Click(css("#confirm-yes")))
	p.waitText("#dead-notice", "3 redriven")
	p.waitText("#dead-empty", "No dead letters")
	waitDead(t, s, "mailer", 4, 0)
	waitDead(t, s, "billing", 0, 1)

	if r := s.Do(t, http.MethodDelete, s.SubscribeURL+"/v1/queues/mailer", ""); r.Status != http.StatusNoContent {
		t.Fatalf("delete: %d", r.Status)
	}
	p.waitText("#queue-none", "There is no queue mailer")
	p.do("back to the messages", chromedp.Click(css("#tab-messages")))
	p.waitText("#live-showing", "new messages")
}

func TestDashboardShowsEveryDigitOfADeadLetterOnATelephone(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	bury(t, s, "mailer", "timeout", 1)
	p.do("open the queue", chromedp.EmulateViewport(400, 900), chromedp.Navigate(s.SubscribeURL+"/?view=queues&queue=mailer"))
	p.waitText("#dead-rows", "timeout")
	p.do("open its dead letter", chromedp.Click(css("#dead-rows tr.row button")))
	p.waitText("#dead-rows .detail .number", "1")
	p.screenshot("telephone.png")
}

func TestDashboardShowsQueuesOfASlowService(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	bury(t, s, "mailer", "timeout", 1)
	p.do("open the page", chromedp.Navigate(s.SubscribeURL+"/"))
	p.waitText("#live-showing", "new messages")
	const slow = `{ // every answer takes longer than the page waits before it asks again
		const { fetch, setTimeout } = window;
		window.setTimeout = (f, ms) => setTimeout(f, ms === 2000 ? 0 : ms);
		window.fetch = async (...request) => {
			const answer = await fetch(...request);
			await new Promise((go) => setTimeout(go, 50));
			return answer;
		};
		true;
	}`
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](slow)); err != nil {
		t.Fatal(err)
	}
	p.do("look at the queues", chromedp.Click(css("#tab-queues")))
	p.waitText("#queue-rows", "mailer")
	p.waitText("#queues-note", "1 queue")
}
