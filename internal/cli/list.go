package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) listCommand() *cobra.Command {
	var (
		filter starter.Filter
		status string
		labels []string
	)
	c := &cobra.Command{
		Use:     "list",
		Short:   "List agent tasks, the latest first",
		Example: example(`list --status waiting`, `list --label team=web -o jsonl`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			filter.Status = workflows.Status(status)
			if !slices.Contains(statuses, filter.Status) && status != "" {
				return usagef("--status %s: choose %s", status, strings.Join(words(statuses), ", "))
			}
			if filter.Limit < 0 {
				return usagef("--limit is negative: 0 lists all")
			}
			if filter.Labels, err = parseLabels(labels); err != nil {
				return err
			}
			return a.list(c.Context(), filter)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&status, "status", "", "only with that `STATUS`: "+strings.Join(words(statuses), ", "))
	f.StringVar(&filter.Connection, "connection", "", "only of the connection `NAME`")
	f.StringVar(&filter.Batch, "batch", "", "only of the batch `ID`")
	f.StringArrayVar(&labels, "label", nil, "only with the label `KEY=VALUE` (repeatable: with all of them)")
	f.IntVar(&filter.Limit, "limit", 50, "at most that many, 0 for all")
	return c
}

func (a *app) list(ctx context.Context, filter starter.Filter) error {
	return a.withLink(ctx, func(l *link) error {
		tasks, err := l.tasks.List(ctx, filter)
		if err != nil {
			return err
		}
		listed := make([]listedTask, len(tasks))
		for i, t := range tasks {
			listed[i] = listedTask{AgentTask: t}
		}
		return printList(a, listed, func(w io.Writer) error { return a.listTable(w, tasks) })
	})
}

// statuses are those that a list can be narrowed to.
var statuses = []workflows.Status{
	workflows.StatusRunning, workflows.StatusWaiting, workflows.StatusPaused, workflows.StatusCompleted,
	workflows.StatusFailed, workflows.StatusCancelled, workflows.StatusTimedOut,
}

func words[S ~string](values []S) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}

// listedTask is a task as lists show it: without its result and its answers.
type listedTask struct {
	starter.AgentTask
	Result  *struct{} `json:"result,omitempty"`
	Answers *struct{} `json:"answers,omitempty"`
}

func (a *app) listTable(w io.Writer, tasks []starter.AgentTask) error {
	if len(tasks) == 0 {
		a.note("no agent tasks")
		return nil
	}
	width := a.promptWidth(tasks)
	rows := make([][]string, len(tasks))
	for i, t := range tasks {
		rows[i] = []string{t.ID, string(t.Status), age(t.StartedAt), t.Connection, strconv.Itoa(t.Turns), cell(t.Prompt, width)}
	}
	return table(w, []string{"ID", "STATUS", "AGE", "CONNECTION", "TURNS", "PROMPT"}, rows)
}

// promptWidth is the room for prompts in the last column.
func (a *app) promptWidth(tasks []starter.AgentTask) int {
	const usual, least, gaps = 60, 20, 10 // two spaces between columns
	out := terminal(a.out)
	if out == nil {
		return usual
	}
	width, _, err := term.GetSize(int(out.Fd()))
	if err != nil {
		return usual
	}
	id, connection := len("ID"), len("CONNECTION")
	for _, t := range tasks {
		id, connection = max(id, len(t.ID)), max(connection, len(t.Connection))
	}
	return max(least, width-id-len(workflows.StatusCompleted)-len("AGE")-connection-len("TURNS")-gaps)
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show TASK",
		Short:   "Show one task whole",
		Example: example(`show t-7f3k2m`, `show t-7f3k2m -o json`),
		Args:    exactly("TASK"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				task, err := l.tasks.AgentTask(c.Context(), args[0])
				if noWorker, ok := errors.AsType[*starter.NoWorkerError](err); ok {
					a.note("what the task is doing now is not known: %s", noWorker)
				} else if err != nil {
					return explainTask(args[0], err)
				}
				if a.flags.output != outputText {
					return a.printJSON(task)
				}
				return showText(a.out, task)
			})
		},
	}
}

// explainTask says which task is meant, where that is not known.
func explainTask(id string, err error) error {
	if errors.Is(err, starter.ErrUnknownTask) {
		return fmt.Errorf("there is no task %s: see errand list", id)
	}
	return fmt.Errorf("task %s: %w", id, err)
}

// showText prints a task for people.
func showText(w io.Writer, t starter.AgentTask) error {
	rows := [][]string{{"status:", string(t.Status)}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name + ":", cell(value, 2000)})
		}
	}
	if !t.Status.Closed() && t.Phase != "" {
		add("phase", phaseWords(t.Phase))
	}
	add("trouble", t.Trouble)
	add("prompt", t.Prompt)
	add("start url", t.Input.StartURL)
	add("connection", fmt.Sprintf("%s (%s)", t.Connection, t.Provider))
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		add("label", key+"="+t.Labels[key])
	}
	if s := t.Session; s != nil {
		state := ""
		if s.Deleted {
			state = " (deleted)"
		}
		if s.Remains {
			state = " (" + remains(t) + ")"
		}
		add("session", s.ID+state)
		if !s.Deleted {
			add("view", s.ViewURL)
		}
	}
	if t.SessionsCreated > 1 {
		add("sessions created", strconv.Itoa(t.SessionsCreated))
	}
	add("turns", strconv.Itoa(t.Turns))
	for _, answer := range t.Answers {
		add("answer "+answer.QuestionID, fmt.Sprintf("%s (%s, %s ago)", answer.Text, answer.By, age(answer.At)))
	}
	if q := t.Question; q != nil {
		add("question "+q.ID, q.Text)
		if q.Deadline != nil {
			add("deadline", q.Deadline.Local().Format("2006-01-02 15:04:05"))
		}
	}
	for _, r := range t.Restarts {
		add("gave up session", fmt.Sprintf("%s (%s: %s)", r.SessionID, r.Error.Type, r.Error.Message))
	}
	add("no snapshot", t.SnapshotError)
	if s := t.Snapshot; s != nil {
		add("snapshot", fmt.Sprintf("%s, of session %s", s.Mode, s.SessionID))
	}
	if t.Error != nil {
		add("error", t.Error.Type+": "+t.Error.Message)
	}
	add("started", t.StartedAt.Local().Format("2006-01-02 15:04:05"))
	if t.FinishedAt != nil {
		add("finished", fmt.Sprintf("%s, after %s", t.FinishedAt.Local().Format("2006-01-02 15:04:05"), clock(t.FinishedAt.Sub(t.StartedAt))))
	}
	add("history", fmt.Sprintf("%d events, %d bytes", t.History.Events, t.History.Bytes))
	if err := table(w, []string{"task:", t.ID}, rows); err != nil {
		return err
	}
	if len(t.Result) == 0 || string(t.Result) == "null" {
		return nil
	}
	if _, err := fmt.Fprintln(w, "\nresult:"); err != nil {
		return err
	}
	return printResult(w, t.Result)
}
