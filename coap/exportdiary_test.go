package coap

// MaxDiary is how many devices the diary has.
const MaxDiary = maxDiary

// IDs lets a test tell message ids one by one.
type IDs struct{ ids run }

// Take notes an id and tells whether it had come before.
func (i *IDs) Take(id uint16) bool { return i.ids.take(id) }

// Tally is what the ids tell.
func (i *IDs) Tally() (expected, missing, restarts uint32) {
	return i.ids.expected, i.ids.missing, i.ids.restarts
}
