package main

import (
	"fmt"
	"runtime"
	"slices"
)

// scenario is one line of work and what it is measured by.
type scenario struct {
	name, title string
	metrics     []metric
	run         runner
}

type metric struct {
	name string
	goal string
}

func writeHead() {
	fmt.Printf("%s, %d cores, broker, service and generator beside each other.\n\n", runtime.Version(), runtime.NumCPU())
	fmt.Println("| scenario | measured | median | range | goal |")
	fmt.Println("| --- | --- | ---: | --- | --- |")
}

func writeRows(s scenario, results map[string][]float64) {
	for _, m := range s.metrics {
		values := results[m.name]
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		fmt.Printf("| %s | %s | %.4g | %.4g – %.4g | %s |\n", s.title, m.name, values[len(values)/2], values[0], values[len(values)-1], m.goal)
	}
}
