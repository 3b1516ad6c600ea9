package browser_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/asyncmsglib/msgq/tests/harness"
)

func TestDashboardAsksForTheTokenAndUsesIt(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{Auth: true})
	p.do("open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.SubscribeURL+"/"))
	p.waitText("#token-form", "wants a token")
	p.screenshot("token.png")

	p.do("give one that has expired",
		chromedp.SetValue(css("#token"), harness.Token(t, map[string]any{"subscribe": []string{">"}}, -time.Hour)),
		chromedp.Click(css("#token-form button")))
	p.waitText("#state-detail", "expired")

	all := map[string]any{"publish": []string{">"}, "subscribe": []string{">"}, "queues": []string{"*"}, "admin": true}
	p.do("give a good one", chromedp.SetValue(css("#token"), harness.Token(t, all, time.Hour)), chromedp.Click(css("#token-form button")))
	p.waitText("#live-showing", "new messages")
	p.do("publish with the form",
		chromedp.SetValue(css("#publish-topic"), "orders.paid"),
		chromedp.SetValue(css("#publish-data"), `{"n":1}`),
		chromedp.Click(css("#publish-button")))
	p.waitText("#publish-result", "Stored as seq 1")
	p.waitText("#live-rows", "orders.paid")
	p.do("look at the queues", chromedp.Click(css("#tab-queues")))
	p.waitText("#queues-empty", "No queues")
}
