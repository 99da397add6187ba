package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

func (a *app) answerCommand() *cobra.Command {
	var question, by string
	c := &cobra.Command{
		Use:   "answer TASK [TEXT]",
		Short: "Answer the open question of a task",
		Long: "Answers the open question of a task. TEXT - is read from stdin; without TEXT the\n" +
			"question is asked at the terminal. TASK is the id that errand inbox shows, which for\n" +
			"a question of another workflow is a workflow id.",
		Example: example(`answer t-7f3k2m Medium`, `answer t-7f3k2m --question q-2 "The blue one"`),
		Args:    between(1, "TASK", "TEXT"),
		RunE: func(c *cobra.Command, args []string) error {
			in := workflows.AnswerInput{QuestionID: question, By: cmp.Or(by, a.userName())}
			if len(args) == 1 {
				return a.answerAsking(c.Context(), args[0], in)
			}
			var err error
			if in.Text, err = a.text(args[1]); err != nil {
				return err
			}
			if strings.TrimSpace(in.Text) == "" {
				return usagef("the answer is empty")
			}
			return a.withLink(c.Context(), func(l *link) error {
				return a.answer(c.Context(), l, args[0], in)
			})
		},
	}
	c.Flags().StringVar(&question, "question", "", "answer the question `ID` and no other")
	c.Flags().StringVar(&by, "by", "", "`NAME` of who answers (default: yours on this machine)")
	return c
}

// answer answers a question and prints what was accepted.
func (a *app) answer(ctx context.Context, l *link, taskID string, in workflows.AnswerInput) error {
	if err := l.checkWorkers(ctx); err != nil {
		return err
	}
	accepted, err := l.tasks.Answer(ctx, taskID, in)
	if err != nil {
		return explainTask(taskID, err)
	}
	if a.flags.output != outputText {
		return a.printJSON(accepted)
	}
	if _, err := fmt.Fprintf(a.out, "%s answered\n", accepted.QuestionID); err != nil {
		return err
	}
	if l.embedded() && l.ownsTemporal() {
		a.note("%s", a.whereItGoesOn(l, taskID))
	}
	return nil
}

// answerAsking shows the question and takes the answer at the terminal.
func (a *app) answerAsking(ctx context.Context, taskID string, in workflows.AnswerInput) error {
	if !a.interactive() {
		return usagef("TEXT is missing, and there is no terminal to ask at: errand answer TASK TEXT, with - to read it from stdin")
	}
	return a.withLink(ctx, func(l *link) error {
		w, err := l.tasks.WhatWaits(ctx, taskID)
		if err != nil {
			return explainTask(taskID, err)
		}
		if w.Question == nil {
			return fmt.Errorf("task %s has no open question, it is %s", taskID, w.Status)
		}
		in.QuestionID = cmp.Or(in.QuestionID, w.Question.ID)
		var ok bool
		if in.Text, ok, err = newPrompter(a).ask(ctx, openQuestionOf(w)); err != nil || !ok {
			return err
		}
		return a.answer(ctx, l, taskID, in)
	})
}

// userName is the name of the person who runs the command, as far as known.
func (a *app) userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return a.env.Get("USER")
}

// prompter takes answers line by line from the terminal.
type prompter struct {
	app   *app
	lines <-chan string // closed at the end of input
}

// newPrompter begins to read stdin, which nothing else can do any more: a read
// from a terminal cannot be given up.
func newPrompter(a *app) *prompter {
	lines := make(chan string)
	go func() {
		defer close(lines)
		r := bufio.NewReader(a.in)
		for {
			text, err := r.ReadString('\n')
			if text != "" {
				lines <- strings.TrimSpace(text)
			}
			if err != nil {
				return
			}
		}
	}()
	return &prompter{app: a, lines: lines}
}

// ask shows a question and waits for a line, which may be empty. It
// returns false at the end of input, and an error when ctx ends.
func (p *prompter) ask(ctx context.Context, q openQuestion) (string, bool, error) {
	_, _ = fmt.Fprintf(p.app.err, "%s · %s\n%s\n> ", q.TaskID, cell(q.Prompt, 60), printable(q.Text, ""))
	select {
	case text, ok := <-p.lines:
		if !ok {
			_, _ = fmt.Fprintln(p.app.err)
		}
		return text, ok, nil
	case <-ctx.Done():
		_, _ = fmt.Fprintln(p.app.err)
		return "", false, exitStatus(exitInterrupted)
	}
}

func (a *app) inboxCommand() *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:   "inbox",
		Short: "List all questions that wait for a person, and answer them",
		Long: "Lists all questions that wait for a person, the oldest first. At a terminal it\n" +
			"takes the answers one by one: an empty line skips a question, Ctrl-D ends.",
		Example: example(`inbox`, `inbox -o jsonl`),
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withLink(c.Context(), func(l *link) error {
				return a.inbox(c.Context(), l, cmp.Or(by, a.userName()))
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "`NAME` of who answers (default: yours on this machine)")
	return c
}

// openQuestion is a question that waits for a person.
type openQuestion struct {
	TaskID     string     `json:"task_id"` // what answer takes
	QuestionID string     `json:"question_id"`
	Text       string     `json:"text"`
	AskedAt    *time.Time `json:"asked_at"`
	Deadline   *time.Time `json:"deadline"`
	Prompt     string     `json:"prompt"`
	Connection string     `json:"connection"`
	Trouble    string     `json:"trouble,omitempty"` // why the question is not known
}

func openQuestionOf(w starter.Waiting) openQuestion {
	open := openQuestion{TaskID: w.ID, Prompt: w.Subject, Connection: w.Connection, Trouble: w.Trouble}
	if q := w.Question; q != nil {
		open.QuestionID, open.Text, open.AskedAt, open.Deadline = q.ID, q.Text, &q.AskedAt, q.Deadline
	}
	return open
}

func (a *app) inbox(ctx context.Context, l *link, by string) error {
	all, err := l.tasks.AllWaiting(ctx)
	if err != nil {
		return err
	}
	open := []openQuestion{}
	for _, w := range all {
		if w.Question != nil || w.Trouble != "" { // else it is paused, and asks nothing
			open = append(open, openQuestionOf(w))
		}
	}
	if a.flags.output == outputText && a.interactive() && terminal(a.out) != nil {
		return a.answerOneByOne(ctx, l, open, by)
	}
	return printList(a, open, func(w io.Writer) error { return a.inboxTable(w, open) })
}

func (a *app) inboxTable(w io.Writer, open []openQuestion) error {
	if len(open) == 0 {
		a.note("nothing waits for an answer")
		return nil
	}
	rows := make([][]string, len(open))
	for i, q := range open {
		if q.Trouble != "" {
			rows[i] = []string{q.TaskID, "?", "?", cell(q.Trouble, 80)}
			continue
		}
		rows[i] = []string{q.TaskID, q.QuestionID, age(*q.AskedAt), cell(q.Text, 80)}
	}
	return table(w, []string{"TASK", "ID", "ASKED", "QUESTION"}, rows)
}

// answerOneByOne asks a person at the terminal what waits for one.
func (a *app) answerOneByOne(ctx context.Context, l *link, all []openQuestion, by string) error {
	var open []openQuestion
	for _, q := range all {
		if q.Trouble != "" {
			a.note("%s waits, but what it asks is not known: %s", q.TaskID, q.Trouble)
			continue
		}
		open = append(open, q)
	}
	if len(open) == 0 {
		a.note("nothing waits for an answer")
		return nil
	}
	p := newPrompter(a)
	for i, q := range open {
		_, _ = fmt.Fprintf(a.err, "\n[%d/%d] asked %s ago · ", i+1, len(open), age(*q.AskedAt))
		text, ok, err := p.ask(ctx, q)
		if err != nil || !ok {
			return err
		}
		if text == "" {
			continue
		}
		err = a.answer(ctx, l, q.TaskID, workflows.AnswerInput{QuestionID: q.QuestionID, Text: text, By: by})
		if _, refused := errors.AsType[*starter.RefusedError](err); refused {
			a.note("%s", err) // someone was quicker; the next one may still wait
		} else if err != nil {
			return err
		}
	}
	return nil
}
