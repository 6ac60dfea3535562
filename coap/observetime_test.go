package coap_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// visit is a session that observes, in a bubble with a clock of its own.
type visit struct {
	*coap.Visitor
	tb     testing.TB
	store  *store
	server *coap.Server

	mu   sync.Mutex
	got  []message.Message
	when []time.Time
}

// inBubble runs a scene with a server whose observers run.
func inBubble(t *testing.T, scene func(t *testing.T, v *visit)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		cfg := coap.DefaultConfig()
		cfg.Addr, cfg.Store, cfg.View = "127.0.0.1:0", s, s.view
		cfg.Logger = slog.New(slog.DiscardHandler)
		server, err := coap.Listen(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { server.RunObservers(ctx) })
		v := &visit{tb: t, store: s, server: server}
		v.Visitor = coap.NewVisitor(server, v.take)
		v.reading("0")
		scene(t, v)
		cancel()
		run.Wait()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (v *visit) take(encoded []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var m message.Message
	if kind, err := message.Parse(encoded, &m); kind != message.Response {
		panic(fmt.Sprint(kind, err))
	}
	v.got, v.when = append(v.got, m), append(v.when, time.Now())
}

// reading stores a value of pump-7/temperature.
func (v *visit) reading(value string) {
	v.tb.Helper()
	key := fsm.Key{1}
	copy(key[1:], value)
	r := fsm.Record{Device: "pump-7", Resource: "temperature", Relative: true, Value: fsm.TextValue(value)}
	result, err := v.store.Propose(v.tb.Context(), &fsm.Batch{Items: []fsm.Item{{Key: key, Content: 1, Records: []fsm.Record{r}}}})
	if err != nil || result.Outcomes[0].Code != fsm.Stored {
		v.tb.Fatal(result, err)
	}
}

// get asks for pump-7/temperature with more options.
func (v *visit) get(kind message.Type, token string, options ...func(*message.Message)) {
	v.tb.Helper()
	m := message.Message{Type: kind, Code: message.GET, ID: 7, Token: []byte(token)}
	for _, segment := range coap.ReadingPath("pump-7", "temperature") {
		m.Add(message.URIPath, []byte(segment))
	}
	for _, add := range options {
		add(&m)
	}
	b, err := m.Append(nil)
	if err != nil {
		v.tb.Fatal(err)
	}
	v.Send(b)
}

// observe asks for pump-7/temperature and forgets the answer.
func (v *visit) observe(kind message.Type, token string) {
	v.tb.Helper()
	v.get(kind, token, func(m *message.Message) { m.AddUint(message.Observe, 0) })
	if got, _ := v.messages(); len(got) != 1 || got[0].Code != message.Content {
		v.tb.Fatalf("got %+v", got)
	}
}

// messages returns what came since the last call, once all is quiet.
func (v *visit) messages() ([]message.Message, []time.Time) {
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	got, when := v.got, v.when
	v.got, v.when = nil, nil
	return got, when
}

func (v *visit) answer(kind message.Type, id uint16) {
	v.Send([]byte{byte(0x40 | kind<<4), 0, byte(id >> 8), byte(id)})
}

func TestObserverThatDoesNotAnswerLosesAllItsObservations(t *testing.T) {
	inBubble(t, func(t *testing.T, v *visit) {
		v.observe(message.CON, "a")
		v.observe(message.CON, "b")
		begin := time.Now()
		v.reading("1")
		time.Sleep(30 * time.Second)
		v.reading("2")
		time.Sleep(70 * time.Second)
		got, when := v.messages()
		if len(got) != 5 {
			t.Fatalf("%d copies, want 5", len(got))
		}
		for i := 2; i < len(got); i++ {
			if first, second := when[i-1].Sub(when[i-2]), when[i].Sub(when[i-1]); second != 2*first {
				t.Errorf("waited %s after %s", second, first)
			}
		}
		if last := got[4]; string(last.Payload) != "2" || last.ID == got[0].ID {
			t.Errorf("the last copy has %q and id %d", last.Payload, last.ID)
		}
		if took := when[4].Sub(begin); took < 30*time.Second || took > 46*time.Second {
			t.Errorf("the last copy came after %s", took)
		}
		if st := v.server.Stats(); st.Observers != 0 || st.Lost != 2 {
			t.Errorf("%d observers, %d lost", st.Observers, st.Lost)
		}
		v.reading("3")
		if got, _ := v.messages(); len(got) > 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestQuietObservationIsConfirmedEachDay(t *testing.T) {
	inBubble(t, func(t *testing.T, v *visit) {
		v.observe(message.NON, "a")
		for range 3 {
			time.Sleep(24*time.Hour + time.Second/10)
			got, _ := v.messages()
			if len(got) != 1 || got[0].Type != message.CON || string(got[0].Payload) != "0" {
				t.Fatalf("got %+v", got)
			}
			v.answer(message.ACK, got[0].ID)
		}
		time.Sleep(24*time.Hour + 94*time.Second)
		if v.messages(); v.server.Stats().Observers != 0 {
			t.Error("who is gone is still there a day later")
		}
	})
}

func TestNotificationsWaitForTheirPeer(t *testing.T) {
	inBubble(t, func(t *testing.T, v *visit) {
		v.observe(message.NON, "a")
		v.reading("1")
		time.Sleep(time.Second)
		first, _ := v.messages()
		if len(first) != 1 || first[0].Type != message.NON {
			t.Fatalf("got %+v", first)
		}
		v.reading("2") // the round-trip time is needed now
		time.Sleep(time.Second)
		second, _ := v.messages()
		if len(second) != 1 || second[0].Type != message.CON {
			t.Fatalf("got %+v", second)
		}
		for i := range 100 {
			v.reading(fmt.Sprint(3 + i))
			time.Sleep(time.Millisecond)
		}
		if got, _ := v.messages(); len(got) != 0 {
			t.Errorf("%d notifications went out before an answer", len(got))
		}
		v.answer(message.ACK, second[0].ID)
		time.Sleep(time.Second)
		if got, _ := v.messages(); len(got) != 1 || string(got[0].Payload) != "102" || got[0].Type != message.NON {
			t.Errorf("got %+v, want the latest state alone", got)
		}
	})
}

func TestSessionsObservationsEndWithIt(t *testing.T) {
	inBubble(t, func(t *testing.T, v *visit) {
		v.observe(message.CON, "a")
		v.reading("1")
		time.Sleep(time.Second)
		v.Leave()
		v.messages()
		v.observe(message.CON, "too late")
		v.reading("2")
		time.Sleep(time.Minute)
		if got, _ := v.messages(); len(got) > 0 || v.server.Stats().Observers != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestSlowReadIsAnsweredSeparately(t *testing.T) {
	history := func(m *message.Message) { m.Add(message.URIQuery, []byte("from=0")) }
	slow := func(t *testing.T, takes time.Duration, scene func(t *testing.T, v *visit)) {
		inBubble(t, func(t *testing.T, v *visit) {
			v.store.reading = takes
			scene(t, v)
		})
	}
	t.Run("a CON is acknowledged after 1.5 s, and its answer sent until it is acknowledged", func(t *testing.T) {
		slow(t, 4*time.Second, func(t *testing.T, v *visit) {
			begin := time.Now()
			v.get(message.CON, "a", history)
			time.Sleep(3 * time.Second)
			acks, when := v.messages()
			if len(acks) != 1 || acks[0].Type != message.ACK || acks[0].Code != message.Empty || acks[0].ID != 7 {
				t.Fatalf("got %+v", acks)
			}
			if took := when[0].Sub(begin); took != 1500*time.Millisecond {
				t.Errorf("acknowledged after %s", took)
			}
			time.Sleep(5 * time.Second)
			answers, _ := v.messages()
			if len(answers) != 2 || answers[0].Type != message.CON || answers[0].Code != message.Content || string(answers[0].Token) != "a" {
				t.Fatalf("got %+v", answers)
			}
			if answers[1].ID != answers[0].ID {
				t.Error("the second copy has another id")
			}
			v.answer(message.ACK, answers[0].ID)
			time.Sleep(time.Hour)
			if got, _ := v.messages(); len(got) != 0 {
				t.Errorf("got %+v", got)
			}
		})
	})
	t.Run("a CON that is read in time has its answer in the ACK", func(t *testing.T) {
		slow(t, 1400*time.Millisecond, func(t *testing.T, v *visit) {
			v.get(message.CON, "a", history)
			time.Sleep(time.Hour)
			if got, _ := v.messages(); len(got) != 1 || got[0].Type != message.ACK || got[0].Code != message.Content {
				t.Errorf("got %+v", got)
			}
		})
	})
	t.Run("a NON is answered in a NON", func(t *testing.T) {
		slow(t, 4*time.Second, func(t *testing.T, v *visit) {
			v.get(message.NON, "a", history)
			time.Sleep(time.Hour)
			if got, _ := v.messages(); len(got) != 1 || got[0].Type != message.NON || got[0].Code != message.Content {
				t.Errorf("got %+v", got)
			}
		})
	})
	t.Run("a failure is told the same way", func(t *testing.T) {
		slow(t, 10*time.Second, func(t *testing.T, v *visit) {
			v.store.unreadable = errors.New("the disk is gone")
			v.get(message.CON, "a", history)
			time.Sleep(11 * time.Second)
			got, _ := v.messages()
			if len(got) != 2 || got[0].Type != message.ACK || got[1].Type != message.CON || got[1].Code.Class() != 5 {
				t.Errorf("got %+v", got)
			}
		})
	})
}
