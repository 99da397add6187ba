package tree

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// jobs are what a child does in a folder, one tree after the other, until it
// is killed. The folder has a tree "base"; a line tells of each tree done.
var jobs = map[string]func(folder string) error{
	"clone": func(folder string) error {
		return forever(func(i string) error {
			dst := filepath.Join(folder, "whole", i)
			_, err := clone(context.Background(), filepath.Join(folder, "base"), dst, dst+".manifest", nil)
			return err
		})
	},
	"save": func(folder string) error {
		return forever(func(i string) error {
			work := filepath.Join(folder, "work", i)
			from := Origin{Snapshot: filepath.Join(folder, "base"), Manifest: work + ".manifest"}
			if _, err := clone(context.Background(), from.Snapshot, work, from.Manifest, nil); err != nil {
				return err
			}
			_, err := Save(work, filepath.Join(folder, "whole", i), from)
			return err
		})
	},
	"remove": func(folder string) error {
		return forever(func(i string) error {
			tree := filepath.Join(folder, "whole", i)
			if _, err := clone(context.Background(), filepath.Join(folder, "base"), tree, filepath.Join(folder, "work", "manifest"), nil); err != nil {
				return err
			}
			return Remove(tree)
		})
	},
}

func forever(do func(i string) error) error {
	for i := 0; ; i++ {
		if err := do(strconv.Itoa(i)); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func TestAKilledProcessLeavesWholeTreesAndWhatSweepRemoves(t *testing.T) {
	for job := range jobs {
		for after := range 4 {
			t.Run(fmt.Sprintf("%s, killed after %d", job, after), func(t *testing.T) {
				folder := newFolder(t)
				base := filepath.Join(folder, "base")
				grow(t, uint64(after), base, 150)
				for _, dir := range []string{"whole", "work"} {
					require.NoError(t, os.Mkdir(filepath.Join(folder, dir), 0o700))
				}
				want := look(t, base)
				kill(t, job, folder, after)

				require.Equal(t, want, look(t, base))
				for _, dir := range []string{"whole", "work"} {
					require.NoError(t, Sweep(filepath.Join(folder, dir)))
					entries, err := os.ReadDir(filepath.Join(folder, dir))
					require.NoError(t, err)
					for _, entry := range entries {
						name := entry.Name()
						require.NotContains(t, name, hidden)
						if entry.IsDir() {
							require.Equal(t, contents(t, base), contents(t, filepath.Join(folder, dir, name)), name)
						}
					}
				}
			})
		}
	}
}

// kill runs a job and kills it somewhere in what follows so many trees.
func kill(t *testing.T, job, folder string, after int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), childJob+"="+job)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range after {
		require.True(t, lines.Scan(), "the child works on")
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

// contents is what a tree holds, without the looks of its directories: a
// process killed while it shares leaves one of them as it is.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := look(t, dir)
	for path, is := range all {
		if is[0] == 'd' {
			all[path] = "a directory"
		}
	}
	return all
}
