package fsm

import (
	"encoding/binary"
	"fmt"
)

// Layout of the body of OpFrame, the encoding of a FrameCommand. It begins as
// a sub-batch does, so that SetBorn and SetWaited serve both.
//
//	offset size
//	0      1    format version, 1
//	1      8    born, log time in microseconds
//	9      8    waited, microseconds
//	17     16   key
//	33     8    content, 0 for none
//	41     8    time, microseconds
//	49     1    1 when the time is relative, else 0
//	50     4    width, pixels
//	54     4    height, pixels
//	58          device, resource, JPEG: each uvarint length and bytes
const frameVersion = 1

// EncodeFrame appends the body of an OpFrame entry to b.
func EncodeFrame(b []byte, f *FrameCommand) []byte {
	b = append(b, frameVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Born))
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Waited))
	b = append(b, f.Key[:]...)
	b = binary.LittleEndian.AppendUint64(b, f.Content)
	b = binary.LittleEndian.AppendUint64(b, uint64(f.Time))
	var relative byte
	if f.Relative {
		relative = 1
	}
	b = append(b, relative)
	b = binary.LittleEndian.AppendUint32(b, f.Width)
	b = binary.LittleEndian.AppendUint32(b, f.Height)
	b = binary.AppendUvarint(b, uint64(len(f.Device)))
	b = append(b, f.Device...)
	b = binary.AppendUvarint(b, uint64(len(f.Resource)))
	b = append(b, f.Resource...)
	b = binary.AppendUvarint(b, uint64(len(f.JPEG)))
	return append(b, f.JPEG...)
}

// DecodeFrame is the inverse of EncodeFrame and checks what it reads. JPEG
// shares memory with body. Errors: ErrNewer, ErrCorrupt, and Validate's.
func DecodeFrame(body []byte) (*FrameCommand, error) {
	if len(body) > 0 && body[0] > frameVersion {
		return nil, fmt.Errorf("frame has format %d, this program reads up to %d: %w", body[0], frameVersion, ErrNewer)
	}
	c := cursor{b: body}
	version := c.byte()
	f := &FrameCommand{Born: LogTime(c.uint64()), Waited: int64(c.uint64())}
	copy(f.Key[:], c.bytes(len(f.Key)))
	f.Content = c.uint64()
	f.Time = int64(c.uint64())
	relative := c.byte()
	f.Relative = relative == 1
	f.Width, f.Height = c.uint32(), c.uint32()
	f.Device = string(c.bytes(c.count(MaxDevice)))
	f.Resource = string(c.bytes(c.count(MaxResource)))
	f.JPEG = c.bytes(c.count(MaxFrame))
	if c.bad || c.at != len(body) || version != frameVersion || relative > 1 || f.Waited < 0 || f.Waited > maxWaited {
		return nil, fmt.Errorf("frame of %d bytes does not have a frame's layout: %w", len(body), ErrCorrupt)
	}
	return f, f.Validate()
}

// Validate tells what is wrong with a frame, in words for its sender.
func (f *FrameCommand) Validate() error {
	r := Record{Device: f.Device, Resource: f.Resource, Time: f.Time, Relative: f.Relative, Value: FlagValue(true)}
	if err := r.Validate(); err != nil {
		return err
	}
	if len(f.JPEG) == 0 {
		return fmt.Errorf("frame is empty")
	}
	if len(f.JPEG) > MaxFrame {
		return fmt.Errorf("frame has %d bytes, at most %d are taken", len(f.JPEG), MaxFrame)
	}
	return nil
}
