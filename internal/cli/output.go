package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// printJSON prints one value, over many lines or in one.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	if a.flags.output == outputJSON {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// printList prints values as the output format wants them: one array, one line
// for each, or as text does.
func printList[T any](a *app, values []T, text func(io.Writer) error) error {
	switch a.flags.output {
	case outputJSON:
		if values == nil {
			values = []T{}
		}
		return a.printJSON(values)
	case outputJSONL:
		for _, v := range values {
			if err := a.printJSON(v); err != nil {
				return err
			}
		}
		return nil
	default:
		return text(a.out)
	}
}

// table prints aligned columns. Cells are texts of one line.
func table(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		_, _ = fmt.Fprintln(t, strings.Join(row, "\t")) // Flush reports what went wrong
	}
	return t.Flush()
}

// printResult prints the result of a task as text: an object as one line for
// each field, a string as it is.
func printResult(w io.Writer, result json.RawMessage) error {
	if len(result) == 0 || string(result) == "null" {
		return nil
	}
	if lines, ok := objectLines(result); ok {
		_, err := io.WriteString(w, lines)
		return err
	}
	_, err := fmt.Fprintln(w, valueText(result))
	return err
}

// objectLines are the fields of a JSON object in their own order, one a line.
func objectLines(result json.RawMessage) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(result))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return "", false
	}
	var b strings.Builder
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return "", false
		}
		fmt.Fprintf(&b, "%s: %s\n", printable(fmt.Sprint(key), ""), valueText(value))
	}
	return b.String(), true
}

// valueText is a JSON value for people: a string without its quotes.
func valueText(value json.RawMessage) string {
	var s *string
	if json.Unmarshal(value, &s) == nil && s != nil {
		return printable(*s, "  ")
	}
	var compact bytes.Buffer
	if json.Compact(&compact, value) == nil {
		return printable(compact.String(), "")
	}
	return printable(string(value), "")
}

// age is how long ago something was, in the coarsest unit that fits.
func age(at time.Time) string {
	switch d := max(0, time.Since(at)); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// cell makes a text fit for a table: one line of at most n characters.
func cell(text string, n int) string {
	runes := []rune(printable(oneLine(text), ""))
	if len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return string(runes)
}

// ending is the last line about a task.
func ending(t starter.AgentTask) string {
	words := []string{string(t.Status)}
	if t.FinishedAt != nil {
		words = append(words, "after "+clock(t.FinishedAt.Sub(t.StartedAt)))
	}
	if t.Turns == 1 {
		words = append(words, "1 turn")
	} else {
		words = append(words, fmt.Sprintf("%d turns", t.Turns))
	}
	if s := t.Snapshot; s != nil {
		words = append(words, fmt.Sprintf("%s snapshot of session %s", s.Mode, s.SessionID))
	}
	if t.SnapshotError != "" {
		words = append(words, "no snapshot: "+printable(t.SnapshotError, "  "))
	}
	if s := t.Session; s != nil && s.Remains {
		words = append(words, "session "+s.ID+" "+remains(t))
	}
	text := fmt.Sprintf("task %s %s", t.ID, strings.Join(words, " · "))
	if t.Error != nil && t.Status != workflows.StatusCancelled {
		text += fmt.Sprintf(": %s: %s", t.Error.Type, printable(t.Error.Message, "  "))
	}
	return text
}

// remains says that the task's session was not deleted because it cannot be.
func remains(t starter.AgentTask) string {
	title := "its vendor"
	if v, err := provider.VendorNamed(t.Provider); err == nil {
		title = v.Title
	}
	return "remains at " + title + ", which has no call that deletes one"
}

// statusOf is the exit status that says how a task has ended.
func statusOf(s workflows.Status) error {
	switch s {
	case workflows.StatusCompleted:
		return nil
	case workflows.StatusCancelled:
		return exitStatus(exitCancelled)
	case workflows.StatusTimedOut:
		return exitStatus(exitTimedOut)
	default:
		return exitStatus(exitFailed)
	}
}
