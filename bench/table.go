package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The table stands between these lines; the words around it are a person's.
const (
	sectionBegin = "<!-- begin %s -->"
	sectionEnd   = "<!-- end %s -->"
)

// table writes rows as Markdown, below the circumstances of the measurement.
func table(rows []row, quick bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s at %s on %d CPUs (%s), %s, Linux %s, with `go run ./bench`.",
		time.Now().UTC().Format("2006-01-02"), commit(), runtime.NumCPU(), cpuModel(), runtime.Version(), kernel())
	if quick {
		b.WriteString(" A quick look at a tenth of the size, not to be quoted.")
	}
	b.WriteString("\n\n| what | bar | reached | baseline in the same run | ratio |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, dash(r.bar), r.reached, dash(r.baseline), dash(r.ratio))
	}
	return b.String()
}

// writeSection replaces one measurement's table in the file, and nothing else.
func writeSection(file, name, table string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := fmt.Sprintf(sectionBegin, name), fmt.Sprintf(sectionEnd, name)
	before, rest, found := strings.Cut(string(raw), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no section between %q and %q", file, begin, end)
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+table+end+after), 0o644)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(out))
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo") // not there: not Linux
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown model"
}

func kernel() string {
	raw, _ := os.ReadFile("/proc/sys/kernel/osrelease") // not there: not Linux
	return strings.TrimSpace(string(raw))
}
