// Package block is block-wise transfer (RFC 7959): bodies larger than one
// message should be, in blocks of 16 to 1,024 bytes, and over streams in several of
// these at once (RFC 8323 section 6). Uploads puts the blocks of
// requests (Block1) together, Downloads keeps large answers while they are read
// (Block2), and Slice cuts a block out of a body.
//
// The package has no socket and no clock: each call says what time it is, and
// what to answer is told by a Kind. It does not know what a body is good for.
//
// # Which blocks belong together
//
// The caller makes an ID of who sends, the method, the options that are part of
// the cache key (RFC 7252 section 5.4.2) and the Request-Tag (RFC 9175 section
// 3.3). The token is no part of it: many clients take a new one for each block.
//
// # What one peer can do to others
//
// Memory for uploads is in two budgets. A quarter is for transfers of which one
// block has come: anybody can open one, with a forged address too, so the
// longest idle one makes place for the next. The rest is for those that go on;
// they are only dropped where they have been idle for a while, or where their
// peer holds more than twice of what the one that needs place does. A transfer
// counts for what its bytes take and for what keeping it takes, so the bound of
// bytes is one of transfers as well.
package block
