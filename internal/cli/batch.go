package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/batchfile"
	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) batchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "batch",
		Short: "Run many agent tasks out of a JSONL or CSV file",
	}
	asGroup(c)
	c.AddCommand(a.batchRunCommand(), a.batchListCommand(), a.batchShowCommand(), a.batchWatchCommand(), a.batchResultsCommand(),
		a.batchPauseCommand(), a.batchResumeCommand(), a.batchSetCommand(), a.batchCancelCommand(), a.batchRetryCommand())
	return c
}

// batchFlags are those of batch run beside the description of the tasks, whose
// url is a template here.
type batchFlags struct {
	taskFlags
	prompt, key, format string
	id                  string
	concurrency         int
	detach, dryRun      bool
	limit               int
}

// defaultConcurrency is that of a batch whose connection has no max_sessions.
const defaultConcurrency = 10

func (a *app) batchRunCommand() *cobra.Command {
	var f batchFlags
	c := &cobra.Command{
		Use:   "run FILE --prompt TEMPLATE",
		Short: "Start a task for each item of a file, so many at a time",
		Long: "Starts an agent task for each item of FILE, so many at a time, and follows them.\n" +
			"FILE has a JSON object on each line (.jsonl, .ndjson) or is CSV with a header\n" +
			"(.csv); - is stdin. Each line is checked before the first task starts. The same\n" +
			"file started twice starts nothing twice: the second time it is followed.\n\n" +
			"Exit status: 0 all items completed, 1 not all of them, 2 wrong usage or file (and\n" +
			"nothing was started), 3 cancelled, 130 interrupted while the batch goes on.",
		Example: example(
			`batch run shops.csv --key sku --url "{{.url}}" --prompt "Report the price of {{.name}}"`,
			`batch run shops.csv --prompt "Report the price of {{.name}}" --dry-run`),
		Args: exactly("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.batchRun(c.Context(), f, args[0])
		},
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.prompt, "prompt", "", "Go `TEMPLATE` of the prompt over an item's fields, {{.name}}")
	set.StringVar(&f.key, "key", "", "`FIELD` that tells items apart (default: all that an item has)")
	set.IntVar(&f.concurrency, "concurrency", 0, fmt.Sprintf("`NUMBER` of tasks open at once (default: the connection's max_sessions, or %d)", defaultConcurrency))
	set.StringVar(&f.format, "format", "", "`FORMAT` of the file: jsonl or csv (default: as its name ends)")
	set.StringVar(&f.id, "id", "", "`ID` of the batch (default: made of the items, the templates and the flags)")
	set.BoolVar(&f.detach, "detach", false, "print the id and leave the batch to itself")
	set.BoolVar(&f.dryRun, "dry-run", false, "show the first items as they would be, and start nothing")
	set.IntVar(&f.limit, "limit", 5, "how many items --dry-run shows")
	f.register(c)
	set.Lookup("url").Usage = "Go `TEMPLATE` of the page to begin with, {{.url}}"
	set.Lookup("label").Usage = "`KEY=VALUE` to find the tasks by (repeatable)"
	return c
}

// batchJob is a batch that may be started: its file holds what it should.
type batchJob struct {
	file *batchfile.File
	plan *batchfile.Plan
	in   workflows.BatchInput
	batchfile.Checked
}

func (a *app) batchRun(ctx context.Context, f batchFlags, name string) (err error) {
	c, err := a.load()
	if err != nil {
		return err
	}
	job, err := a.batchJob(c, f, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, job.file.Close()) }()
	if f.dryRun {
		return a.dryRun(job, f.limit)
	}
	l, err := a.open(ctx, c, linkOptions{noWorker: f.detach})
	if err != nil {
		return usage(err)
	}
	defer func() {
		if closing := l.Close(); closing != nil && err == nil {
			err = closing
		}
	}()
	if err := a.startBatch(ctx, l, job); err != nil {
		return usage(err)
	}
	if f.detach {
		return a.leaveBatch(l, job.in.Batch.ID)
	}
	return a.attendBatch(ctx, l, job.in.Batch.ID)
}

// batchJob checks all that can be checked without any server, the whole file
// included. Its errors are of usage.
func (a *app) batchJob(c *config.Config, f batchFlags, name string) (_ *batchJob, err error) {
	if f.prompt == "" {
		return nil, usagef(`--prompt TEMPLATE is missing, such as --prompt "Report the price of {{.name}}"`)
	}
	if f.id != "" {
		if err := workflows.CheckBatchID(f.id); err != nil {
			return nil, usage(err)
		}
	}
	job := &batchJob{}
	if job.plan, err = batchfile.NewPlan(f.prompt, f.url, f.key); err != nil {
		return nil, usage(err)
	}
	task, concurrency, err := f.common(c)
	if err != nil {
		return nil, err
	}
	if job.file, err = batchfile.Open(name, batchfile.Format(f.format), a.in); err != nil {
		return nil, usage(err)
	}
	defer func() {
		if err != nil {
			_ = job.file.Close() // the other error is the one to tell
		}
	}()
	job.Checked, err = job.file.Check(job.plan, task, func(item workflows.BatchItem) error { return checkItem(task, item) })
	if problems, ok := errors.AsType[*batchfile.Problems](err); ok {
		return nil, a.tellProblems(name, problems)
	}
	if err != nil {
		return nil, usage(err)
	}
	job.in = workflows.BatchInput{
		Batch:       workflows.BatchRef{ID: f.id, Digest: job.Digest},
		Total:       job.Total,
		Concurrency: concurrency,
		Task:        task,
	}
	if f.id == "" {
		job.in.Batch.ID = "b-" + job.Digest[:8]
	}
	if !c.Temporal.Named {
		job.in.HeartbeatTimeout = embeddedBatchHeartbeat
	}
	return job, usage(job.in.Validate())
}

// embeddedBatchHeartbeat is how soon a batch goes on after its process was
// killed.
const embeddedBatchHeartbeat = 10 * time.Second

// common is what the tasks of all items have in common, and how many of them
// may be open at once.
func (f *batchFlags) common(c *config.Config) (workflows.AgentTaskInput, int, error) {
	flags := f.taskFlags
	flags.url = "" // a template
	task, err := flags.input(c, "x", "x")
	if err != nil {
		return task, 0, err
	}
	task.TaskID, task.Prompt = "", ""
	concurrency := f.concurrency
	if concurrency == 0 {
		concurrency = defaultConcurrency
		if most := c.Connections[task.Connection].MaxSessions; most > 0 {
			concurrency = min(most, workflows.MaxConcurrency)
		}
	}
	if err := workflows.CheckConcurrency(concurrency); err != nil {
		return task, 0, usagef("--concurrency: %w", err)
	}
	return task, concurrency, nil
}

// checkItem refuses an item that no task could be made of.
func checkItem(task workflows.AgentTaskInput, item workflows.BatchItem) error {
	task.TaskID, task.Prompt, task.StartURL = "x", item.Prompt, item.URL
	return errors.Join(checkURL(item.URL), task.Validate())
}

// tellProblems tells what is wrong with a file, a line for each.
func (a *app) tellProblems(name string, p *batchfile.Problems) error {
	for _, problem := range p.First {
		a.note("%s: %s", name, oneLine(printable(problem.Error(), "")))
	}
	if p.Count > len(p.First) {
		return usagef("%s: %d problems, of which these are the first %d; nothing was started", name, p.Count, len(p.First))
	}
	return usagef("%s: %s; nothing was started", name, plural(p.Count, "problem"))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// startBatch writes the items to the store and starts the batch, or finds the
// one that has its id.
func (a *app) startBatch(ctx context.Context, l *link, job *batchJob) error {
	if err := l.prepare(ctx, job.in.Task.Connection); err != nil {
		return err
	}
	a.tellServers(l)
	id := job.in.Batch.ID
	known, err := l.tasks.Batch(ctx, id)
	_, noWorker := errors.AsType[*starter.NoWorkerError](err)
	switch {
	case errors.Is(err, starter.ErrUnknownBatch):
	case err == nil || noWorker:
		return a.followKnown(known, job)
	default:
		return err
	}
	writer := l.batches.NewWriter(job.in.Batch)
	if err := job.file.Write(job.plan, job.in.Task, job.Checked, func(item workflows.BatchItem) error { return writer.Add(ctx, item) }); err != nil {
		return err
	}
	if err := writer.Finish(ctx); err != nil {
		return err
	}
	started, err := l.tasks.StartBatch(ctx, job.in)
	if err != nil {
		return err
	}
	if started.Known {
		known, err := l.tasks.Batch(ctx, id)
		if err != nil {
			return err
		}
		return a.followKnown(known, job)
	}
	a.note("batch %s: %s, %d at a time", id, plural(job.Total, "item"), job.in.Concurrency)
	return nil
}

// followKnown says that nothing was started, and refuses to take one batch for
// another.
func (a *app) followKnown(known starter.Batch, job *batchJob) error {
	if known.Input.Batch != job.in.Batch {
		return fmt.Errorf("batch %s is known, with other items, templates or flags: choose another --id, or see %s",
			known.ID, a.again("batch", "show", known.ID))
	}
	a.note("batch %s is known; following it", known.ID)
	return nil
}

// leaveBatch prints the id of a batch that goes on without this command.
func (a *app) leaveBatch(l *link, id string) error {
	if l.embedded() && l.ownsTemporal() {
		a.note("%s", a.whereBatchGoesOn(l, id))
	}
	if a.flags.output == outputText {
		_, err := fmt.Fprintln(a.out, id)
		return err
	}
	return a.printJSON(struct {
		ID         string `json:"id"`
		WorkflowID string `json:"workflow_id"`
	}{id, workflows.BatchWorkflowID(id)})
}

// whereBatchGoesOn says what becomes of a batch that is left.
func (a *app) whereBatchGoesOn(l *link, id string) string {
	again := a.again("batch", "watch", id)
	if l.embedded() && l.ownsTemporal() {
		return fmt.Sprintf("batch %s goes on when errand runs again: %s, or %s", id, again, a.again("dev"))
	}
	return fmt.Sprintf("batch %s goes on without this command; come back with %s", id, again)
}

// explainBatch says which batch is meant, where that is not known.
func explainBatch(id string, err error) error {
	if errors.Is(err, starter.ErrUnknownBatch) {
		return fmt.Errorf("there is no batch %s: see errand batch list", id)
	}
	return fmt.Errorf("batch %s: %w", id, err)
}

// statusOfBatch is the exit status that says how a batch has ended.
func statusOfBatch(b starter.Batch) error { return statusOf(b.Status) }
