package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/watch"
	"github.com/errand-dev/errand/workflows"
)

func TestAMonitorThatMakesNoSenseStartsNothing(t *testing.T) {
	create := func(flags ...string) []string {
		return append([]string{"monitor", "create", "teapot", "Report the price", "--watch", "price", "--every", "1h"}, flags...)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no name", []string{"monitor", "create"}, "NAME is missing: errand monitor create NAME PROMPT"},
		{"no prompt", []string{"monitor", "create", "teapot"}, "PROMPT is missing"},
		{"no time", []string{"monitor", "create", "teapot", "x", "--watch", "price"}, "say when to tick: --every DURATION or --cron EXPR"},
		{"no field", []string{"monitor", "create", "teapot", "x", "--every", "1h"}, "--watch FIELD is missing"},
		{"two times", create("--cron", "* * * * *"), "--every and --cron exclude each other"},
		{"a name with spaces", []string{"monitor", "create", "tea pot", "x", "--watch", "p", "--every", "1h"}, `"tea pot" is no name for a monitor`},
		{"an interval that is too short", create("--every", "500ms"), "the interval 500ms is not of whole seconds"},
		{"a negative interval", create("--every", "-1h"), "the interval -1h0m0s is not of whole seconds"},
		{"a zone without cron", create("--time-zone", "Europe/Berlin"), "an interval has no time zone"},
		{"a catch-up window that is too short", create("--catch-up", "1s"), "the catch-up window 1s is shorter than 10s"},
		{"a condition that is none", create("--when", "cheaper"), `"cheaper" is no condition`},
		{"a condition without a number", create("--when", "below:much"), `"below:much" needs a plain number`},
		{"a type that is none", create("--type", "money"), `"money" is no type: choose number, text or set`},
		{"a text below something", create("--type", "text", "--when", "below:3"), "below and above compare numbers"},
		{"a path that is none", create("--watch", "a..b"), `"a..b" is no path into a result`},
		{"a target with a password", create("--notify", "https://me:sk-canary@hook.example/"), "must not hold a user or a password"},
		{"a target of another kind", create("--notify", "ftp://hook.example/"), "is an absolute http or https URL"},
		{"a target that nobody knows", create("--notify", "ops"), `there is no "ops" in [monitors.targets]`},
		{"the monitor's own label", create("--label", "monitor=x"), "the label monitor is the monitor's own"},
		{"an empty prompt", []string{"monitor", "create", "teapot", " ", "--watch", "p", "--every", "1h"}, "the prompt is empty"},
		{"a cron expression that is none", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "every day"}, `--cron "every day" is no cron expression of five fields`},
		{"a cron expression of six fields", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "0 0 9 * * MON"}, "is no cron expression of five fields"},
		{"a minute that is none", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "61 * * * *"}, "is no cron expression"},
		{"a zone in the expression", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "CRON_TZ=UTC 0 9 * * *"}, "--cron takes no CRON_TZ=: use --time-zone ZONE"},
		{"an interval in the expression", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "@every 1h"}, "--cron takes no @every"},
		{"a zone that is none", []string{"monitor", "create", "t", "x", "--watch", "p", "--cron", "0 9 * * *", "--time-zone", "Berlin"}, `there is no time zone "Berlin": use an IANA name, such as Europe/Berlin`},
		{"a negative limit", []string{"monitor", "history", "t", "--limit", "-1"}, "--limit is negative"},
		{"an unknown command", []string{"monitor", "shw"}, `there is no command "errand monitor shw", did you mean show`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newShell(t)
			c := s.run(test.args...)
			require.Equal(t, exitUsage, c.status, c.err.String())
			require.Empty(t, c.out.String())
			said := c.err.String()
			require.Contains(t, said, test.want)
			require.Equal(t, 1, strings.Count(said, "\n"), "one line")
			require.NotContains(t, said, "sk-canary")
			require.NoDirExists(t, s.data)
		})
	}
}

// seen is a monitor that has seen those values.
func seenMonitor(kind watch.Type, values ...string) starter.Monitor {
	at := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	m := starter.Monitor{Name: "teapot", Status: starter.MonitorActive, Watch: watch.Rule{Field: "price", Type: kind}, Ticks: len(values)}
	for i, v := range values {
		verdict := watch.Differs
		if i == 0 {
			verdict = watch.First
		}
		m.History = append(m.History, starter.MonitorTick{At: at.Add(time.Duration(i) * time.Hour), Value: json.RawMessage(v), Verdict: verdict})
	}
	return m
}

func TestNumbersAreDrawnAndTextsAreListed(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, showSeries(&b, seenMonitor(watch.Number, "24.5", "24.5", "19.5")))
	require.Contains(t, b.String(), "24.50 ┼")
	require.Contains(t, b.String(), "price, the latest 3 good ticks")

	b.Reset()
	require.NoError(t, showSeries(&b, seenMonitor(watch.Text, `"InStock"`, `"Out\u001b[31m"`)))
	require.Contains(t, b.String(), "latest changes:")
	require.Contains(t, b.String(), "InStock")
	require.NotContains(t, b.String(), "\x1b", "what an agent reports must not reach the terminal")

	b.Reset()
	require.NoError(t, showSeries(&b, seenMonitor("")))
	require.Empty(t, b.String())
}

func TestAMonitorIsShownWithAllThatNeedsAttention(t *testing.T) {
	m := seenMonitor(watch.Number, "24.5")
	m.Notify = []string{"https://hooks.example/a?token=canary"}
	m.Failures = 4
	m.LastTick = &starter.MonitorTick{Reason: "AgentError: it broke"}
	m.Skipped = starter.SkippedTicks{Overlap: 2, Missed: 3}
	m.Schedule = starter.MonitorSchedule{Cron: "0 9 * * *", CatchUp: starter.Duration(time.Hour)}
	m.Undelivered = []workflows.Delivery{{Target: m.Notify[0], Alert: workflows.Alert{Kind: workflows.AlertChange}, Error: "hooks.example answered 503"}}
	var b bytes.Buffer
	require.NoError(t, showMonitor(&b, m))
	for _, want := range []string{
		"0 9 * * * UTC", "https://hooks.example/a?…", "4 ticks in a row: AgentError: it broke",
		"2, as the tick before was under way", "3, as no server ran for longer than the catch-up window of 1h", "hooks.example answered 503",
	} {
		require.Contains(t, b.String(), want)
	}
	require.NotContains(t, b.String(), "canary")
}
