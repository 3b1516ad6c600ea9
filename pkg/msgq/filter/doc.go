// Package filter decides by an expression whether a subscriber wants a message.
//
// A filter is a boolean expression in CEL (https://cel.dev) over one message:
//
//	data.action == "opened" && data.issue.comments > 3
//	headers["region"] in ["eu", "us"]
//	topic.startsWith("github.") && !has(data.sender.bot)
//
//	topic            string
//	id               string
//	seq              int
//	time             timestamp
//	headers          map of string to string
//	datacontenttype  string
//	data             the payload as JSON; null where it is not JSON or is broken
//
// CEL's standard functions are there, has() is the only macro, and the pattern
// of matches() is a literal. Numbers compare by value: data.n > 3 holds for 3.5
// and data.n == 3 for 3.0. Arithmetic does not mix kinds: write
// double(data.price) * 1.2. Whole numbers that fit 64 bits are exact.
//
// # When it fails
//
// [Compile] refuses a bad filter with an [Error] that says where and how to mend
// it. A compiled filter has no errors for its subscriber: a field that is missing,
// a value of another type, a result that is not boolean and a filter that is too
// expensive for this message are no match. [Filter.Check] tells them apart from a
// plain false.
//
// # What it costs
//
// The text is at most [MaxLength] bytes and nested at most 100 deep. Evaluating it
// against one message stops at a cost of 10,000: about one per operator or field,
// one per 128 bytes of text looked through, one per value in lists and objects that
// are compared or searched, one per 100 steps a regular expression could take. So
// contains() reaches to the end of 1 MiB, and a pattern of 20 instructions to the
// end of 50 kB. An ordinary evaluation takes under 1 µs; the worst filter that could
// be made took 16 ms, on a megabyte made for it. Decoding 10 kB takes 30 to 110 µs,
// once per [Event].
//
// # Many filters
//
// An [Index] holds many filters and evaluates each once per message, however many
// subscribers share it, and only if an equality that it cannot do without is in the
// message. Of 10,000 filters like data.k == "v7" && data.n > 3 a message takes 9 µs,
// decoding included; 1,000 filters like data.n > 17 && data.m < 900 take 0.2 to 0.3 ms.
// A filter takes 1.4 kB and about 80 µs to add.
package filter
