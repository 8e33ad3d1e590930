package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cashew-proxy/cashew/internal/admin"
)

// Sample is the process at two moments, from which rates follow, and what has happened lately. There is no Before at
// first, nor after another process has taken the place of the one.
type Sample struct {
	Before, Now *admin.Status
	Events      []admin.Event // the oldest first
}

// View is what the reader has chosen, and the size of the screen.
type View struct {
	Width, Height int
	Pool          string // the one whose servers are shown; the first if there is none of the name
	Order         Order  // of the servers
	Skip          int    // servers that are scrolled past
	Trouble       string // why the process does not answer, "" if it does
}

// Order is what servers are sorted by.
type Order int

// The orders.
const (
	ByName Order = iota // as the pool has them
	ByRequests
	ByWaiting
	ByShare
	ByState
	orders
)

func (o Order) String() string {
	return [orders]string{"name", "requests", "waiting", "share", "state"}[o]
}

// Mark says how a line stands out.
type Mark int

// The marks.
const (
	Plain Mark = iota
	Title
	Heading
	Chosen
	Alarm
)

// Line is a line of the screen.
type Line struct {
	Text string
	Mark Mark
}

// Screen draws the process. It is never larger than the view; what has no place is left out, from the bottom up.
func Screen(s Sample, v View) []Line {
	lines := head(s, v)
	pool := chosen(s.Now, v.Pool)
	space := max(0, v.Height-len(lines)-1-3) // without the keys, and a heading for each part
	roomy := space > 12
	if roomy {
		space -= 3 // a line between the parts
	}
	part := func(title Line, rows []Line) {
		if roomy {
			lines = append(lines, Line{})
		}
		lines = append(append(lines, title), rows...)
	}
	title, rows := poolRows(s, v, pool, max(1, space/4))
	part(title, rows)
	space -= len(rows)
	title, rows = serverRows(s, v, pool, max(0, space-min(len(s.Events), 5, space/3)))
	part(title, rows)
	space -= len(rows)
	rows = nil
	for _, e := range s.Events[max(0, len(s.Events)-max(0, space)):] {
		rows = append(rows, Line{e.Time.Local().Format(clock) + " " + event(e), Plain})
	}
	part(Line{"EVENTS", Heading}, rows)
	lines = lines[:min(len(lines), max(0, v.Height-1))]
	for len(lines) < v.Height-1 {
		lines = append(lines, Line{})
	}
	if v.Height > 0 {
		lines = append(lines, Line{fmt.Sprintf("q quit   up/down pool   s sort by %s   page up/down servers", v.Order), Title})
	}
	for i := range lines {
		lines[i].Text = cut(lines[i].Text, v.Width)
	}
	return lines
}

// head is the process.
func head(s Sample, v View) []Line {
	now := s.Now
	title := fmt.Sprintf("cashew %s  pid %d  up %s  epoch %d", printable(now.Version), now.PID, span(now.Now.Sub(now.Started)), now.Epoch)
	if now.Draining {
		title += "  DRAINING"
	}
	lines := []Line{
		{title, Title},
		{fmt.Sprintf("%s  buffered %s of %s  heap %s  system %s", busy(s), size(now.Memory.Buffered), size(now.Memory.Limit),
			size(int64(now.Memory.Heap)), size(int64(now.Memory.System))), Plain},
		{"reloads " + reloads(now.Reloads, clock), Plain},
	}
	if now.Reloads.Error != "" {
		lines[2].Mark = Alarm
	}
	if v.Trouble != "" {
		lines = append(lines, Line{v.Trouble, Alarm})
	}
	return lines
}

// busy says how many workers have clients, and the share of time in which each of those was.
func busy(s Sample) string {
	text := ""
	for i, w := range s.Now.Workers {
		if !w.Active {
			continue
		}
		share := "-"
		if b := s.Before; b != nil && i < len(b.Workers) && s.Now.Now.After(b.Now) && w.Busy > 0 {
			share = percent(float64(w.Busy-b.Workers[i].Busy) / float64(s.Now.Now.Sub(b.Now)))
		}
		text += " " + share
	}
	if text == "" {
		text = " -"
	}
	return "busy" + text
}

// chosen is the index of the pool whose servers are shown, negative if there is no pool at all.
func chosen(now *admin.Status, pool string) int {
	i := slices.IndexFunc(now.Pools, func(p admin.PoolStatus) bool { return p.Name == pool })
	if i < 0 && len(now.Pools) > 0 {
		return 0
	}
	return i
}

// poolRows are as many pools as there is place for, the chosen one among them.
func poolRows(s Sample, v View, pool, place int) (title Line, rows []Line) {
	const columns = "%s %-9s %7s %7s %6s  %s"
	pools := s.Now.Pools
	first := max(0, min(pool-place/2, len(pools)-place))
	shown := pools[first:min(first+place, len(pools))]
	wide := min(max(12, v.Width-64), 40)
	title = Line{fmt.Sprintf(columns, pad("POOL"+ofAll(first, len(shown), len(pools)), wide), "PROTOCOL", "CLIENTS", "REQ/S", "ERR/S", "LISTENS AT"), Heading}
	for i := range shown {
		p := &shown[i]
		before := poolBefore(s.Before, p.Name)
		errors := rate(s, before != nil, func() (uint64, uint64) { return failed(before.Counters), failed(p.Counters) })
		requests := rate(s, before != nil, func() (uint64, uint64) { return before.Counters["requests"], p.Counters["requests"] })
		row := Line{Text: fmt.Sprintf(columns, pad(Name(p.Name), wide), p.Protocol, fmt.Sprint(p.Clients), requests, errors, paused(p)+printable(p.Listen))}
		switch {
		case first+i == pool:
			row.Mark = Chosen
		case p.Paused != "":
			row.Mark = Alarm
		}
		rows = append(rows, row)
	}
	return title, rows
}

// serverRows are as many servers of the chosen pool as there is place for.
func serverRows(s Sample, v View, pool, place int) (title Line, rows []Line) {
	if pool < 0 {
		return Line{"SERVERS", Heading}, nil
	}
	const columns = "%s %-8s %6s %8s %7s %7s %6s %8s"
	p := &s.Now.Pools[pool]
	before := serversBefore(s.Before, p.Name)
	requests := func(x *admin.ServerStatus) float64 {
		b := before[x.Name]
		if b == nil {
			return float64(x.Counters["requests"])
		}
		return float64(x.Counters["requests"]) - float64(b.Counters["requests"])
	}
	all := sorted(p.Servers, v.Order, requests)
	first := min(v.Skip, max(0, len(all)-place))
	shown := all[first:min(first+place, len(all))]
	wide, addresses := max(12, v.Width-58), 0
	if wide > 45 { // a wide screen has the addresses, too
		wide, addresses = 23, min(wide-24, 40)
	}
	with := func(name, address string) string {
		if addresses == 0 {
			return pad(name, wide)
		}
		return pad(name, wide) + " " + pad(address, addresses)
	}
	title = Line{fmt.Sprintf(columns, with("SERVER"+ofAll(first, len(shown), len(all)), "ADDRESS"),
		"STATE", "SHARE", "REQ/S", "QUEUED", "FLIGHT", "CONNS", "EJECTED"), Heading}
	for _, x := range shown {
		b := before[x.Name]
		r := rate(s, b != nil, func() (uint64, uint64) { return b.Counters["requests"], x.Counters["requests"] })
		row := Line{Text: fmt.Sprintf(columns, with(Name(x.Name), printable(x.Address)), x.State, percent(x.Share), r,
			fmt.Sprint(x.Queued), fmt.Sprint(x.InFlight), fmt.Sprint(x.Connections), fmt.Sprint(x.Ejections))}
		if x.State != "live" {
			row.Mark = Alarm
		}
		rows = append(rows, row)
	}
	return title, rows
}

// sorted are the servers in an order, those with most of it first.
func sorted(servers []admin.ServerStatus, o Order, requests func(*admin.ServerStatus) float64) []*admin.ServerStatus {
	all := make([]*admin.ServerStatus, len(servers))
	for i := range servers {
		all[i] = &servers[i]
	}
	slices.SortStableFunc(all, func(a, b *admin.ServerStatus) int {
		switch o {
		case ByRequests:
			return cmp.Compare(requests(b), requests(a))
		case ByWaiting:
			return cmp.Compare(b.Queued+b.InFlight, a.Queued+a.InFlight)
		case ByShare:
			return cmp.Compare(b.Share, a.Share)
		case ByState:
			return cmp.Compare(a.State, b.State) // "live" comes last
		}
		return 0
	})
	return all
}

func poolBefore(s *admin.Status, name string) *admin.PoolStatus {
	if s == nil {
		return nil
	}
	for i := range s.Pools {
		if s.Pools[i].Name == name {
			return &s.Pools[i]
		}
	}
	return nil
}

func serversBefore(s *admin.Status, pool string) map[string]*admin.ServerStatus {
	found := map[string]*admin.ServerStatus{}
	if p := poolBefore(s, pool); p != nil {
		for i := range p.Servers {
			found[p.Servers[i].Name] = &p.Servers[i]
		}
	}
	return found
}

// rate is how often something was counted in a second, and a dash if that is not known. values are asked for only if
// both are there.
func rate(s Sample, both bool, values func() (before, now uint64)) string {
	if !both || !s.Now.Now.After(s.Before.Now) {
		return "-"
	}
	before, now := values()
	if now < before {
		return "-" // it was counted anew
	}
	x := float64(now-before) / (float64(s.Now.Now.Sub(s.Before.Now)) / float64(time.Second))
	switch {
	case x == 0:
		return "0"
	case x < 10:
		return fmt.Sprintf("%.1f", x)
	case x < 10e3:
		return fmt.Sprintf("%.0f", x)
	case x < 1e6:
		return fmt.Sprintf("%.1fk", x/1e3)
	}
	return fmt.Sprintf("%.2fM", x/1e6)
}

// ofAll tells which rows are shown if not all are.
func ofAll(first, n, all int) string {
	if n == all {
		return ""
	}
	return fmt.Sprintf(" %d-%d/%d", first+1, first+n, all)
}

// pad makes a text so wide.
func pad(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

// cut makes a text no wider than that.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}
