package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/asyncmsglib/msgq/bench/brokerproc"
)

func TestMedianRatioComparesRoundByRound(t *testing.T) {
	for name, test := range map[string]struct {
		a, b []float64
		want float64
	}{
		"odd":     {[]float64{10, 20, 90}, []float64{10, 10, 10}, 2},
		"even":    {[]float64{10, 20}, []float64{10, 10}, 1.5},
		"drift":   {[]float64{100, 10, 1}, []float64{50, 5, 0.5}, 2},
		"nothing": {nil, nil, 0},
	} {
		if got := medianRatio(test.a, test.b); got != test.want {
			t.Errorf("%s: %g, want %g", name, got, test.want)
		}
	}
}

func TestTableSaysWhatWasReached(t *testing.T) {
	var out bytes.Buffer
	writeTable(&out, brokerproc.SyncAlways, []row{{
		cell: cell{what: "publish", overRaw: 3.5, overMill: 8},
		raw:  []float64{1000}, ours: []float64{4000}, mill: []float64{1000}, plainMill: []float64{800},
	}})
	want := "| publish | 1,000 | **4,000** | 1,000 | 800 | 4.00 | 3.5, reached | 4.00 | 5.00 | 8, **missed** |"
	if !strings.Contains(out.String(), want) {
		t.Errorf("got\n%s\nwant a line\n%s", &out, want)
	}
}
