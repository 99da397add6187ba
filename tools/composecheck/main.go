// Composecheck loads a Compose file as Docker Compose would and checks what
// the loader leaves to run time: that every Dockerfile, build context, bind
// mount and env file exists, that every image is pinned, and that every
// published port stays on the loopback interface.
//
// Usage:
//
//	composecheck FILE [NAME=VALUE ...]
//
// NAME=VALUE pairs stand in for the variables that FILE requires. The
// process environment is not consulted, so that the check has one outcome.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: composecheck FILE [NAME=VALUE ...]")
		os.Exit(2)
	}
	project, err := load(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "composecheck:", err)
		os.Exit(1)
	}
	problems := check(project)
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, "composecheck:", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
	fmt.Printf("%s: %d services, all sound\n", os.Args[1], len(project.Services))
}

// load reads the Compose file with every profile on. The loader itself
// refuses unknown keys, missing variables and a depends_on that names no
// service.
func load(file string, env []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(
		[]string{file},
		cli.WithWorkingDirectory(filepath.Dir(file)),
		cli.WithName("errand"),
		cli.WithEnv(env),
		cli.WithProfiles([]string{"*"}),
		cli.WithResolvedPaths(true),
	)
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}
