package message

// Options calls yield with each option, in order.
func (m *Message) Options(yield func(Number, []byte) bool) {
	for i := range m.options {
		if !yield(Number(m.options[i].ID), m.options[i].Value) {
			return
		}
	}
}
