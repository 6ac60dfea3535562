package task_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/task"
)

// model is a site of one real fsm.State behind the faces that a node shows.
// The leader's clock is the test's (testing/synctest) plus a step that a test
// may change; log time is the test's clock alone.
type model struct {
	tb    testing.TB
	begun time.Time

	mu      sync.Mutex
	state   *fsm.State
	index   uint64
	step    time.Duration // of the leader's wall clock
	rows    []fsm.Reading
	applied chan struct{}
	keys    uint64
	// While lags is set the node has applied the first shown rows only, until
	// a linearizable view is asked for.
	lags  bool
	shown int
	// meet, when set, decides what becomes of a command of a run: whether it
	// is committed, and the error its proposer sees.
	meet func(cmd fsm.Command) (commit bool, err error)
}

const onlyTerm = 7 // the one term of the model's log

func newModel(tb testing.TB) *model {
	m := &model{tb: tb, begun: time.Now(), state: fsm.NewState(), applied: make(chan struct{})}
	m.must(fsm.Genesis{Site: "test", CutRows: 1 << 20, CutBytes: 16 << 20, WindowBytes: 64 << 20})
	return m
}

func (m *model) must(cmd fsm.Command) fsm.Outcome {
	m.tb.Helper()
	res := m.commit(cmd)
	if err := res.Outcomes[0].Code.Err(); err != nil {
		m.tb.Fatalf("%T: %v", cmd, err)
	}
	return res.Outcomes[0]
}

// commit applies a command as an entry of its own.
func (m *model) commit(cmd fsm.Command) fsm.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := cmd.(fsm.DutyCommand); ok {
		cmd = d.InTerm(onlyTerm)
	}
	op, body := fsm.Encode(cmd)
	if err := fsm.Check(op, body); err != nil {
		panic(fmt.Sprintf("a command that no leader would take: %v", err))
	}
	now := time.Now()
	header := fsm.Header{Op: op, LogTime: m.logTime(), Received: now.Add(m.step).UnixMicro()}
	m.index++
	done, err := m.state.Apply(m.index, onlyTerm, fsm.AppendEntry(nil, header, body))
	if err != nil {
		panic(err)
	}
	for _, c := range done.Cuts {
		m.keep(&c.Rows, &c.Names)
	}
	rows, names := m.state.Head()
	m.keep(&rows, &names)
	close(m.applied)
	m.applied = make(chan struct{})
	return fsm.Result{Index: m.index, Outcomes: done.Outcomes[0]}
}

func (m *model) logTime() fsm.LogTime {
	return fsm.LogTime(1e6 + time.Since(m.begun).Microseconds())
}

// keep takes over the rows that are new.
func (m *model) keep(rows *fsm.Rows, names *fsm.Names) {
	for i := range rows.Len() {
		if r := rows.Reading(i, names); r.Seq == fsm.Seq(len(m.rows)+1) {
			m.rows = append(m.rows, r)
		}
	}
}

// post stores one number.
func (m *model) post(device, resource string, v float64) {
	m.tb.Helper()
	m.postValue(device, resource, fsm.NumberValue(v))
}

func (m *model) postValue(device, resource string, v fsm.Value) {
	m.tb.Helper()
	m.keys++
	item := fsm.Item{Records: []fsm.Record{{Device: device, Resource: resource, Relative: true, Value: v}}}
	binary.LittleEndian.PutUint64(item.Key[:], m.keys)
	m.must(&fsm.Batch{Born: m.logTime(), Items: []fsm.Item{item}})
}

func (m *model) stepClock(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step += by
}

func (m *model) onMeet(meet func(fsm.Command) (bool, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meet = meet
}

func (m *model) create(id string, spec fsm.TaskSpec) {
	m.tb.Helper()
	m.must(fsm.CreateTaskCommand{ID: id, Spec: spec})
}

func (m *model) task(id string) fsm.Task {
	m.tb.Helper()
	t, ok := view{m}.Task(id)
	if !ok {
		m.tb.Fatalf("no task %q", id)
	}
	return t
}

// Propose, View and Applied make the model a task.Site, and a task.Proposer
// that leads.

func (m *model) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	if err := ctx.Err(); err != nil {
		return fsm.Result{}, err
	}
	m.mu.Lock()
	meet := m.meet
	m.mu.Unlock()
	if meet == nil {
		return m.commit(cmd), nil
	}
	commit, err := meet(cmd)
	if !commit {
		return fsm.Result{}, err
	}
	res := m.commit(cmd)
	if err != nil {
		return fsm.Result{}, err
	}
	return res, nil
}

func (m *model) View(_ context.Context, c cluster.Consistency) (task.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c == cluster.Linearizable {
		m.shown = len(m.rows)
	}
	return view{m}, nil
}

// lag holds back what is committed from now on from local views.
func (m *model) lag() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lags, m.shown = true, len(m.rows)
}

// catchUp ends lag.
func (m *model) catchUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lags = false
}

// present are the rows that the node has applied.
func (m *model) present() []fsm.Reading {
	if m.lags {
		return m.rows[:m.shown]
	}
	return m.rows
}

func (m *model) Applied() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied
}

// view is the model's present.
type view struct{ m *model }

func (v view) Tasks() []fsm.Task {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.m.state.Tasks()
}

func (v view) Task(id string) (fsm.Task, bool) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.m.state.Task(id)
}

func (v view) LogTime() fsm.LogTime {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return v.m.state.LogTime()
}

func (v view) Last(fsm.Stream) fsm.Seq {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return fsm.Seq(len(v.m.present()))
}

func (v view) After(_ context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	erased, _ := v.m.state.Erasures()
	var page []fsm.Reading
	for _, r := range v.m.present() {
		if r.Seq > after && len(page) < limit && !erased.Erased(fsm.Readings, r.Device, r.Seq) {
			page = append(page, r)
		}
	}
	return page, nil
}

// crew is the runners and the scheduler of a site of several nodes.
type crew struct {
	m     *model
	mu    sync.Mutex
	alive map[string]bool
	stops map[string]func()
}

// newCrew starts a scheduler and a runner on each node; the test's end stops
// them all.
func newCrew(m *model, nodes ...string) *crew {
	c := &crew{m: m, alive: make(map[string]bool), stops: make(map[string]func())}
	scheduler := task.NewScheduler(m, c.members, slog.New(slog.DiscardHandler))
	c.start("scheduler", func(ctx context.Context) { scheduler.Schedule(ctx, m) })
	for _, n := range nodes {
		c.begin(n)
	}
	m.tb.Cleanup(func() {
		for _, stop := range c.stops {
			stop()
		}
	})
	return c
}

func (c *crew) start(name string, work func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); work(ctx) }()
	c.stops[name] = func() { cancel(); <-ended }
}

// begin starts a node's runner and lets gossip see it.
func (c *crew) begin(node string) {
	c.see(node, true)
	r := task.NewRunner(c.m, node, slog.New(slog.DiscardHandler))
	c.start(node, func(ctx context.Context) { _ = r.Run(ctx) })
}

// kill ends a node's runner where it stands: it stores nothing on its way out.
func (c *crew) kill(node string) {
	c.stops[node]()
	delete(c.stops, node)
	c.see(node, false)
}

func (c *crew) see(node string, alive bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive[node] = alive
}

func (c *crew) members() []cluster.Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []cluster.Member
	for name, alive := range c.alive {
		out = append(out, cluster.Member{Name: name, Role: "voter", Alive: alive})
	}
	return out
}
