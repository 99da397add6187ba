package config

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

// TemporalFlags are the flags that say where Temporal is, with the names of
// the temporal CLI. Zero values say nothing.
type TemporalFlags struct {
	Address                    string
	Namespace                  string
	APIKey                     string
	TLS                        *bool
	TLSCertPath                string
	TLSKeyPath                 string
	TLSCAPath                  string
	TLSServerName              string
	TLSDisableHostVerification *bool
	Profile                    string
	ConfigFile                 string
}

// Temporal says where Temporal is. It prints without keys.
type Temporal struct {
	// Named says that a flag, the environment or a profile names a server. If
	// none does, the embedded one is meant.
	Named     bool
	Namespace string
	options   client.Options
}

// Options are those of a client of the server that is named. They hold keys.
func (t Temporal) Options() client.Options { return t.options }

func (t Temporal) String() string {
	if !t.Named {
		return fmt.Sprintf("embedded Temporal server, namespace %s", t.Namespace)
	}
	return fmt.Sprintf("Temporal server %s, namespace %s", t.options.HostPort, t.Namespace)
}

// GoString is String: a %#v would print the options, keys and all.
func (t Temporal) GoString() string { return t.String() }

// loadTemporal takes flags before the environment before a profile.
func loadTemporal(f TemporalFlags, env Environment) (Temporal, error) {
	profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
		ConfigFilePath:    f.ConfigFile,
		ConfigFileProfile: f.Profile,
		EnvLookup:         env,
	})
	if err != nil {
		return Temporal{}, fmt.Errorf("settings of Temporal: %w", err)
	}
	f.apply(&profile)
	t := Temporal{Named: profile.Address != "", Namespace: cmp.Or(profile.Namespace, client.DefaultNamespace)}
	if !t.Named {
		if flag := f.ofServer(); flag != "" {
			return Temporal{}, fmt.Errorf("%s is of no use without a Temporal server: name one with --address or TEMPORAL_ADDRESS", flag)
		}
		return t, nil
	}
	if t.options, err = profile.ToClientOptions(envconfig.ToClientOptionsRequest{}); err != nil {
		return Temporal{}, fmt.Errorf("settings of Temporal: %w", err)
	}
	t.options.Namespace = t.Namespace
	return t, nil
}

// apply lays the flags over a profile.
func (f TemporalFlags) apply(p *envconfig.ClientConfigProfile) {
	p.Address = cmp.Or(f.Address, p.Address)
	p.Namespace = cmp.Or(f.Namespace, p.Namespace)
	p.APIKey = cmp.Or(f.APIKey, p.APIKey)
	if f.TLS == nil && f.TLSCertPath == "" && f.TLSKeyPath == "" && f.TLSCAPath == "" && f.TLSServerName == "" && f.TLSDisableHostVerification == nil {
		return
	}
	if p.TLS == nil {
		p.TLS = &envconfig.ClientConfigTLS{}
	}
	tls := p.TLS
	if f.TLS != nil {
		tls.Disabled = !*f.TLS
	}
	if f.TLSCertPath != "" {
		tls.ClientCertPath, tls.ClientCertData = f.TLSCertPath, nil
	}
	if f.TLSKeyPath != "" {
		tls.ClientKeyPath, tls.ClientKeyData = f.TLSKeyPath, nil
	}
	if f.TLSCAPath != "" {
		tls.ServerCACertPath, tls.ServerCACertData = f.TLSCAPath, nil
	}
	tls.ServerName = cmp.Or(f.TLSServerName, tls.ServerName)
	if f.TLSDisableHostVerification != nil {
		tls.DisableHostVerification = *f.TLSDisableHostVerification
	}
}

// ofServer is the first flag given that makes sense for a named server alone.
func (f TemporalFlags) ofServer() string {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--api-key", f.APIKey != ""},
		{"--tls", f.TLS != nil},
		{"--tls-cert-path", f.TLSCertPath != ""},
		{"--tls-key-path", f.TLSKeyPath != ""},
		{"--tls-ca-path", f.TLSCAPath != ""},
		{"--tls-server-name", f.TLSServerName != ""},
		{"--tls-disable-host-verification", f.TLSDisableHostVerification != nil},
		{"--profile", f.Profile != ""},
	} {
		if flag.given {
			return flag.name
		}
	}
	return ""
}
