// Package e2e holds the tests that use skerry as its users do: the real
// binary, several processes, real CoAP clients and cameras, real readers of the
// bucket, and kill -9. clients holds the devices that run on other CoAP stacks,
// plugtests the conversations behind docs/coap-conformance.md. The tests are
// built with the tag e2e; `make e2e` builds the binary, fetches the peers and
// runs them.
//
// Set SKERRY_BIN to test another binary, SKERRY_PEERS to keep the peers
// elsewhere than in the user's cache, E2E_KEEP to a folder in which the nodes'
// data and logs stay.
package e2e
