package senml

// label is a SenML field by its CBOR number (RFC 8428 section 6).
type label int8

const (
	labelBS   label = -6
	labelBV   label = -5
	labelBU   label = -4
	labelBT   label = -3
	labelBN   label = -2
	labelBVer label = -1
	labelN    label = 0
	labelU    label = 1
	labelV    label = 2
	labelVS   label = 3
	labelVB   label = 4
	labelS    label = 5
	labelT    label = 6
	labelUT   label = 7
	labelVD   label = 8
)

const (
	firstLabel = labelBS
	lastLabel  = labelVD
)

// labelNames are the JSON names, from firstLabel on.
var labelNames = [...]string{"bs", "bv", "bu", "bt", "bn", "bver", "n", "u", "v", "vs", "vb", "s", "t", "ut", "vd"}

func (l label) String() string { return labelNames[l-firstLabel] }

// labelOf finds a label by its JSON name.
func labelOf(name string) (label, bool) {
	for i, known := range labelNames {
		if name == known {
			return firstLabel + label(i), true
		}
	}
	return 0, false
}

// labels is a set of labels.
type labels uint16

func (s labels) has(l label) bool { return s&(1<<(l-firstLabel)) != 0 }
func (s *labels) add(l label)     { *s |= 1 << (l - firstLabel) }

const (
	baseLabels  labels = 1<<(labelN-firstLabel) - 1 // all below n
	valueLabels labels = 1<<(labelV-firstLabel) | 1<<(labelVS-firstLabel) | 1<<(labelVB-firstLabel) | 1<<(labelVD-firstLabel)
	// notFetched are the labels of values, sums and their bases: a Fetch Record
	// selects by name, unit and time alone.
	notFetched labels = valueLabels | 1<<(labelS-firstLabel) | 1<<(labelBV-firstLabel) | 1<<(labelBS-firstLabel)
)
