package cli

import (
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/activities"
	"github.com/errand-dev/errand/internal/config"
	"github.com/errand-dev/errand/provider"
	"github.com/errand-dev/errand/workflows"
)

const (
	// maxURL is the longest start URL, in characters, from the AGI vendor
	// documentation.
	maxURL = 2000

	// maxStdin bounds what is read from stdin: some times what a text may have.
	maxStdin = 1 << 20

	// embeddedHeartbeat is how soon a task goes on after its process was
	// killed. Heartbeats to a server of one's own are not billed.
	embeddedHeartbeat = 15 * time.Second
)

// taskFlags describe an agent task.
type taskFlags struct {
	url, connection, agent             string
	followUps, answers                 []string
	defaultAnswer                      string
	restoreSession, restoreDefaultUser string
	snapshot                           string
	saveAsDefault                      bool
	timeout, turnTimeout, stallTimeout time.Duration
	questionTimeout                    time.Duration
	restarts                           int
	onAmbiguousSend                    string
	resultSchema                       string
	labels                             []string
	options                            optionFlags
}

func (f *taskFlags) register(c *cobra.Command) {
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.url, "url", "", "page `URL` to begin with")
	set.StringVar(&f.connection, "connection", "", "`NAME` of the connection to the agent API")
	set.StringVar(&f.agent, "agent", "", "the vendor's `NAME` of the agent (default: the connection's)")
	set.StringArrayVar(&f.followUps, "follow-up", nil, "further `MESSAGE` in the same session, after the turn before it (repeatable)")
	set.StringVar(&f.restoreSession, "restore-session", "", "restore the snapshot of the session `ID`")
	set.StringVar(&f.restoreDefaultUser, "restore-default", "", "restore the default environment of `USER`")
	set.StringVar(&f.snapshot, "snapshot", string(provider.SnapshotNone), "`MODE` of the snapshot to keep of the session: none, memory or filesystem")
	set.BoolVar(&f.saveAsDefault, "save-as-default", false, "make the snapshot the user's default environment")
	set.StringArrayVar(&f.answers, "answer", nil, "answer `TEXT`, given to questions in order (repeatable)")
	set.StringVar(&f.defaultAnswer, "default-answer", "", "answer `TEXT` to further questions; with --question-timeout once that is over")
	set.DurationVar(&f.questionTimeout, "question-timeout", 0, "how long a question waits for an answer (default: for ever)")
	set.DurationVar(&f.timeout, "timeout", 0, "how long the task may take (default: for ever)")
	set.DurationVar(&f.turnTimeout, "turn-timeout", 0, fmt.Sprintf("how long one turn may take (default %s)", workflows.DefaultTurnTimeout))
	set.DurationVar(&f.stallTimeout, "stall-timeout", 0, fmt.Sprintf("how long the agent may say nothing (default %s)", workflows.DefaultStallTimeout))
	set.IntVar(&f.restarts, "restarts", 0, "how often to start again in a new session when one dies or its agent stalls")
	set.StringVar(&f.onAmbiguousSend, "on-ambiguous-send", string(workflows.AmbiguousSendAsk), "`POLICY` for a message that may have reached the agent: ask, fail or resend")
	set.StringVar(&f.resultSchema, "result-schema", "", "JSON Schema `FILE` that the result must fit")
	set.StringArrayVar(&f.labels, "label", nil, "`KEY=VALUE` to find the task by (repeatable)")
	f.options.register(c)
}

// input checks all that the flags say and makes the input of a task of it. It
// starts nothing. Its errors are of usage.
func (f *taskFlags) input(c *config.Config, taskID, prompt string) (workflows.AgentTaskInput, error) {
	connection, err := c.Choose(f.connection)
	if err != nil {
		return workflows.AgentTaskInput{}, usage(err)
	}
	in := workflows.AgentTaskInput{
		TaskID:             taskID,
		Prompt:             prompt,
		StartURL:           f.url,
		Connection:         connection.Name,
		Provider:           connection.Provider,
		Agent:              f.agent,
		FollowUps:          f.followUps,
		RestoreSession:     f.restoreSession,
		RestoreDefaultUser: f.restoreDefaultUser,
		Snapshot:           workflows.Snapshot{Mode: provider.SnapshotMode(f.snapshot), SaveAsDefault: f.saveAsDefault},
		Answers:            f.answers,
		DefaultAnswer:      f.defaultAnswer,
		Timeout:            f.timeout,
		TurnTimeout:        f.turnTimeout,
		StallTimeout:       f.stallTimeout,
		QuestionTimeout:    f.questionTimeout,
		MaxRestarts:        f.restarts,
		OnAmbiguousSend:    workflows.AmbiguousSend(f.onAmbiguousSend),
	}
	if !c.Temporal.Named {
		in.HeartbeatTimeout = embeddedHeartbeat
	}
	if in.Labels, err = parseLabels(f.labels); err != nil {
		return in, err
	}
	if in.Options, err = f.options.read(); err != nil {
		return in, usage(err)
	}
	if err := refuseWishes(connection, in); err != nil {
		return in, usage(err)
	}
	if f.resultSchema != "" {
		if in.ResultSchema, err = readSchema(f.resultSchema); err != nil {
			return in, err
		}
	}
	return in, usage(errors.Join(checkURL(f.url), in.Validate()))
}

// newTaskID makes an id that is short enough to type: t- and six letters or
// digits.
func newTaskID() string {
	random := uuid.New()
	return "t-" + strings.ToLower(base32.StdEncoding.EncodeToString(random[:5]))[:6]
}

// checkTaskID refuses what would make trouble in tables and terminals.
func checkTaskID(id string) error {
	switch {
	case id == "" || len(id) > 200:
		return usagef("a task id has 1 to 200 bytes, this one has %d", len(id))
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return usagef("a task id has no spaces and no control characters: %q", id)
	}
	return nil
}

func checkURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return fmt.Errorf("--url %q is not an absolute http or https URL, such as https://shop.example/p/42", text)
	case utf8.RuneCountInString(text) > maxURL:
		return fmt.Errorf("--url has %d characters; at most %d are allowed", utf8.RuneCountInString(text), maxURL)
	}
	return nil
}

// parseLabels reads KEY=VALUE words.
func parseLabels(words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	labels := map[string]string{}
	for _, word := range words {
		key, value, found := strings.Cut(word, "=")
		if !found || key == "" || !utf8.ValidString(word) || strings.ContainsFunc(word, unicode.IsControl) {
			return nil, usagef("--label %q: write KEY=VALUE, without control characters", word)
		}
		if _, twice := labels[key]; twice {
			return nil, usagef("--label %s is given twice", key)
		}
		labels[key] = value
	}
	return labels, nil
}

func readSchema(path string) (json.RawMessage, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--result-schema: %w", err)
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, usagef("--result-schema %s is empty", path)
	}
	if err := activities.CheckSchema(data); err != nil {
		return nil, usagef("--result-schema %s is not a JSON Schema: %w", path, err)
	}
	return data, nil
}

// text is an argument, or for "-" what comes in on stdin.
func (a *app) text(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	data, err := io.ReadAll(io.LimitReader(a.in, maxStdin))
	if err != nil {
		return "", usagef("reading stdin: %w", err)
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}
