package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // IANA time zones, on machines that have none

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) monitorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "monitor",
		Short: "Run a task on a schedule, and tell when its result changes",
		Long: "Runs a task on a schedule and compares a field of its result with its last good\n" +
			"value. A tick that failed, or that met an empty page or one that asks for a\n" +
			"captcha, never counts as a change.",
	}
	asGroup(c)
	c.AddCommand(a.monitorCreateCommand(), a.monitorListCommand(), a.monitorShowCommand(), a.monitorHistoryCommand(),
		a.monitorTriggerCommand(), a.monitorPauseCommand(), a.monitorResumeCommand(), a.monitorDeleteCommand())
	return c
}

// monitorFlags are those of monitor create.
type monitorFlags struct {
	taskFlags
	every, catchUp    time.Duration
	cron, timeZone    string
	field, kind, when string
	notify            []string
}

func (a *app) monitorCreateCommand() *cobra.Command {
	var f monitorFlags
	c := &cobra.Command{
		Use:   "create NAME PROMPT",
		Short: "Create a monitor, and let it tick once",
		Long: "Creates a monitor and lets it tick once, at once. When that brings no good value,\n" +
			"such as when the result does not have the field, nothing is created.\n\n" +
			"A target of --notify gets a POST with {monitor, kind, field, old, new, at, task_id,\n" +
			"url} for each change, after three ticks in a row without a good value, and when\n" +
			"there is one again. PROMPT - is read from stdin.",
		Example: example(
			`monitor create teapot --every 1h --watch price --when below:20 --notify https://hooks.example/errand --url http://shop.localhost/teapot "Report the product's name and price"`,
			`monitor create stock --cron "0 9 * * MON-FRI" --time-zone Europe/Berlin --watch availability --when appears --url http://shop.localhost/lamp "Is it in stock?"`),
		Args: exactly("NAME", "PROMPT"),
		RunE: func(c *cobra.Command, args []string) error { return a.monitorCreate(c.Context(), f, args[0], args[1]) },
	}
	set := c.Flags()
	set.SortFlags = false
	set.DurationVar(&f.every, "every", 0, "tick each `DURATION`, such as 15m or 24h")
	set.StringVar(&f.cron, "cron", "", "tick when the cron `EXPR` says: minute hour day month weekday")
	set.StringVar(&f.timeZone, "time-zone", "", "IANA time `ZONE` of --cron, such as Europe/Berlin (default UTC)")
	set.StringVar(&f.field, "watch", "", "`FIELD` of the result to watch, such as price, offers.price or items[0].name")
	set.StringVar(&f.kind, "type", "", "`TYPE` of the field: number, text or set (default: what the first value is)")
	set.StringVar(&f.when, "when", string(watch.Changed), "`CONDITION` of an alert: changed, below:N, above:N, appears or disappears")
	set.StringArrayVar(&f.notify, "notify", nil, "`URL` to tell of alerts, or a name in [monitors.targets] (repeatable)")
	set.DurationVar(&f.catchUp, "catch-up", 0, "how late a tick may be made up for that no server ran for (default: --every, or 1h with --cron)")
	f.register(c)
	reDefault(c, "timeout", "how long the task of a tick may take, questions included", workflows.DefaultTickTimeout.String())
	reDefault(c, "on-ambiguous-send", "", string(workflows.AmbiguousSendFail)) // nobody may be there to ask
	return c
}

// reDefault gives a flag that commands share a default, and perhaps a help
// text, of this command's own.
func reDefault(c *cobra.Command, name, help, value string) {
	flag := c.Flags().Lookup(name)
	_ = flag.Value.Set(value) // a default is a value
	flag.DefValue = value
	if help != "" {
		flag.Usage = help
	}
}

// input checks all that the flags say. It starts nothing. Its errors are of
// usage.
func (f *monitorFlags) input(c *config.Config, name, prompt string) (workflows.MonitorInput, starter.MonitorSchedule, error) {
	s := starter.MonitorSchedule{
		Every: starter.Duration(f.every), Cron: f.cron, TimeZone: f.timeZone, CatchUp: starter.Duration(f.catchUp),
	}
	in := workflows.MonitorInput{
		Name: name, Notify: f.notify,
		Watch: watch.Rule{Field: f.field, Type: watch.Type(f.kind), When: watch.When(f.when)},
	}
	switch {
	case f.every == 0 && f.cron == "":
		return in, s, usagef("say when to tick: --every DURATION or --cron EXPR")
	case f.every != 0 && f.cron != "":
		return in, s, usagef("--every and --cron exclude each other")
	case f.field == "":
		return in, s, usagef("--watch FIELD is missing: say which field of the result to watch, such as --watch price")
	}
	if f.cron != "" {
		if err := checkCron(f.cron); err != nil {
			return in, s, err
		}
	}
	if err := in.Watch.Validate(); err != nil {
		return in, s, usagef("--watch, --type or --when: %w", err)
	}
	for _, target := range f.notify {
		if err := checkTarget(c, target); err != nil {
			return in, s, usagef("--notify: %w", err)
		}
	}
	task, err := f.taskFlags.input(c, "tick", prompt)
	if err != nil {
		return in, s, err
	}
	task.TaskID = ""
	in.Task = task
	if err := s.Validate(); err != nil {
		return in, s, usage(err)
	}
	probe := in
	probe.UID = "to be made"
	return in, s, usage(probe.Validate())
}

// checkTarget refuses a target that cannot be told anything, as far as that can
// be known here: names are the workers' to know.
func checkTarget(c *config.Config, target string) error {
	if err := activities.CheckTarget(target); err != nil {
		return err
	}
	if _, known := c.Monitors.Targets[target]; !known && !c.Temporal.Named && !strings.Contains(target, "://") {
		return fmt.Errorf("there is no %q in [monitors.targets]: name a URL, or a target of the configuration", target)
	}
	return nil
}

// checkCron refuses what is no cron expression of five fields.
func checkCron(expr string) error {
	if _, err := cron.ParseStandard(expr); err != nil || len(expr) > 200 {
		return usagef("--cron %q is no cron expression of five fields (minute hour day month weekday), such as \"0 9 * * MON-FRI\"", expr)
	}
	for _, prefix := range []string{"TZ=", "CRON_TZ=", "@every"} {
		if len(expr) >= len(prefix) && expr[:len(prefix)] == prefix {
			return usagef("--cron takes no %s: use --time-zone ZONE, or --every DURATION", prefix)
		}
	}
	return nil
}

func (a *app) monitorCreate(ctx context.Context, f monitorFlags, name, prompt string) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	if prompt, err = a.text(prompt); err != nil {
		return err
	}
	in, schedule, err := f.input(c, name, prompt)
	if err != nil {
		return err
	}
	l, err := a.open(ctx, c, linkOptions{})
	if err != nil {
		return usage(err)
	}
	return errors.Join(a.createMonitor(ctx, l, schedule, in), l.Close())
}

func (a *app) createMonitor(ctx context.Context, l *link, schedule starter.MonitorSchedule, in workflows.MonitorInput) error {
	if err := l.prepare(ctx, in.Task.Connection); err != nil {
		return usage(err)
	}
	a.tellServers(l)
	a.note("first tick of monitor %s …", in.Name)
	m, err := l.tasks.CreateMonitor(ctx, schedule, in)
	if wrong, ok := errors.AsType[*starter.InvalidInputError](err); ok {
		return usage(wrong)
	}
	if first, ok := errors.AsType[*starter.FirstTickError](err); ok {
		return fmt.Errorf("monitor %s is not created: %w (task %s)", in.Name, first, first.Tick.TaskID)
	}
	if err != nil {
		return fmt.Errorf("monitor %s is not created: %w", in.Name, err)
	}
	if err := a.printMonitor(m); err != nil {
		return err
	}
	switch {
	case m.Holds:
		a.note("%s holds already: the alert comes when it has ceased to, and holds again", whenOf(m))
	case m.Last != nil && isNone(m.Last.Value):
		a.note("the result has no %s so far, or none in stock; check the spelling if it should", m.Watch.Field)
	}
	a.tellWhenItTicks(l, m)
	return nil
}

// tellWhenItTicks warns of a monitor that nobody will work for.
func (a *app) tellWhenItTicks(l *link, m starter.Monitor) {
	if l.embedded() && l.ownsTemporal() {
		a.note("monitor %s ticks only while errand runs: leave %s running, or name a Temporal server with --address", m.Name, a.again("dev"))
	}
}

func (a *app) monitorTriggerCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "trigger NAME",
		Short:   "Let a monitor tick at once, paused or not",
		Example: example(`monitor trigger teapot`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				if err := l.checkWorkers(c.Context()); err != nil {
					return err
				}
				tick, err := l.tasks.TriggerMonitor(c.Context(), args[0])
				if err != nil {
					return explainMonitor(args[0], err)
				}
				return a.printTick(tick)
			})
		},
	}
}

func (a *app) monitorPauseCommand() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use:     "pause NAME",
		Short:   "Keep a monitor from ticking",
		Example: example(`monitor pause teapot --note "shop closed until Monday"`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMonitor(c.Context(), args[0], "paused", func(l *link) error {
				return l.tasks.PauseMonitor(c.Context(), args[0], note)
			})
		},
	}
	c.Flags().StringVar(&note, "note", "paused with errand monitor pause", "why, for whoever wonders")
	return c
}

func (a *app) monitorResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume NAME",
		Short:   "Let a paused monitor tick again",
		Example: example(`monitor resume teapot`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMonitor(c.Context(), args[0], "active", func(l *link) error {
				a.noteNoWorker(c.Context(), l)
				return l.tasks.ResumeMonitor(c.Context(), args[0])
			})
		},
	}
}

func (a *app) monitorDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a monitor, and cancel the tick that is under way",
		Example: example(`monitor delete teapot`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMonitor(c.Context(), args[0], "deleted", func(l *link) error {
				return l.tasks.DeleteMonitor(c.Context(), args[0])
			})
		},
	}
}

// onMonitor does something with a monitor, and tells what it is then.
func (a *app) onMonitor(ctx context.Context, name, status string, do func(*link) error) error {
	return a.withLink(ctx, func(l *link) error {
		if _, err := l.tasks.Monitor(ctx, name); err != nil { // Temporal takes some of these for monitors that are not there
			return explainMonitor(name, err)
		}
		if err := do(l); err != nil {
			return explainMonitor(name, err)
		}
		if a.flags.output == outputText {
			_, err := fmt.Fprintf(a.out, "%s %s\n", name, status)
			return err
		}
		return a.printJSON(map[string]string{"name": name, "status": status})
	})
}

// noteNoWorker says that nothing ticks where nobody works.
func (a *app) noteNoWorker(ctx context.Context, l *link) {
	if none, ok := errors.AsType[*starter.NoWorkerError](l.checkWorkers(ctx)); ok {
		a.note("%s; until then no monitor ticks", none)
	}
}

// explainMonitor says which monitor is meant, where that is not known.
func explainMonitor(name string, err error) error {
	if errors.Is(err, starter.ErrUnknownMonitor) {
		return fmt.Errorf("there is no monitor %s: see errand monitor list", name)
	}
	return fmt.Errorf("monitor %s: %w", name, err)
}
