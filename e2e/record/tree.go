package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// code is what the content of a history follows from.
var code = []string{
	"workflows/*.go", "watch/*.go", "activities/*.go", "provider/*.go", "worker/*.go", "starter/*.go", ":(exclude)*_test.go",
}

// tree is the working tree that is recorded from.
type tree struct {
	root     string
	revision string // of the code: the day and the commit of its last change
}

// openTree finds the working tree, which must be as it is committed: a history
// from code that no commit has proves nothing.
func openTree(ctx context.Context) (tree, error) {
	root, err := git(ctx, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return tree{}, err
	}
	changed, err := git(ctx, root, "status", "--porcelain", "--untracked-files=all", "--", "*.go", "go.mod", "go.sum")
	if err != nil {
		return tree{}, err
	}
	if changed != "" {
		return tree{}, fmt.Errorf("histories are recorded from committed code alone; commit these first, or stash them:\n%s", changed)
	}
	args := []string{"log", "-1", "--abbrev=10", "--date=format-local:%Y%m%d", "--format=%cd-%h", "--"}
	revision, err := git(ctx, root, append(args, code...)...)
	if err == nil && revision == "" {
		err = errors.New("no commit has changed the workflows: is this a shallow clone?")
	}
	return tree{root: root, revision: revision}, err
}

// git runs git and returns what it says, without the last line break.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TZ=UTC")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return strings.TrimRight(string(out), "\n"), nil
}
