package coap

import (
	"encoding/binary"
	"time"

	"skerry/coap/block"
	"skerry/coap/key"
	"skerry/coap/message"
)

// blocks are the bodies on their way in blocks, in and out, of all peers.
type blocks struct {
	secret    [16]byte // of the names of transfers, so that no peer can meet another's
	uploads   *block.Uploads
	downloads *block.Downloads
}

func newBlocks() *blocks {
	b := &blocks{
		uploads:   block.NewUploads(block.DefaultUploadLimits()),
		downloads: block.NewDownloads(block.DefaultDownloadLimits()),
	}
	fillRandom(b.secret[:])
	return b
}

// expire forgets what nobody goes on with.
func (b *blocks) expire(now time.Time) {
	b.uploads.Expire(now)
	b.downloads.Expire(now)
}

// Who sends, in the names of transfers: an endpoint of plain UDP or a session.
const (
	byEndpoint = 'e'
	bySession  = 's'
	byQuestion = 'q' // not who, but the body of their FETCH
)

// name names the transfer that a request belongs to, and its peer: a client goes
// on with it from the same endpoint or in the same session, with the same
// options; tokens may change (RFC 7959 sections 2.4 and 2.5).
func (b *blocks) name(from *source, m *message.Message) (block.ID, block.Peer) {
	said := make([]byte, 0, 256)
	if from.session != nil {
		said = append(said, bySession)
		said = binary.LittleEndian.AppendUint64(said, from.session.id)
	} else {
		ip := from.from.Addr().As16()
		said = append(said, byEndpoint)
		said = append(said, ip[:]...)
		said = binary.LittleEndian.AppendUint16(said, from.from.Port())
	}
	peer := block.Peer(key.Sum128(&b.secret, said))
	return block.ID(key.Sum128(&b.secret, m.AppendCacheKey(said))), peer
}

// keepQuestion keeps the body of a FETCH beside the answers, and as long as
// they, for a copy of the last block.
func (b *blocks) keepQuestion(now time.Time, last *block.Block, body []byte) {
	b.uploads.Finish(last.ID, block.Note{})
	b.downloads.Put(now, b.question(last.ID), last.Peer, block.Representation{Body: body})
}

// question is the name under which the body of a FETCH is kept.
func (b *blocks) question(transfer block.ID) block.ID {
	return block.ID(key.Sum128(&b.secret, append([]byte{byQuestion}, transfer[:]...)))
}

// withBody is the name of a transfer whose request is told from others by its
// body too.
func (b *blocks) withBody(transfer block.ID, body []byte) block.ID {
	return block.ID(key.Sum128(&b.secret, append(transfer[:], body...)))
}
