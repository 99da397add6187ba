package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/starter"
)

func (a *app) batchResultsCommand() *cobra.Command {
	var asCSV bool
	c := &cobra.Command{
		Use:   "results BATCH",
		Short: "Print what has come of each item, in the order of the file",
		Long: "Prints what has come of each item so far, in the order of the file, also while\n" +
			"the batch runs.",
		Example: example(`batch results b-7f3k2mzx -o jsonl`, `batch results b-7f3k2mzx --csv`),
		Args:    exactly("BATCH"),
		RunE: func(c *cobra.Command, args []string) error {
			if asCSV && a.flags.output != outputText {
				return usagef("--csv and --output %s: choose one", a.flags.output)
			}
			return a.withLink(c.Context(), func(l *link) error {
				print := a.batchResults
				if asCSV {
					print = a.batchCSV
				}
				if err := print(c.Context(), l, args[0]); err != nil {
					return explainBatch(args[0], err)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&asCSV, "csv", false, "as CSV, with a column for each field of items and results")
	return c
}

// batchResults prints results as they are read: there may be a great many.
func (a *app) batchResults(ctx context.Context, l *link, id string) error {
	switch a.flags.output {
	case outputJSONL:
		return l.tasks.BatchResults(ctx, id, func(r starter.BatchResult) error { return a.printJSON(r) })
	case outputJSON:
		return a.batchArray(ctx, l, id)
	}
	return l.tasks.BatchResults(ctx, id, func(r starter.BatchResult) error {
		text := ""
		switch {
		case r.Error != nil:
			text = r.Error.Type + ": " + r.Error.Message
		case len(r.Result) > 0:
			text = valueText(r.Result)
		}
		_, err := fmt.Fprintf(a.out, "%-24s  %-9s  %s\n", cell(r.Key, 40), r.Status, cell(text, 100))
		return err
	})
}

// batchArray prints results as one array.
func (a *app) batchArray(ctx context.Context, l *link, id string) error {
	lead := "["
	err := l.tasks.BatchResults(ctx, id, func(r starter.BatchResult) error {
		raw, err := json.MarshalIndent(r, "  ", "  ")
		if err == nil {
			_, err = fmt.Fprintf(a.out, "%s\n  %s", lead, raw)
		}
		lead = ","
		return err
	})
	if err != nil {
		return err
	}
	if lead == "[" {
		lead = "[" + "]\n"
	} else {
		lead = "\n]\n"
	}
	_, err = io.WriteString(a.out, lead)
	return err
}

// batchCSV reads the results twice: which columns there are is known only then.
func (a *app) batchCSV(ctx context.Context, l *link, id string) error {
	var columns csvColumns
	if err := l.tasks.BatchResults(ctx, id, func(r starter.BatchResult) error { columns.see(r); return nil }); err != nil {
		return err
	}
	w := csv.NewWriter(a.out)
	if err := w.Write(columns.header()); err != nil {
		return err
	}
	if err := l.tasks.BatchResults(ctx, id, func(r starter.BatchResult) error { return w.Write(columns.record(r)) }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// csvColumns are those of a batch's results: a column for each field of its
// items and of its results, in the order in which they were seen.
type csvColumns struct {
	item, result []string
	plain        bool // there are results that are no objects
}

func (c *csvColumns) see(r starter.BatchResult) {
	c.item = addNames(c.item, r.Item)
	if len(r.Result) == 0 {
		return
	}
	if !isObject(r.Result) {
		c.plain = true
		return
	}
	c.result = addNames(c.result, r.Result)
}

func isObject(raw json.RawMessage) bool {
	return strings.HasPrefix(strings.TrimSpace(string(raw)), "{")
}

// mostColumns bounds how many columns the fields of items, or of results, make.
const mostColumns = 200

// addNames adds the names of an object's fields that are new.
func addNames(names []string, object json.RawMessage) []string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil {
		return names
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(names) < mostColumns && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (c *csvColumns) header() []string {
	header := []string{"key", "status"}
	for _, name := range c.item {
		header = append(header, "item."+name)
	}
	if c.plain || len(c.result) == 0 {
		header = append(header, "result")
	}
	for _, name := range c.result {
		header = append(header, "result."+name)
	}
	return append(header, "error", "task_id", "session_id", "started_at", "finished_at")
}

func (c *csvColumns) record(r starter.BatchResult) []string {
	record := []string{r.Key, string(r.Status)}
	record = append(record, fieldsIn(r.Item, c.item)...)
	object := isObject(r.Result)
	if c.plain || len(c.result) == 0 {
		plain := ""
		if !object {
			plain = csvValue(r.Result)
		}
		record = append(record, plain)
	}
	record = append(record, fieldsIn(r.Result, c.result)...)
	failure := ""
	if r.Error != nil {
		failure = r.Error.Type + ": " + r.Error.Message
	}
	return append(record, failure, r.TaskID, r.SessionID, csvTime(r.StartedAt), csvTime(r.FinishedAt))
}

// fieldsIn are the values of some fields of an object, empty for those that it
// does not have.
func fieldsIn(object json.RawMessage, names []string) []string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(object, &fields) // no object: no fields
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = csvValue(fields[name])
	}
	return values
}

// csvValue is a string as it is, and any other value as JSON.
func csvValue(raw json.RawMessage) string {
	var s *string
	if json.Unmarshal(raw, &s) == nil {
		if s == nil {
			return ""
		}
		return *s
	}
	return string(raw)
}

func csvTime(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
