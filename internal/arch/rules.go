package arch

import "strings"

// Module is the prefix of skerry's own import paths.
const Module = "skerry"

// room is a folder with all below it and the rooms of skerry it may import.
// The folder itself is always allowed.
type room struct {
	dir     string
	sees    []string
	exactly bool // sees only: not even its own sub-rooms
}

// rooms are asked in this order: the first that holds a file decides.
var rooms = []room{
	{dir: "fsm/segment", sees: []string{"fsm"}, exactly: true},
	{dir: "fsm", exactly: true},
	{dir: "cluster/address", sees: []string{"fsm"}},
	{dir: "cluster/archive"},
	{dir: "cluster/disk"},
	{dir: "cluster/gentle"},
	{dir: "cluster/gossip"},
	{dir: "cluster/logstore", sees: []string{"cluster/disk"}},
	{dir: "cluster/summed"},
	{dir: "cluster/transport"},
	{dir: "cluster", sees: []string{"fsm", "fsm/segment"}},
	{dir: "coap/senml", sees: []string{"fsm"}},
	{dir: "coap/block", sees: []string{"coap/message"}},
	{dir: "coap/datagram"},
	{dir: "coap/exchange", sees: []string{"coap/message"}},
	{dir: "coap/link"},
	{dir: "coap/message"},
	{dir: "coap/observe", sees: []string{"coap/message"}},
	{dir: "coap/secure", sees: []string{"coap/datagram"}},
	{dir: "coap/stream", sees: []string{"coap/message"}},
	{dir: "coap", sees: []string{"cluster", "fsm"}},
	{dir: "device/camera", sees: []string{"cluster", "fsm"}},
	{dir: "device", sees: []string{"cluster", "fsm"}},
	{dir: "task", sees: []string{"cluster", "fsm"}},
	{dir: "cloudsync/target"},
	{dir: "cloudsync/delta", sees: []string{"fsm"}},
	{dir: "cloudsync", sees: []string{"cluster", "cluster/gentle", "fsm", "fsm/segment"}},
	{dir: "api", sees: []string{"cluster", "fsm", "fsm/segment"}},
}

// unruled are folders that may import any room: the program joins them all, and
// internal and e2e are there for tests.
var unruled = []string{"cmd", "internal", "e2e"}

// door is a dependency, with all paths below it, and the only folders that may
// import it.
type door struct {
	path string
	by   []string
}

var doors = []door{
	{"github.com/hashicorp/raft", []string{"cluster"}},
	{"github.com/hashicorp/raft-autopilot", []string{"cluster"}},
	{"github.com/hashicorp/raft-boltdb", []string{"cluster"}},
	{"github.com/hashicorp/raft-wal", []string{"cluster"}},
	{"github.com/hashicorp/memberlist", []string{"cluster"}},
	{"github.com/plgd-dev/go-coap", []string{"coap"}},
	{"github.com/pion/dtls", []string{"coap"}},
	{"github.com/vishvananda/netlink", []string{"cluster"}},
	{"github.com/parquet-go", []string{"fsm/segment", "cloudsync"}},
	{"github.com/hanwen/go-fuse", []string{"internal/faultfs"}},
	{"github.com/urfave/cli", []string{"cmd"}},
	{"github.com/anishathalye/porcupine", []string{"internal"}},
	{"github.com/pelletier/go-toml", []string{"cmd"}},
}

// impure are packages of the standard library that would let the outside world
// into fsm, where the same commands must give the same state everywhere.
var impure = []string{"os", "net", "math/rand", "crypto/rand", "log", "runtime"}

// within tells whether path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

func withinAny(path string, dirs []string) bool {
	for _, dir := range dirs {
		if within(path, dir) {
			return true
		}
	}
	return false
}
