package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// Top looks at the process anew each second, and gives it so long to answer.
const (
	topInterval = time.Second
	topPatience = 3 * time.Second
)

// keptEvents are more than fit on a screen.
const keptEvents = 100

// Top shows the process live on a terminal until the reader leaves. It fails if the process does not answer at
// first; later it says so, and goes on asking.
func (c *Client) Top(ctx context.Context, in io.Reader, out io.Writer) error {
	m := &top{ctx: ctx, client: c}
	first := m.ask()
	if first.err != nil {
		return first.err
	}
	m.take(first)
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)).Run()
	if errors.Is(err, tea.ErrInterrupted) || ctx.Err() != nil {
		return nil // that is how one leaves
	}
	return err
}

// top is what is shown. Its methods are called one after another; only ask runs beside them.
type top struct {
	ctx    context.Context
	client *Client
	sample Sample
	view   View
	lost   time.Time // when the process was found not to answer; zero if it does
}

// look is what was found out at a moment.
type look struct {
	status *admin.Status
	events []admin.Event
	err    error
	at     time.Time
}

// again says that it is time for the next.
type again struct{}

// Init begins to look.
func (m *top) Init() tea.Cmd { return m.later() }

func (m *top) later() tea.Cmd {
	return tea.Tick(topInterval, func(time.Time) tea.Msg { return again{} })
}

// Update is called with everything that happens.
func (m *top) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.view.Width, m.view.Height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	case again:
		return m, func() tea.Msg { return m.ask() }
	case look:
		m.take(msg)
		return m, m.later()
	}
	return m, nil
}

// ask asks the process for what is new. Nothing is changed while it does.
func (m *top) ask() look {
	ctx, cancel := context.WithTimeout(m.ctx, topPatience)
	defer cancel()
	l := look{at: time.Now()}
	if l.status, l.err = m.client.Status(ctx); l.err != nil {
		return l
	}
	if !same(m.sample.Now, l.status) {
		l.events, l.err = m.client.Latest(ctx, keptEvents)
		return l
	}
	after := uint64(0)
	if n := len(m.sample.Events); n > 0 {
		after = m.sample.Events[n-1].Number
	}
	l.events, l.err = m.client.Events(ctx, after, 0)
	return l
}

// same says that two answers are of one process.
func same(a, b *admin.Status) bool {
	return a != nil && b != nil && a.PID == b.PID && a.Started.Equal(b.Started)
}

// take has what was found out shown from now on.
func (m *top) take(l look) {
	if l.err != nil {
		if m.lost.IsZero() {
			m.lost = l.at
		}
		m.view.Trouble = fmt.Sprintf("NO ANSWER for %s, trying again: %v", span(l.at.Sub(m.lost)), l.err)
		return
	}
	m.lost, m.view.Trouble = time.Time{}, ""
	if same(m.sample.Now, l.status) {
		m.sample.Before = m.sample.Now
	} else {
		m.sample.Before, m.sample.Events = nil, nil
	}
	m.sample.Now = l.status
	events := append(m.sample.Events, l.events...)
	m.sample.Events = events[max(0, len(events)-keptEvents):]
}

// key does what a key is for.
func (m *top) key(key string) tea.Cmd {
	page := max(1, m.view.Height/3)
	switch key {
	case "q", "ctrl+c", "esc":
		return tea.Quit
	case "up", "k":
		m.choose(-1)
	case "down", "j":
		m.choose(1)
	case "s":
		m.view.Order = (m.view.Order + 1) % orders
	case "pgdown", "space":
		m.scroll(page)
	case "pgup":
		m.scroll(-page)
	}
	return nil
}

// choose goes to another pool.
func (m *top) choose(step int) {
	pools := m.sample.Now.Pools
	if i := chosen(m.sample.Now, m.view.Pool) + step; i >= 0 && i < len(pools) {
		m.view.Pool, m.view.Skip = pools[i].Name, 0
	}
}

// scroll goes on among the servers, as far as there are any.
func (m *top) scroll(step int) {
	if i := chosen(m.sample.Now, m.view.Pool); i >= 0 {
		m.view.Skip = max(0, min(m.view.Skip+step, len(m.sample.Now.Pools[i].Servers)-1))
	}
}

// styles are how marks look on a terminal.
var styles = map[Mark]string{Title: "\x1b[1m", Heading: "\x1b[2m", Chosen: "\x1b[7m", Alarm: "\x1b[31m"}

// View is the screen as the terminal takes it.
func (m *top) View() tea.View {
	var b strings.Builder
	for i, l := range Screen(m.sample, m.view) {
		if i > 0 {
			b.WriteByte('\n')
		}
		if style := styles[l.Mark]; style != "" {
			b.WriteString(style + l.Text + "\x1b[m")
		} else {
			b.WriteString(l.Text)
		}
	}
	v := tea.NewView(b.String())
	v.AltScreen = true
	v.WindowTitle = "cashew top"
	return v
}
