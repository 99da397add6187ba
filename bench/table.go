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

// table is the outcome of a run, one section for each measurement.
type table struct {
	head     string
	names    []string
	sections map[string]string
}

func newTable(quick bool) *table {
	head := fmt.Sprintf("Measured %s at %s on %d CPUs (%s), %s, Linux %s, with `go run ./bench`.",
		time.Now().UTC().Format("2006-01-02"), commit(), runtime.NumCPU(), cpuModel(), runtime.Version(), kernel())
	if quick {
		head += " A quick look at a tenth of the size, not to be quoted."
	}
	return &table{head: head, sections: map[string]string{}}
}

func (t *table) add(name string, rows []row) {
	var b strings.Builder
	b.WriteString(t.head + "\n\n| what | bar | reached | baseline in the same run | ratio |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, dash(r.bar), r.reached, dash(r.baseline), dash(r.ratio))
	}
	t.names = append(t.names, name)
	t.sections[name] = b.String()
}

func (t *table) String() string {
	var b strings.Builder
	for _, name := range t.names {
		fmt.Fprintf(&b, "\n## %s\n\n%s", name, t.sections[name])
	}
	return b.String()
}

// writeInto replaces the sections that were measured and leaves all else.
func (t *table) writeInto(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := string(raw)
	for _, name := range t.names {
		begin, end := fmt.Sprintf(sectionBegin, name), fmt.Sprintf(sectionEnd, name)
		before, rest, found := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return fmt.Errorf("%s has no section between %q and %q", file, begin, end)
		}
		text = before + begin + "\n" + t.sections[name] + end + after
	}
	return os.WriteFile(file, []byte(text), 0o644)
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
