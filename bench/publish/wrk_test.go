package main

import (
	"testing"
	"time"
)

const answer = `Running 5s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     8.50ms    2.93ms  40.06ms   81.50%
    Req/Sec     7.29k     1.09k    9.00k    77.50%
  Latency Distribution
     50%    4.36ms
     75%    9.84ms
     90%   11.84ms
     99%    1.02s 
  36288 requests in 5.00s, 9.03MB read
Requests/sec:   7257.76
Transfer/sec:      1.81MB
`

func TestFiguresOfWrkAreRead(t *testing.T) {
	var r singleRow
	if err := r.read(answer, 362880*time.Microsecond); err != nil {
		t.Fatal(err)
	}
	if r.rates[0] != 7257.76 || r.p50s[0] != 4.36 || r.p99s[0] != 1020 || r.cpus[0] != 10 {
		t.Errorf("got %+v", r)
	}
	if err := r.read(answer+"  Non-2xx or 3xx responses: 1\n", 0); err == nil {
		t.Error("a run with refused messages has no figures")
	}
}
