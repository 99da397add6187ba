package exec

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/errand-dev/errand/sessionserver/agent"
)

// How a process is ended: stdin is closed, then SIGTERM, then SIGKILL.
const (
	untilTerm = time.Second
	untilKill = 2 * time.Second
	untilGone = 2 * time.Second // zombies that nobody reaps stay in the group
)

// queued is how many lines wait for a program that does not read.
const queued = 256

// process is a running program.
type process struct {
	agent  *Agent
	logger *slog.Logger
	cmd    *osexec.Cmd
	group  int
	stdin  *os.File
	stdout *os.File
	stderr *os.File
	tail   tail
	input  chan []byte
	taken  atomic.Int64 // bytes of output in the current task
	born   time.Time
	ready  chan struct{} // closed when it has said what it can do
	exited chan struct{} // closed when the program has ended
	gone   chan struct{} // closed when all it has said is heard, too

	// What the program answers beside its turns, by the type of the answer.
	pictures, places, states *answers

	mu      sync.Mutex
	ear     *ear   // of the turn under way, nil between turns
	broken  string // why the server has ended it, in a sentence
	state   json.RawMessage
	can     []string
	greeted bool // ready is closed
	held    bool
	leaving bool
	// untried is set until a program that was given a state has said something;
	// refused is why it said that it cannot go on from that.
	untried bool
	refused *string
}

// launch starts the program for a session and gives it its first line.
func (a *Agent) launch(s agent.Session, first startLine) (*process, error) {
	dir, err := s.MakeDir()
	if err != nil {
		return nil, fmt.Errorf("the session's directory cannot be made: %w", err)
	}
	cmd := osexec.Command(a.Command[0], a.Command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(environment(os.Environ(), a.Env), sessionVariable+"="+s.ID, "ERRAND_AGENT="+a.Name)
	ownGroup(cmd)
	var files []*os.File
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				files = append(files, r, w)
			}
		}
		return r, w
	}
	in, stdin := pipe()
	stdout, out := pipe()
	stderr, errs := pipe()
	if err == nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, errs
		err = cmd.Start()
	}
	if err != nil {
		closeAll(files...)
		return nil, fmt.Errorf("the agent's program %q cannot be started: %w", a.Command[0], err)
	}
	closeAll(in, out, errs)
	p := &process{
		agent: a, cmd: cmd, group: cmd.Process.Pid, stdin: stdin, stdout: stdout, stderr: stderr,
		logger:   a.Logger.With("agent", a.Name, "session_id", s.ID, "pid", cmd.Process.Pid),
		input:    make(chan []byte, queued),
		born:     time.Now(),
		untried:  first.State != nil,
		ready:    make(chan struct{}),
		exited:   make(chan struct{}),
		gone:     make(chan struct{}),
		pictures: newAnswers(), places: newAnswers(), states: newAnswers(),
	}
	if err := a.note(p.group, s.ID); err != nil {
		p.logger.Warn("agent's process not recorded, it could outlive a killed server", "error", err)
	}
	go p.supervise()
	go p.write()
	go p.weigh()
	p.send(first)
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// environment chooses the variables that a program gets.
func environment(all, named []string) []string {
	usual := []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}
	return slices.DeleteFunc(slices.Clone(all), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains(usual, name) && !slices.Contains(named, name) &&
			!strings.HasPrefix(name, "LC_") && !strings.HasPrefix(name, "XDG_")
	})
}

// supervise waits for the program's end and ends what it leaves behind.
func (p *process) supervise() {
	var reading sync.WaitGroup
	reading.Go(p.read)
	reading.Go(func() { p.drain(p.stderr, &p.tail) })
	_ = p.cmd.Wait() // the state tells how it ended
	p.kill()
	close(p.exited)
	// Wakes readers whose pipe was carried out of the group and never ends.
	_ = p.stdout.SetReadDeadline(time.Now())
	_ = p.stderr.SetReadDeadline(time.Now())
	reading.Wait()
	p.await(untilGone)
	closeAll(p.stdin, p.stdout, p.stderr)
	p.agent.unnote(p.group)
	close(p.gone)
}

// send gives the program a line, in time. One that does not read is ended.
func (p *process) send(line any) {
	data, err := json.Marshal(line)
	if err != nil {
		p.end("The agent cannot be told its message: %v.", err)
		return
	}
	select {
	case p.input <- append(data, '\n'):
	case <-p.exited:
	default:
		p.end("The agent does not read its input: %d lines wait.", queued)
	}
}

// write feeds the program's stdin until that is closed. After a pause the time
// in which it has to be read begins anew.
func (p *process) write() {
	for {
		var data []byte
		select {
		case data = <-p.input:
		case <-p.exited:
			return
		}
		for len(data) > 0 {
			_ = p.stdin.SetWriteDeadline(time.Now().Add(p.agent.readTime))
			n, err := p.stdin.Write(data)
			data = data[n:]
			switch {
			case err == nil:
			case errors.Is(err, os.ErrDeadlineExceeded):
				if n == 0 && !p.paused() {
					p.end("The agent has not read its input for %s.", p.agent.readTime)
					return
				}
			default:
				return // closed, by us or by the program
			}
		}
	}
}

// weigh ends the group when it takes more memory than it may.
func (p *process) weigh() {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	for {
		select {
		case <-p.exited:
			return
		case <-ticker.C:
			if p.agent.census.resident(p.group) > p.agent.Memory {
				p.end("The agent took more memory than its limit of %d bytes.", p.agent.Memory)
				return
			}
		}
	}
}

// end kills the group; the reason is told in place of how the process ended.
func (p *process) end(format string, values ...any) {
	p.mu.Lock()
	if p.broken == "" {
		p.broken = fmt.Sprintf(format, values...)
	}
	p.mu.Unlock()
	p.kill()
}

func (p *process) kill() { p.signal(destroy) }

// signal reaches the whole group, which keeps its number until it is gone.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.exited:
		return
	default:
	}
	if err := signal(p.group, s); err != nil {
		p.logger.Warn("signal not sent to the agent", "signal", s.String(), "error", err)
	}
}

func (p *process) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held {
		p.held = true
		p.signal(pause)
	}
}

func (p *process) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held {
		p.held = false
		_ = p.stdin.SetWriteDeadline(time.Now().Add(p.agent.readTime))
		p.signal(resume)
	}
}

func (p *process) paused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// close ends the program and all it started, and returns when that is gone.
func (p *process) close() {
	p.leave()
	p.release()
	_ = p.stdin.Close()
	if !p.await(untilTerm) {
		p.signal(finish)
		if !p.await(untilKill) {
			p.kill()
		}
	}
	<-p.gone
}

// await waits until the group is gone, for so long.
func (p *process) await(most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for alive(p.group) {
		select {
		case <-p.gone:
			return true
		case <-timer.C:
			return false
		case <-ticker.C:
		}
	}
	return true
}

// epitaph tells how the process ended, once it has.
func (p *process) epitaph() string {
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	if broken != "" {
		return broken
	}
	told := "The agent's process ended with exit status " + fmt.Sprint(p.cmd.ProcessState.ExitCode())
	if by := killedBy(p.cmd.ProcessState); by != "" {
		told = "The agent's process was killed by signal " + by
	}
	if last := p.tail.String(); last != "" {
		return told + ":\n" + last
	}
	return told + "."
}

// failedByServer tells whether the server ended it, for a limit.
func (p *process) failedByServer() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken != ""
}

// over tells whether the program has ended.
func (p *process) over() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// balked tells whether the program could not go on from the state that it was
// given, and why: it said so, or it ended before it said anything.
func (p *process) balked() (why string, balked bool) {
	p.mu.Lock()
	refused, silent := p.refused, p.untried && p.broken == ""
	p.mu.Unlock()
	switch {
	case refused != nil:
		return cmp.Or(*refused, "it gave no reason"), true
	case silent && p.over():
		return p.epitaph(), true
	}
	return "", false
}

func (p *process) lastState() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.state)
}

func (p *process) offers(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.can, what)
}
