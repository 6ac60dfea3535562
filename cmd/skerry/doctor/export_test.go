package doctor

// What the tests look at from outside.
var (
	MountOf  = mountOf
	MemoryOf = memoryOf
)

// Judged is what is said of a filesystem whose fsyncs take so long.
func Judged(f Filesystem, s Sync) Report {
	r := Report{Filesystem: f, Sync: s}
	r.judgeFilesystem()
	r.judgeSync()
	return r
}
