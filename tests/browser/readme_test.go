package browser_test

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asyncmsglib/msgq/tests/harness"
)

// TestReadmeInTheConsole types the README's JavaScript into the console of the dashboard, as it says.
func TestReadmeInTheConsole(t *testing.T) {
	p := openPage(t)
	s := harness.Start(t, harness.Options{})
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, _ := strings.Cut(string(text), "\n```js\n")
	snippet, _, found := strings.Cut(snippet, "\n```")
	if !found || !strings.Contains(snippet, "127.0.0.1:8081") {
		t.Fatalf("the README has no JavaScript for the usual address: %q", snippet)
	}
	snippet = strings.Replace(snippet, "127.0.0.1:8081", strings.TrimPrefix(s.SubscribeURL, "http://"), 1)

	p.do("open the page", chromedp.Navigate(s.SubscribeURL+"/"))
	const listen = `console.log = (...said) => { document.title += JSON.stringify(said); }; 0`
	for _, typed := range []string{listen, snippet} {
		if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](typed)); err != nil {
			t.Fatalf("type %q: %v", typed, err)
		}
	}
	p.waitTitle(`["subscribed",null]`)
	s.Publish(t, "orders.created", `{"id":16,"total":7}`)
	s.Publish(t, "orders.created", `{"id":17,"total":42.5}`)
	title := p.waitTitle(`["message",{"id":17,"total":42.5}]`)
	if strings.Contains(title, `"id":16`) {
		t.Errorf("the console shows %s, want what the filter lets through", title)
	}
}

// waitTitle waits until the page's title contains what is wanted.
func (p *page) waitTitle(want string) (title string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.PollFunction[bool](`(want) => document.title.includes(want)`, chromedp.WithPollingArgs(want)))
	if err == nil {
		title, err = chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.title`))
	}
	if err != nil {
		p.t.Fatalf("the title does not come to have %s: %v", want, err)
	}
	return title
}
