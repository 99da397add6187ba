package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/errand-dev/errand/internal/books"
)

const (
	diskSize = 96 << 20        // bytes, of the machine that the Temporal server and the workers are on
	fullTime = 4 * time.Second // for which its disk is full
)

// mountDisk gives that machine a small disk of its own, from a file that stays
// when it is taken away.
func (s *stage) mountDisk(ctx context.Context) error {
	image := filepath.Join(s.dir, "machine.img")
	err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, diskSize), os.MkdirAll(s.machineDir(), 0o700))
	if err != nil {
		return err
	}
	for _, c := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, s.machineDir()}} {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("a small disk, which is root's to mount: %s: %w: %s", c[0], err, out)
		}
	}
	s.disk = true
	return nil
}

// unmountDisk takes it away, when nobody uses it any more.
func (s *stage) unmountDisk() {
	if !s.disk {
		return
	}
	s.disk = false
	if out, err := exec.Command("umount", s.machineDir()).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "umount %s: %v: %s", s.machineDir(), err, out)
	}
}

// complaint is what a program says whose disk is full.
var complaint = regexp.MustCompile(`(?i)disk is full|no space left`)

// fillDisk leaves no room on the disk for a while. Every other time the
// Temporal server is to start meanwhile: it does, or it says what is wrong.
func (s *stage) fillDisk() trouble {
	ballast := filepath.Join(s.machineDir(), "ballast")
	s.kills["full disk"]++
	restart := s.kills["full disk"]%2 == 0
	down := false
	return trouble{
		lasts: fullTime,
		strike: func() error {
			if err := fill(ballast); err != nil {
				return err
			}
			if !restart {
				return nil
			}
			s.temporal.Kill()
			err := s.temporal.Restart(context.Background())
			if down = err != nil; down && !complaint.MatchString(err.Error()) {
				return fmt.Errorf("with a full disk the Temporal server does not say so: %w", err)
			}
			return nil
		},
		mend: func(ctx context.Context) error {
			for _, p := range s.parts() {
				if complaint.MatchString(p.server.Output()) {
					s.complaints++
				}
			}
			err := os.Remove(ballast)
			if down {
				s.complaints++
				err = errors.Join(err, s.temporal.Restart(ctx))
			}
			return err
		},
	}
}

// fill writes a file until there is no more room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// checkDisk sees that somebody noticed.
func (s *stage) checkDisk() []books.Violation {
	if s.fullDisk && s.complaints == 0 {
		return []books.Violation{{Promise: books.SomethingToSee, Text: "nobody complained of a full disk"}}
	}
	return nil
}
