package main

import (
	"testing"

	"skerry/cluster"
)

func TestTextsBecomeWordsOfAShell(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a plain word", "hall/pump-7", "hall/pump-7"},
		{"a space", "my key", "'my key'"},
		{"a quote", "it's", `'it'\''s'`},
		{"a dollar", "$HOME", "'$HOME'"},
		{"nothing", "", "''"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shellWord(c.in); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNodesWhoseDiaryCannotBeReadAreNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		m    cluster.Member
		why  string
	}{
		{"a node that is down", cluster.Member{HTTP: "10.0.0.2:7480", Address: "10.0.0.2:7420"}, "is not alive"},
		{"a node that did not tell", cluster.Member{Alive: true, Address: "10.0.0.2:7420"}, "has not told where its HTTP door is"},
		{"a node whose door is for its own machine", cluster.Member{Alive: true, HTTP: "127.0.0.1:7480", Address: "10.0.0.2:7420"}, "opens its HTTP door to its own machine alone: ask there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, why := diaryOf(nil, &c.m, "pump"); why != c.why {
				t.Errorf("it %s, want %s", why, c.why)
			}
		})
	}
}
