// Package device is what stands at the site's edge and speaks for things: its
// rooms are camera (motion events with key frames), sim (sensors that do not
// exist) and replay (readings out of a CSV file).
//
// This package holds what sim and replay share. A Message is one CoAP post, a
// Sender brings it to one gateway, a Courier repeats it under one identity from
// gateway to gateway until somebody answers, and a Ledger keeps what was sent
// and what became of it, so that the history of any node can be held against
// it: Compare counts what was acknowledged and is missing, and what is there
// more than once.
//
// Nothing here knows CoAP itself. The program that wires the parts gives a
// Sender for each gateway.
package device
