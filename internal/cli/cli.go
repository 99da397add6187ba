// Package cli is the errand command. Its commands take their arguments,
// environment and streams as parameters and end no process, so tests run them
// as any other function.
//
// Results go to stdout and nothing else does; notes, questions, progress and
// logs go to stderr.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
)

// The exit statuses of the command. For run they follow the task's status.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCancelled   = 3
	exitTimedOut    = 4
	exitInterrupted = 130 // a signal ended the command; its task goes on
)

// Main runs one command and returns its exit status. SIGINT and SIGTERM end
// what the command waits for, and a second one ends the process.
func Main(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	a := &app{env: config.Environment(environ), in: stdin, out: stdout, err: newSwitchWriter(stderr)}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(a.err)
	return a.status(ctx, root.ExecuteContext(ctx))
}

// app is one run of the command.
type app struct {
	env config.Environment
	in  io.Reader
	out io.Writer
	err *switchWriter // stderr, or for a while the live view on it

	flags   globalFlags
	started bool // the command line made sense
}

// usageError is wrong usage or configuration.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// exitStatus ends the command with that status and without further words.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// status tells the user of the error, in one line, and returns what the
// process exits with. What a signal has ended needs no words.
func (a *app) status(ctx context.Context, err error) int {
	var (
		status exitStatus
		wrong  *usageError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		return exitInterrupted
	}
	a.note("%s", oneLine(err.Error()))
	if errors.As(err, &wrong) || !a.started {
		return exitUsage
	}
	return exitFailed
}

// note tells the user something in one line on stderr.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.err, "errand: "+format+"\n", args...) // nobody to tell if stderr is gone
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// root is the whole command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "errand",
		Short: "Run remote agent tasks as durable Temporal workflows",
		Long: "Errand runs remote agent tasks as durable Temporal workflows.\n\n" +
			"With no Temporal server and no agent API key configured, it runs a Temporal\n" +
			"server and a local session server of its own: nothing to install or to start.",
		Example:       example(`run --url http://shop.localhost/teapot "Report the product's name and price"`),
		Version:       readBuild().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			err := a.flags.check()
			a.started = err == nil
			return err
		},
	}
	asGroup(root)
	a.flags.register(root)
	root.Flags().SortFlags = false
	root.SetUsageTemplate(usageTemplate)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, c.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupTasks, Title: "Agent tasks"},
		&cobra.Group{ID: groupServers, Title: "Servers and workers"},
		&cobra.Group{ID: groupOther, Title: "Other"},
	)
	for group, commands := range map[string][]*cobra.Command{
		groupTasks: {
			a.runCommand(), a.listCommand(), a.showCommand(), a.watchCommand(), a.answerCommand(), a.inboxCommand(),
			a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.batchCommand(), a.monitorCommand(),
		},
		groupServers: {a.devCommand(), a.workerCommand(), a.webCommand(), a.sessionsCommand()},
		groupOther:   {a.versionCommand()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	return root
}

const (
	groupTasks   = "tasks"
	groupServers = "servers"
	groupOther   = "other"
)

// usageTemplate keeps the help of a command to the command's own: the flags of
// all commands are in the help of the root.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Example:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$commands := .Commands}}{{range $group := .Groups}}

{{.Title}}:{{range $commands}}{{if and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if not .Groups}}

Commands:{{range $commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Use "{{.Root.Name}} --help" for the flags that every command takes.{{end}}
`

// example indents the command lines of a help text, each begun with errand.
func example(lines ...string) string {
	return "  errand " + strings.Join(lines, "\n  errand ")
}

// asGroup makes a command one that only has others below it: alone it helps.
func asGroup(c *cobra.Command) {
	c.Args = noSuchCommand
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2
}

// noSuchCommand refuses what is no command of a group of commands.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var hint string
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = fmt.Sprintf(", did you mean %s", strings.Join(similar, " or "))
	}
	return fmt.Errorf("there is no command %q%s: see %s --help", c.CommandPath()+" "+args[0], hint, c.CommandPath())
}

// exactly checks the number of arguments, and names them when it is wrong.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between is exactly, with the arguments after the first min not needed.
func between(min int, names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return fmt.Errorf("%s is missing: %s", names[len(args)], c.UseLine())
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q (quote what belongs together): %s", args[len(names)], c.UseLine())
		}
		return nil
	}
}
