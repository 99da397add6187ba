package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) monitorListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all monitors",
		Example: example(`monitor list`, `monitor list -o jsonl`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				monitors, err := l.tasks.Monitors(c.Context())
				if err != nil {
					return err
				}
				if len(monitors) > 0 {
					a.noteNoWorker(c.Context(), l)
				}
				return printList(a, monitors, func(w io.Writer) error { return a.monitorTable(w, monitors) })
			})
		},
	}
}

func (a *app) monitorTable(w io.Writer, monitors []starter.Monitor) error {
	if len(monitors) == 0 {
		a.note("no monitors")
		return nil
	}
	rows := make([][]string, len(monitors))
	for i, m := range monitors {
		value, when := "-", "-"
		if m.Last != nil {
			value, when = cell(anyText(m.Last.Value), 30), age(m.Last.At)+" ago"
		}
		next := "-"
		if m.NextAt != nil {
			next = "in " + until(*m.NextAt)
		}
		rows[i] = []string{m.Name, string(m.Status), cell(scheduleText(m.Schedule), 40), cell(m.Watch.Field, 30), string(whenOf(m)), value, when, next}
	}
	return table(w, []string{"NAME", "STATUS", "SCHEDULE", "WATCH", "WHEN", "LAST GOOD VALUE", "SEEN", "NEXT"}, rows)
}

func (a *app) monitorShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show one monitor, with its values so far",
		Example: example(`monitor show teapot`, `monitor show teapot -o json`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				m, err := l.tasks.Monitor(c.Context(), args[0])
				if err != nil {
					return explainMonitor(args[0], err)
				}
				if m.HistoryGone {
					a.noteHistoryGone(m)
				}
				a.noteNoWorker(c.Context(), l)
				return a.printMonitor(m)
			})
		},
	}
}

func (a *app) monitorHistoryCommand() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "history NAME",
		Short: "List the ticks of a monitor, the latest last",
		Long: "Lists the ticks of a monitor, the latest last: some hundred at most, the older ones\n" +
			"are dropped.",
		Example: example(`monitor history teapot`, `monitor history teapot -o jsonl`),
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit is negative: 0 lists all")
			}
			return a.withLink(c.Context(), func(l *link) error {
				m, err := l.tasks.Monitor(c.Context(), args[0])
				if err != nil {
					return explainMonitor(args[0], err)
				}
				if m.HistoryGone {
					a.noteHistoryGone(m)
				}
				ticks := m.History
				if limit > 0 {
					ticks = ticks[max(0, len(ticks)-limit):]
				}
				return printList(a, ticks, func(w io.Writer) error { return tickTable(w, ticks) })
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "the latest so many, 0 for all")
	return c
}

func (a *app) noteHistoryGone(m starter.Monitor) {
	a.note("the ticks of monitor %s are not shown: Temporal has removed the latest one (its retention is over); the next tick brings them back", m.Name)
}

func tickTable(w io.Writer, ticks []starter.MonitorTick) error {
	if len(ticks) == 0 {
		return nil
	}
	rows := make([][]string, len(ticks))
	for i, t := range ticks {
		rows[i] = []string{t.At.Local().Format("2006-01-02 15:04:05"), string(t.Verdict), cell(anyText(t.Value), 40),
			alertedText(t), t.TaskID, cell(remark(t), 100)}
	}
	return table(w, []string{"AT", "VERDICT", "VALUE", "ALERTED", "TASK", "REASON"}, rows)
}

// remark is what else there is to say of a tick.
func remark(t starter.MonitorTick) string {
	return strings.Join(strings.FieldsFunc(t.Reason+"\n"+t.Note, func(r rune) bool { return r == '\n' }), "; ")
}

func alertedText(t starter.MonitorTick) string {
	if len(t.Alerted) == 0 {
		return "-"
	}
	return strings.Join(words(t.Alerted), ", ")
}

func (a *app) printTick(t starter.MonitorTick) error {
	if a.flags.output != outputText {
		return a.printJSON(t)
	}
	return tickTable(a.out, []starter.MonitorTick{t})
}

// printMonitor prints a monitor for whoever asked for it.
func (a *app) printMonitor(m starter.Monitor) error {
	if a.flags.output != outputText {
		return a.printJSON(m)
	}
	if err := showMonitor(a.out, m); err != nil {
		return err
	}
	return showSeries(a.out, m)
}

func showMonitor(w io.Writer, m starter.Monitor) error {
	rows := [][]string{{"status:", string(m.Status)}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name + ":", cell(value, 2000)})
		}
	}
	add("note", m.Note)
	add("schedule", scheduleText(m.Schedule))
	if m.NextAt != nil {
		add("next tick", fmt.Sprintf("in %s, at %s", until(*m.NextAt), m.NextAt.Local().Format("2006-01-02 15:04:05")))
	}
	add("tick under way", m.Running)
	add("prompt", m.Prompt)
	add("start url", m.Input.Task.StartURL)
	add("connection", m.Connection)
	add("watch", m.Watch.Field+typeText(m)+", alert when "+string(whenOf(m)))
	for _, target := range m.Notify {
		add("notify", targetText(target))
	}
	if m.Last != nil {
		add("last good value", fmt.Sprintf("%s (%s ago)", anyText(m.Last.Value), age(m.Last.At)))
	}
	if m.Failures > 0 {
		add("without a value", fmt.Sprintf("%d ticks in a row: %s", m.Failures, m.LastTick.Reason))
	}
	add("ticks", strconv.Itoa(m.Ticks))
	if m.Skipped.Overlap > 0 {
		add("skipped", fmt.Sprintf("%d, as the tick before was under way", m.Skipped.Overlap))
	}
	if m.Skipped.Missed > 0 {
		add("missed", fmt.Sprintf("%d, as no server ran for longer than the catch-up window of %s", m.Skipped.Missed, brief(m.Schedule.CatchUp)))
	}
	for _, d := range m.Undelivered {
		add("undelivered", deliveryText(d))
	}
	for _, d := range m.Lost {
		add("given up", deliveryText(d))
	}
	return table(w, []string{"monitor:", m.Name}, rows)
}

func deliveryText(d workflows.Delivery) string {
	return fmt.Sprintf("%s of %s to %s: %s", d.Alert.Kind, d.Alert.At.Local().Format("2006-01-02 15:04:05"), targetText(d.Target), d.Error)
}

// targetText is a target without what may be a secret in it.
func targetText(target string) string {
	before, _, found := strings.Cut(target, "?")
	if found {
		return before + "?…"
	}
	return before
}

// showSeries draws what was watched: numbers as a plot, anything else as its
// latest changes.
func showSeries(w io.Writer, m starter.Monitor) error {
	var values []float64
	var changes []starter.MonitorTick
	for _, t := range m.History {
		if t.Verdict == watch.Differs || t.Verdict == watch.First {
			changes = append(changes, t)
		}
		if raw, ok := t.Value.(json.RawMessage); ok && m.Watch.Type == watch.Number {
			if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
				values = append(values, f)
			}
		}
	}
	if len(values) > 1 {
		const most = 60
		shown := values[max(0, len(values)-most):]
		plot := asciigraph.Plot(shown, asciigraph.Height(8), asciigraph.Precision(2),
			asciigraph.Caption(fmt.Sprintf("%s, the latest %d good ticks", m.Watch.Field, len(shown))))
		_, err := fmt.Fprintf(w, "\n%s\n", plot)
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w, "\nlatest changes:"); err != nil {
		return err
	}
	for _, t := range changes[max(0, len(changes)-10):] {
		if _, err := fmt.Fprintf(w, "  %s  %s\n", t.At.Local().Format("2006-01-02 15:04:05"), cell(anyText(t.Value), 100)); err != nil {
			return err
		}
	}
	return nil
}

func whenOf(m starter.Monitor) watch.When {
	if m.Watch.When == "" {
		return watch.Changed
	}
	return m.Watch.When
}

func typeText(m starter.Monitor) string {
	if m.Watch.Type == "" {
		return ""
	}
	return " (" + string(m.Watch.Type) + ")"
}

func scheduleText(s starter.MonitorSchedule) string {
	if s.Cron != "" {
		zone := s.TimeZone
		if zone == "" {
			zone = "UTC"
		}
		return s.Cron + " " + zone
	}
	return "every " + brief(s.Every)
}

// brief is a duration without the units that are zero.
func brief(d starter.Duration) string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// until is how long it is to a time, in the coarsest unit that fits.
func until(at time.Time) string {
	return age(time.Now().Add(-time.Until(at)))
}

// anyText is a value of a monitor for people.
func anyText(value any) string {
	raw, ok := value.(json.RawMessage)
	if !ok || len(raw) == 0 {
		return "-"
	}
	if isNone(raw) {
		return "(none)"
	}
	return valueText(raw)
}

// isNone reports whether a value is that of a field that is not there.
func isNone(value any) bool {
	raw, ok := value.(json.RawMessage)
	return ok && string(raw) == "null"
}
