package browser_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browserTimeout bounds a whole test in the browser.
const browserTimeout = 90 * time.Second

type css = chromedp.CSS

// page is a tab. What goes wrong fails the test.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage starts a browser, or skips the test on a machine without one unless
// MSGQ_REQUIRE_BROWSER=1.
func openPage(t *testing.T) *page {
	t.Helper()
	path := findChromium()
	if path == "" {
		const reason = "no Chromium: install it (Debian: apt-get install chromium) or name it in MSGQ_CHROMIUM"
		if os.Getenv("MSGQ_REQUIRE_BROWSER") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), browserTimeout)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, flags...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return &page{t: t, ctx: ctx}
}

func findChromium() string {
	for _, name := range []string{os.Getenv("MSGQ_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && name != "" {
			return path
		}
	}
	return ""
}

func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func (p *page) text(selector string) string {
	p.t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.TextContent(css(selector)))
	if err != nil {
		p.t.Fatalf("read %s: %v", selector, err)
	}
	return text
}

// waitText waits until the element is seen with a text that contains what is wanted.
func (p *page) waitText(selector, want string) {
	p.t.Helper()
	// textContent: rows outside of what is seen are not laid out, and have no innerText.
	const script = `(selector, want) => {
		const element = document.querySelector(selector);
		return element?.checkVisibility() && element.textContent.includes(want);
	}`
	poll := chromedp.PollFunction[bool](script, chromedp.WithPollingArgs(selector, want))
	_, err := chromedp.Run(p.ctx, poll)
	for err != nil && strings.Contains(err.Error(), "Cannot find context") { // a page that was just loaded has another
		_, err = chromedp.Run(p.ctx, poll)
	}
	if err != nil {
		p.t.Fatalf("%s does not come to show %q: %v\nthe page:\n%s", selector, want, err, p.text("main"))
	}
}

// screenshot keeps a picture of the page for people to look at.
func (p *page) screenshot(name string) {
	p.t.Helper()
	folder := os.Getenv("MSGQ_SCREENSHOTS")
	if folder == "" {
		folder = p.t.ArtifactDir()
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	if len(picture) < 10_000 {
		p.t.Errorf("the screenshot has %d bytes: the page is empty", len(picture))
	}
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.t.Logf("screenshot: %s", path)
}
