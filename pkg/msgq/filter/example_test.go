package filter_test

import (
	"errors"
	"fmt"

	"github.com/asyncmsglib/msgq/pkg/msgq/filter"
)

func Example() {
	f, err := filter.Compile(`data.action == "opened" && data.issue.comments > 3`)
	if err != nil {
		fmt.Println(err)
		return
	}
	event := &filter.Event{
		Topic:           "github.issues.opened",
		DataContentType: "application/json",
		Data:            []byte(`{"action": "opened", "issue": {"comments": 4}}`),
	}
	fmt.Println(f.Match(event))
	// Output: true
}

func ExampleCompile() {
	for _, text := range []string{`action == "opened"`, `data.action = "opened"`, `data.labels.exists(l, l == "bug")`, `topic`} {
		_, err := filter.Compile(text)
		fmt.Println(err)
	}
	// Output:
	// line 1, column 1: undeclared reference to 'action' (did you mean data.action?)
	// line 1, column 13: '=' is not an operator (use == to compare)
	// line 1, column 13: filters do not have exists() (has() is the only macro; "x" in data.list finds a value in a list)
	// line 1, column 1: the filter's result is string, not true or false (compare it with something: == != < > in)
}

func ExampleError() {
	_, err := filter.Compile("data.a == 1 &&\n  dta.b == 2")
	if e, ok := errors.AsType[*filter.Error](err); ok {
		fmt.Println(e.Line, e.Column)
		fmt.Println(e.Message)
		fmt.Println(e.Hint)
	}
	// Output:
	// 2 3
	// undeclared reference to 'dta'
	// did you mean data?
}

func ExampleFilter_Match() {
	f, _ := filter.Compile(`headers["region"] in ["eu", "us"]`)
	fmt.Println(f.Match(&filter.Event{Headers: map[string]string{"region": "eu"}}))
	fmt.Println(f.Match(&filter.Event{})) // a missing header is no match
	// Output:
	// true
	// false
}

func ExampleFilter_Check() {
	f, _ := filter.Compile(`data.issue.comments > 3`)
	event := &filter.Event{DataContentType: "application/json", Data: []byte(`{"issue": {}}`)}
	fmt.Println(f.Check(event))
	// Output: false no such key: comments
}

func ExampleFilter_String() {
	f, _ := filter.Compile(`seq > 100`)
	fmt.Println(f)
	// Output: seq > 100
}

func ExampleIndex() {
	index := filter.NewIndex(10_000)
	opened, _ := index.Add(`data.action == "opened"`)
	many, _ := index.Add(`data.action == "opened" && data.issue.comments > 3`)

	event := &filter.Event{DataContentType: "application/json", Data: []byte(`{"action": "opened", "issue": {"comments": 1}}`)}
	matches := index.Match(event)
	fmt.Println(matches.Has(opened))
	fmt.Println(matches.Has(many))

	late, _ := index.Add(`data.issue.comments == 1`)
	matched, known := matches.Has(late)
	if !known { // it came after the message
		matched = late.Filter().Match(event)
	}
	fmt.Println(matched)

	index.Remove(many)
	fmt.Println(index.Len())
	// Output:
	// true true
	// false true
	// true
	// 2
}

func ExampleMatches_Entries() {
	index := filter.NewIndex(10_000)
	subscribers := make(map[*filter.Entry][]string)
	for name, text := range map[string]string{"ana": `headers.region == "eu"`, "bob": `headers.region == "us"`} {
		entry, err := index.Add(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		subscribers[entry] = append(subscribers[entry], name)
	}
	for _, entry := range index.Match(&filter.Event{Headers: map[string]string{"region": "eu"}}).Entries() {
		fmt.Println(subscribers[entry])
	}
	// Output: [ana]
}
