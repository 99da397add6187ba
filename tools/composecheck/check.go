package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// check returns what is wrong with a loaded project, one sentence each.
func check(project *types.Project) []string {
	var problems []string
	for _, name := range project.ServiceNames() {
		for _, p := range checkService(project.Services[name]) {
			problems = append(problems, fmt.Sprintf("service %s: %s", name, p))
		}
	}
	for name, config := range project.Configs {
		if p := missing("config file", config.File); config.File != "" && p != "" {
			problems = append(problems, fmt.Sprintf("config %s: %s", name, p))
		}
	}
	for name, secret := range project.Secrets {
		if p := missing("secret file", secret.File); secret.File != "" && p != "" {
			problems = append(problems, fmt.Sprintf("secret %s: %s", name, p))
		}
	}
	return problems
}

func checkService(service types.ServiceConfig) []string {
	var problems []string
	add := func(p string) {
		if p != "" {
			problems = append(problems, p)
		}
	}
	switch {
	case service.Build != nil:
		add(missing("build context", service.Build.Context))
		add(missing("Dockerfile", dockerfile(service.Build)))
	case !pinned(service.Image):
		add(fmt.Sprintf("image %q has no fixed tag", service.Image))
	}
	for _, volume := range service.Volumes {
		if volume.Type == types.VolumeTypeBind {
			add(missing("bind mount", volume.Source))
		}
	}
	for _, file := range service.EnvFiles {
		if file.Required {
			add(missing("env file", file.Path))
		}
	}
	for _, port := range service.Ports {
		if ip := net.ParseIP(port.HostIP); ip == nil || !ip.IsLoopback() {
			add(fmt.Sprintf("port %s is published beyond loopback", port.Published))
		}
	}
	return problems
}

func dockerfile(build *types.BuildConfig) string {
	name := build.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(build.Context, name)
}

// pinned reports whether an image reference names a digest or a tag other
// than latest.
func pinned(image string) bool {
	if strings.Contains(image, "@sha256:") {
		return true
	}
	_, tag, found := strings.Cut(filepath.Base(image), ":")
	return found && tag != "" && tag != "latest"
}

func missing(what, path string) string {
	if _, err := os.Stat(path); err != nil {
		return fmt.Sprintf("%s %s cannot be read: %v", what, path, err)
	}
	return ""
}
