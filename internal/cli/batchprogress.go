package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/errand-dev/errand/starter"
	"github.com/errand-dev/errand/workflows"
)

// batchPace is how fast a batch has come on lately.
type batchPace struct{ samples []paceSample }

type paceSample struct {
	at   time.Time
	done int
}

// paceSpan is how far back a pace looks: long enough for tasks that take
// minutes to show, short enough to follow a change.
const paceSpan = 2 * time.Minute

// see takes a look at the batch.
func (p *batchPace) see(b starter.Batch, at time.Time) {
	if n := len(p.samples); n > 0 && b.Done() < p.samples[n-1].done { // it is run again
		p.samples = nil
	}
	p.samples = append(p.samples, paceSample{at, b.Done()})
	for len(p.samples) > 2 && at.Sub(p.samples[0].at) > paceSpan {
		p.samples = p.samples[1:]
	}
}

// rate is how many items have come to an end in a second; 0: not known.
func (p *batchPace) rate() float64 {
	if len(p.samples) < 2 {
		return 0
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	span := last.at.Sub(first.at)
	if span < time.Second {
		return 0
	}
	return float64(last.done-first.done) / span.Seconds()
}

// words are the rate and the time left, where they are known.
func (p *batchPace) words(b starter.Batch) string {
	rate := p.rate()
	if rate == 0 || b.Status != workflows.StatusRunning {
		return ""
	}
	per := fmt.Sprintf("%.1f/s", rate)
	if rate < 1 {
		per = fmt.Sprintf("%.1f/min", rate*60)
	}
	left := time.Duration(float64(b.Total-b.Done()) / rate * float64(time.Second))
	return fmt.Sprintf("%s · %s left", per, clock(left))
}

// batchLine is how far a batch is, in a line.
func batchLine(b starter.Batch, pace string) string {
	words := []string{string(b.Status), fmt.Sprintf("%d of %d done", b.Done(), b.Total)}
	for _, count := range []struct {
		n    int
		what string
	}{{b.Failed, "failed"}, {b.Cancelled, "cancelled"}, {b.Running, "running"}, {b.Waiting, "waiting"}} {
		if count.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", count.n, count.what))
		}
	}
	if pace != "" {
		words = append(words, pace)
	}
	if b.Trouble != "" {
		words = append(words, "trouble: "+cell(b.Trouble, 200))
	}
	return strings.Join(words, " · ")
}

// plainEvery is the time between two lines about a batch that only comes on.
const plainEvery = 10 * time.Second

// followBatchPlain follows a batch with a line now and then, and whenever more
// than its counts has changed.
func (a *app) followBatchPlain(ctx context.Context, l *link, id string) (starter.Batch, error) {
	var (
		pace batchPace
		told time.Time
		last starter.Batch
	)
	return l.tasks.FollowBatch(ctx, id, batchLook, func(b starter.Batch) error {
		now := time.Now()
		pace.see(b, now)
		news := b.Status != last.Status || b.Trouble != last.Trouble || (b.Waiting > last.Waiting)
		if news || (b.Done() != last.Done() && now.Sub(told) >= plainEvery) {
			a.note("batch %s: %s", id, batchLine(b, pace.words(b)))
			told, last = now, b
		}
		return nil
	})
}

// followBatchLive follows a batch with a bar at the terminal.
func (a *app) followBatchLive(ctx context.Context, l *link, id string) (batch starter.Batch, err error) {
	screen := terminal(a.err.base)
	color := a.env.Get("NO_COLOR") == ""
	// It reads no keys: Ctrl-C is the signal that it is everywhere else.
	program := tea.NewProgram(newBatchModel(color), tea.WithInput(nil), tea.WithOutput(screen), tea.WithEnvironment(a.env),
		tea.WithContext(ctx), tea.WithoutSignalHandler())
	release := a.err.through(liveView{program: program, screen: screen, color: color})
	defer release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var pace batchPace
		batch, err = l.tasks.FollowBatch(ctx, id, batchLook, func(b starter.Batch) error {
			pace.see(b, time.Now())
			program.Send(batchMsg{b, pace.words(b)})
			return nil
		})
		program.Send(closedMsg{})
	}()
	_, _ = program.Run() // what ends it early is ctx, and the follower tells of that
	<-done
	return batch, err
}

// batchMsg tells the view of the batch as it is now.
type batchMsg struct {
	batch starter.Batch
	pace  string
}

// batchModel is the live view of a batch: a bar, and below it the counts.
type batchModel struct {
	now    batchMsg
	width  int // of the bar
	color  bool
	closed bool
}

func newBatchModel(color bool) batchModel { return batchModel{width: 60, color: color} }

// Init implements [tea.Model].
func (m batchModel) Init() tea.Cmd { return nil }

// Update implements [tea.Model].
func (m batchModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case batchMsg:
		m.now = msg
	case tea.WindowSizeMsg:
		m.width = max(10, min(80, msg.Width-7))
	case closedMsg:
		m.closed = true
		return m, tea.Quit
	}
	return m, nil
}

// View implements [tea.Model].
func (m batchModel) View() tea.View {
	if m.closed || m.now.batch.Total == 0 {
		return tea.NewView("")
	}
	line := batchLine(m.now.batch, m.now.pace) + " · Ctrl-C to leave"
	return tea.NewView(m.bar() + "\n" + dim.Render(line))
}

// bar shows what is completed, then what else has come to an end.
func (m batchModel) bar() string {
	b := m.now.batch
	good, over := b.Completed*m.width/b.Total, b.Done()*m.width/b.Total
	done, bad := lipgloss.NewStyle(), lipgloss.NewStyle()
	if m.color {
		done, bad = done.Foreground(lipgloss.Green), bad.Foreground(lipgloss.Red)
	}
	return done.Render(strings.Repeat("█", good)) + bad.Render(strings.Repeat("▓", over-good)) +
		dim.Render(strings.Repeat("░", m.width-over)) + fmt.Sprintf(" %3d %%", b.Done()*100/b.Total)
}
