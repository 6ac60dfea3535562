package coap

// assemble gathers a body that comes in blocks (RFC 7959). A reply asks for the
// next block; without one q.body is whole.
func (d *desk) assemble(q *call) (*reply, error) {
	return nil, nil
}

// ask is how the client of a GET or FETCH wants its representation.
type ask struct {
	accept uint32
	choosy bool // accept is meant
	etags  [][]byte
}

// shape gives an answer with content the form its client asked for.
func (s *Server) shape(a *ask, r *reply) *reply { return a.validate(r) }
