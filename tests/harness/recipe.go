package harness

import (
	"os"
	"strings"
	"testing"
)

// Recipe is a piece of docs/recipes.md, word by word: the first block in this language below this
// heading. The addresses in it are those of the stack.
func (s *Stack) Recipe(t testing.TB, heading, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, block, _ := strings.Cut(section, "\n```"+language+"\n")
	block, _, found := strings.Cut(block, "\n```")
	if !found {
		t.Fatalf("docs/recipes.md has no %s below %q", language, heading)
	}
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	return strings.NewReplacer("127.0.0.1:8080", host(s.PublishURL), "127.0.0.1:8081", host(s.SubscribeURL)).Replace(block) + "\n"
}
