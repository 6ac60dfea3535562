// Package bench loads a site with readings over CoAP and says what it took.
//
// The load is a closed loop: each client has a UDP socket of its own and one
// confirmable request in flight; when its answer comes the next request goes.
// The generator shares the machine with the nodes it measures, so it spends
// little: its datagrams are patched in place, its sockets are served in groups
// by epoll, and nothing is allocated for a request. It encodes CoAP, SenML and
// CBOR by itself, which makes it a small second opinion on the nodes' codecs.
package bench
