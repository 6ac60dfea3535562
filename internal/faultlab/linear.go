package faultlab

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTime bounds the check of one register, in real time. One that takes
// longer is counted, and says nothing.
const checkTime = 10 * time.Second

// state is a register's content; version 0 is none. A version that nobody saw
// is unseen.
type state struct{ id, version uint64 }

const unseen = math.MaxUint64

// linearizable checks the histories of all registers. It is to be called outside
// of virtual time.
func (t *truth) linearizable() {
	h := &t.s.histories
	byRegister := map[register][]operation{}
	for _, o := range h.done {
		if o.in.reading && h.refused[o.out.id] {
			t.violation("register %s was read with a value that was refused for certain", o.in.at.name)
			return
		}
		byRegister[o.in.at] = append(byRegister[o.in.at], o)
	}
	for at, ops := range byRegister {
		switch check(ops) {
		case porcupine.Illegal:
			t.violation("register %s is not linearizable:%s", at.name, told(ops))
		case porcupine.Unknown:
			t.s.counts.add("registers not checked in time")
		default:
			t.s.counts.add("registers checked")
		}
	}
}

// check asks porcupine about the history of one register.
func check(ops []operation) porcupine.CheckResult {
	versions := map[uint64]uint64{} // by id, as seen anywhere
	for _, o := range ops {
		switch {
		case o.out.unknown || o.out.unmet:
		case o.in.reading:
			versions[o.out.id] = o.out.version
		default:
			versions[o.in.id] = o.out.version
		}
	}
	var history []porcupine.Operation
	for _, o := range ops {
		p := porcupine.Operation{ClientId: o.client, Input: o.in, Output: o.out, Call: o.call, Return: o.back}
		if o.out.unknown { // it may yet happen
			p.Return = math.MaxInt64
		}
		history = append(history, p)
	}
	model := porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, in, out any) (bool, any) { return next(s.(state), in.(write), out.(outcome), versions) },
	}
	return porcupine.CheckOperationsTimeout(model, history, checkTime)
}

// next is the register as it should be: whether an operation can have had its
// outcome in a state, and the state after it.
func next(s state, in write, out outcome, versions map[uint64]uint64) (bool, any) {
	if in.reading {
		return s == state{out.id, out.version}, s
	}
	met := in.anyhow || in.absent && s.version == 0 || !in.absent && s.version == in.when && s.version != 0
	switch {
	case out.unmet:
		return !met, s
	case !met:
		return out.unknown, s
	case !out.unknown && s.version != unseen && out.version <= s.version:
		return false, s
	}
	after := state{in.id, unseen}
	if v, ok := versions[in.id]; ok {
		after.version = v
	}
	return true, after
}

// told is a history for people.
func told(ops []operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b operation) int { return int(a.call - b.call) })
	var b strings.Builder
	for _, o := range ops {
		what := fmt.Sprintf("read %x version %d", o.out.id, o.out.version)
		if !o.in.reading {
			what = fmt.Sprintf("write %x if version is %d, absent: %t, anyhow: %t: version %d, unmet: %t, unknown: %t",
				o.in.id, o.in.when, o.in.absent, o.in.anyhow, o.out.version, o.out.unmet, o.out.unknown)
		}
		fmt.Fprintf(&b, "\n    %d to %d, client %d: %s", o.call, o.back, o.client, what)
	}
	return b.String()
}
