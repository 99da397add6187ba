package cli

import (
	"encoding/json"
	"fmt"
	"io"
)

// dryItem is an item as --dry-run shows it.
type dryItem struct {
	Key    string          `json:"key"`
	TaskID string          `json:"task_id"`
	Prompt string          `json:"prompt"`
	URL    string          `json:"url,omitempty"`
	Item   json.RawMessage `json:"item"`
}

// dryRun shows the first items as they would be.
func (a *app) dryRun(job *batchJob, limit int) error {
	if limit < 1 {
		return usagef("--limit %d: --dry-run shows at least one item", limit)
	}
	var items []dryItem
	for item, err := range job.file.Items(job.plan) {
		if err != nil {
			return err
		}
		items = append(items, dryItem{item.Key, job.in.Batch.TaskID(item.Name, 1), item.Prompt, item.URL, item.Item})
		if len(items) == limit {
			break
		}
	}
	err := printList(a, items, func(w io.Writer) error {
		for i, item := range items {
			if i > 0 {
				_, _ = fmt.Fprintln(w)
			}
			rows := [][]string{{"task:", item.TaskID}, {"prompt:", cell(item.Prompt, 2000)}}
			if item.URL != "" {
				rows = append(rows, []string{"url:", cell(item.URL, 2000)})
			}
			if err := table(w, []string{"key:", cell(item.Key, 200)}, rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		a.note("batch %s would have %s, %d at a time, on connection %s; nothing was started",
			job.in.Batch.ID, plural(job.Total, "item"), job.in.Concurrency, job.in.Task.Connection)
	}
	return err
}
