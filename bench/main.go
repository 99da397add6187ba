// Command bench measures Errand on real parts and writes the table of
// docs/benchmarks.md:
//
//	go run ./bench                    # everything, about 40 minutes
//	go run ./bench -only latency      # one measurement
//	go run ./bench -quick             # all of it on a smaller scale
//
// Each measurement runs engine, worker and session server in processes of
// their own, which are this same program under another role.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurement is one part of the table.
type measurement struct {
	name string
	run  func(context.Context, scale) ([]row, error)
}

// scale divides the sizes of the measurements: 1 for the table, more for a
// quick look.
type scale int

func (s scale) n(full int) int                     { return max(1, full/int(s)) }
func (s scale) d(full time.Duration) time.Duration { return full / time.Duration(s) }

// row is one line of the table.
type row struct {
	what     string // what was measured
	bar      string // what it has to reach, empty for a figure that stands beside another
	reached  string
	baseline string // of the same run
	ratio    string // reached against baseline
}

var measurements = []measurement{
	{"startup", measureStartup},
	{"latency", measureLatency},
	{"throughput", measureThroughput},
	{"batches", measureBatches},
	{"memory", measureMemory},
	{"sessions", measureSessions},
	{"recovery", measureRecovery},
	{"cost", measureCost},
	{"answers", measureAnswers},
	{"waiting", measureWaiting},
	{"inbox", measureInbox},
	{"monitors", measureMonitors},
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], rolePrefix) {
		os.Exit(playRole(strings.TrimPrefix(os.Args[1], rolePrefix), os.Args[2:]))
	}
	var (
		only  = flag.String("only", "", "comma-separated `names` of measurements; all if empty")
		quick = flag.Bool("quick", false, "a tenth of the size: a look, not a figure to quote")
		out   = flag.String("o", "docs/benchmarks.md", "`file` whose table is replaced; - prints it only")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := bench(ctx, *only, *quick, *out)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, only string, quick bool, out string) error {
	size := scale(1)
	if quick {
		size = 10
	}
	var chosen []string
	if only != "" {
		chosen = strings.Split(only, ",")
	}
	for _, m := range measurements {
		if len(chosen) > 0 && !slices.Contains(chosen, m.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", m.name)
		begun := time.Now()
		rows, err := m.run(ctx, size)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s took %s\n", m.name, time.Since(begun).Round(time.Second))
		for _, r := range rows {
			fmt.Fprintf(os.Stderr, "  %s: %s (bar: %s; baseline: %s; ratio: %s)\n", r.what, r.reached, r.bar, r.baseline, r.ratio)
		}
		if out == "-" || quick {
			fmt.Printf("\n## %s\n\n%s", m.name, table(rows, quick))
			continue
		}
		if err := writeSection(out, m.name, table(rows, quick)); err != nil {
			return err
		}
	}
	return nil
}
