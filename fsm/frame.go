package fsm

// Frame is a camera's picture as the site keeps it. Its bytes are not in the
// state: Apply hands them to the node, which keeps them on disk.
type Frame struct {
	Seq      Seq // of the frames' own sequence
	Device   string
	Resource string
	Time     int64 // microseconds since 1970 UTC
	Received int64 // microseconds since 1970 UTC
	Width    uint32
	Height   uint32
	Size     uint32   // bytes of the JPEG
	SHA256   [32]byte // of the JPEG
}
