package cli

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/errand-dev/errand/internal/config"
)

// globalFlags are the flags that every command takes.
type globalFlags struct {
	root *cobra.Command

	config, dataDir     string
	output              string
	logLevel, logFormat string

	temporal                   config.TemporalFlags
	tls, tlsNoHostVerification bool
}

// output formats.
const (
	outputText  = "text"
	outputJSON  = "json"
	outputJSONL = "jsonl"
)

func (f *globalFlags) register(root *cobra.Command) {
	f.root = root
	set := root.PersistentFlags()
	set.SortFlags = false
	set.StringVarP(&f.output, "output", "o", outputText, "`FORMAT` of results: text, json or jsonl")
	set.StringVar(&f.config, "config", "", "configuration `FILE` (ERRAND_CONFIG, ./errand.toml, then ~/.config/errand/errand.toml)")
	set.StringVar(&f.dataDir, "data-dir", "", "data `DIRECTORY` (ERRAND_DATA_DIR, then $XDG_STATE_HOME/errand)")
	set.StringVar(&f.logLevel, "log-level", "", "log from `LEVEL` on: debug, info, warn, error or never (default warn; info for servers)")
	set.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of logs: text or json")
	set.StringVar(&f.temporal.Address, "address", "", "Temporal `HOST:PORT` (TEMPORAL_ADDRESS, then the profile; none: one is run)")
	set.StringVarP(&f.temporal.Namespace, "namespace", "n", "", "Temporal `NAMESPACE` (default \"default\")")
	set.StringVar(&f.temporal.APIKey, "api-key", "", "Temporal API `KEY` (TEMPORAL_API_KEY, which other users cannot see)")
	set.BoolVar(&f.tls, "tls", false, "use TLS to Temporal")
	set.StringVar(&f.temporal.TLSCertPath, "tls-cert-path", "", "client certificate `FILE`")
	set.StringVar(&f.temporal.TLSKeyPath, "tls-key-path", "", "client key `FILE`")
	set.StringVar(&f.temporal.TLSCAPath, "tls-ca-path", "", "server CA certificate `FILE`")
	set.StringVar(&f.temporal.TLSServerName, "tls-server-name", "", "server `NAME` in the certificate")
	set.BoolVar(&f.tlsNoHostVerification, "tls-disable-host-verification", false, "do not check the server's certificate")
	set.StringVar(&f.temporal.Profile, "profile", "", "profile `NAME` of the temporal CLI's configuration (TEMPORAL_PROFILE)")
	set.StringVar(&f.temporal.ConfigFile, "config-file", "", "the temporal CLI's configuration `FILE` (TEMPORAL_CONFIG_FILE)")
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	"never": slog.LevelError + 100,
}

func (f *globalFlags) check() error {
	if !slices.Contains([]string{outputText, outputJSON, outputJSONL}, f.output) {
		return fmt.Errorf("--output %s: choose text, json or jsonl", f.output)
	}
	if _, ok := levels[f.logLevel]; !ok && f.logLevel != "" {
		return fmt.Errorf("--log-level %s: choose debug, info, warn, error or never", f.logLevel)
	}
	if f.logFormat != "text" && f.logFormat != "json" {
		return fmt.Errorf("--log-format %s: choose text or json", f.logFormat)
	}
	return nil
}

// load reads the configuration.
func (a *app) load() (*config.Config, error) {
	f := a.flags
	if f.root.PersistentFlags().Changed("tls") {
		f.temporal.TLS = &f.tls
	}
	if f.root.PersistentFlags().Changed("tls-disable-host-verification") {
		f.temporal.TLSDisableHostVerification = &f.tlsNoHostVerification
	}
	c, err := config.Load(config.Sources{File: f.config, DataDir: f.dataDir, Temporal: f.temporal, Env: a.env})
	return c, usage(err)
}

// logger logs to stderr, from the level that was asked for or else from
// fallback on.
func (a *app) logger(fallback slog.Level) *slog.Logger {
	level := fallback
	if a.flags.logLevel != "" {
		level = levels[a.flags.logLevel]
	}
	o := &slog.HandlerOptions{Level: level}
	if a.flags.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}

// again is a command line that reaches the same place as this one: the command
// with the flags that say where things are, but no key.
func (a *app) again(words ...string) string {
	words = append([]string{"errand"}, words...)
	for _, name := range []string{"config", "data-dir", "address", "namespace", "profile", "config-file"} {
		if flag := a.flags.root.PersistentFlags().Lookup(name); flag.Changed {
			words = append(words, "--"+name, flag.Value.String())
		}
	}
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote writes a word so that a shell reads it as one.
func shellQuote(s string) string {
	switch {
	case plainWord.MatchString(s):
		return s
	case !strings.ContainsAny(s, "\"$`\\!"):
		return `"` + s + `"`
	default:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
}
