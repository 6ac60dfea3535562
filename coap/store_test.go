package coap_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"skerry/cluster"
	"skerry/coap"
	"skerry/fsm"
)

// testSecret is the site secret of all tests.
var testSecret = [16]byte{4, 5, 6}

// store is a site of one that keeps everything in memory: the real state, with
// the log left out. It can be made to wait and to fail.
type store struct {
	mu         sync.Mutex
	state      *fsm.State
	index      uint64
	skipped    time.Duration // added to log time and wall clock
	begun      time.Time
	applied    chan struct{} // closed and made anew when something is applied
	jpegs      [][]byte
	batches    []int         // items of each batch
	unbegun    bool          // there is no secret yet
	gate       chan struct{} // Propose waits until it is closed; nil for no wait
	gated      string        // only what has a reading of this device waits; "" for all
	err        error         // Propose returns it, having stored nothing
	unreadable error         // Range returns it
	reading    time.Duration // Range takes so long
	lost       bool          // Propose stores, and returns ErrUnknown; Known knows nothing yet
	proposed   chan struct{} // gets one for each proposal that arrives, if not nil
}

func newStore(tb testing.TB) *store {
	tb.Helper()
	s := &store{state: fsm.NewState(), begun: time.Now(), applied: make(chan struct{})}
	genesis := fsm.Genesis{
		Site: "demo", Lineage: [16]byte{1}, Secret: testSecret,
		CutRows: 1 << 20, CutBytes: 1 << 30, WindowBytes: 64 << 20,
	}
	if _, err := s.apply(genesis); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *store) Secret() ([16]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return testSecret, !s.unbegun
}

func (s *store) Known(key fsm.Key, content uint64) (o fsm.Outcome, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		return o, false
	}
	return s.state.Known(key, content)
}

// set changes the store's behaviour.
func (s *store) set(change func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *store) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	s.mu.Lock()
	gate, err, lost, proposed := s.gate, s.err, s.lost, s.proposed
	if s.gated != "" && !hasDevice(cmd, s.gated) {
		gate = nil
	}
	s.mu.Unlock()
	if proposed != nil {
		proposed <- struct{}{}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return fsm.Result{}, cluster.ErrUnknown
		}
	}
	if err != nil {
		return fsm.Result{}, err
	}
	result, err := s.apply(cmd)
	if lost && err == nil {
		return fsm.Result{}, cluster.ErrUnknown
	}
	return result, err
}

func hasDevice(cmd fsm.Command, device string) bool {
	b, ok := cmd.(*fsm.Batch)
	for i := range b.Items {
		ok = ok && b.Items[i].Records[0].Device == device
	}
	return ok
}

func (s *store) apply(cmd fsm.Command) (fsm.Result, error) {
	op, body := fsm.Encode(cmd)
	if err := fsm.Check(op, body); err != nil {
		return fsm.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := fsm.LogTime(1e6 + (time.Since(s.begun) + s.skipped).Microseconds())
	if op == fsm.OpReadings || op == fsm.OpFrame || op == fsm.OpConditional {
		fsm.SetBorn(body, now)
	}
	if b, ok := cmd.(*fsm.Batch); ok {
		s.batches = append(s.batches, len(b.Items))
	}
	s.index++
	entry := fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: now, Received: time.Now().Add(s.skipped).UnixMicro()}, body)
	applied, err := s.state.Apply(s.index, 1, entry)
	if err != nil {
		return fsm.Result{}, err
	}
	close(s.applied)
	s.applied = make(chan struct{})
	if f := applied.Frame; f != nil {
		s.jpegs = append(s.jpegs, append([]byte(nil), f.JPEG...))
	}
	return fsm.Result{Index: s.index, Outcomes: applied.Outcomes[0]}, nil
}

// view reads the store.
func (s *store) view(context.Context) (coap.View, error) { return s, nil }

func (s *store) Applied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied
}

func (s *store) LastOf(device string) (seq fsm.Seq) {
	for _, r := range s.LatestOf(device) {
		seq = max(seq, r.Seq)
	}
	return seq
}

func (s *store) LogTime() fsm.LogTime {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.LogTime()
}

func (s *store) Latest(device, resource string) (fsm.Reading, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.state.Series(device, resource)
	if !ok {
		return fsm.Reading{}, false
	}
	return s.state.Latest(id)
}

func (s *store) LatestOf(device string) (list []fsm.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range uint32(s.state.SeriesCount()) {
		if r, ok := s.state.Latest(id); ok && r.Device == device {
			list = append(list, r)
		}
	}
	return list
}

func (s *store) CountOf(device string, most int) int { return min(len(s.LatestOf(device)), most) }

func (s *store) Range(_ context.Context, q cluster.Query) (cluster.Page, error) {
	var page cluster.Page
	time.Sleep(s.reading) // a slow disk; of a test whose clock is its own
	if s.unreadable != nil {
		return page, s.unreadable
	}
	for _, r := range s.readings() {
		if r.Device == q.Device && r.Resource == q.Resource && r.Time >= q.From && r.Time < q.To {
			page.Readings = append(page.Readings, r)
		}
	}
	sort.SliceStable(page.Readings, func(i, j int) bool { return page.Readings[i].Time < page.Readings[j].Time })
	page.Readings = page.Readings[:min(q.Limit, len(page.Readings))]
	return page, nil
}

func (s *store) LatestFrame(device, resource string) (fsm.Frame, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.state.Series(device, resource)
	if !ok {
		return fsm.Frame{}, false
	}
	return s.state.LatestFrame(id)
}

func (s *store) JPEG(_ context.Context, seq fsm.Seq) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jpegs[seq-1], nil
}

func (s *store) Document(device string, kind fsm.DocumentKind) (fsm.Document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Document(device, kind)
}

func (s *store) DocumentDevices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.DocumentDevices()
}

func (s *store) Registrations() []fsm.Registration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Registrations()
}

func (s *store) Registration(id string) (fsm.Registration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Registration(id)
}

func (s *store) Devices() (list []cluster.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	resources := map[string][]string{}
	for id := range uint32(s.state.SeriesCount()) {
		name := s.state.SeriesName(id)
		resources[name.Device] = append(resources[name.Device], name.Resource)
	}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		list = append(list, cluster.Device{Name: name, Resources: slices.Sorted(slices.Values(resources[name]))})
	}
	return list
}

// readings are all stored readings in seq order.
func (s *store) readings() []fsm.Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, names := s.state.Head()
	list := make([]fsm.Reading, rows.Len())
	for i := range list {
		list[i] = rows.Reading(i, &names)
	}
	return list
}

// serve runs a server over the store until the test ends, with the default
// configuration changed by edit.
func (s *store) serve(tb testing.TB, edit ...func(*coap.Config)) *coap.Server {
	tb.Helper()
	server, _ := s.serveUntil(tb, edit...)
	return server
}

// serveUntil runs a server until stop is called, or the test ends.
func (s *store) serveUntil(tb testing.TB, edit ...func(*coap.Config)) (server *coap.Server, stop func()) {
	tb.Helper()
	cfg := coap.DefaultConfig()
	cfg.Addr, cfg.Store, cfg.View = "127.0.0.1:0", s, s.view
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Limits.PeerRate, cfg.Limits.PeerBurst = 1e6, 1e6
	for _, f := range edit {
		f(&cfg)
	}
	server, err := coap.Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(stop)
	return server, stop
}
