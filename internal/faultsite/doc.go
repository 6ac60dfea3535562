// Package faultsite is the fault laboratory with real processes: a site of
// skerry's own binary, each node on a machine of its own as far as the network
// goes (a network namespace with an address on one Ethernet) and on a disk that
// the laboratory breaks (faultfs, or a small loop filesystem).
//
// A campaign breaks it in one way, again and again, while devices post over CoAP
// and HTTP; nodes that end are started again, as systemd does. At its end the
// oracles are asked:
//
//   - every reading that was acknowledged is on every node, once, or, where the
//     site has dropped it for want of space, in the bucket, or counted by a gap;
//   - no reading that was refused is anywhere;
//   - the seqs have no holes;
//   - all nodes that showed the same index showed the same digest;
//   - the bucket is sound and ends where the site does;
//   - every node came up by itself.
//
// What breaks one of these is a Violation. A campaign is made of draws from one
// seed, but the moments are the machine's own: a seed says what is done, not
// what comes of it.
//
// Isolate comes first: it moves the process into a network of its own, which
// ends with it and all its children.
package faultsite
