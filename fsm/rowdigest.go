package fsm

import "math"

// RowDigest is the sum modulo 2^128 of a 128-bit hash of each row, so that it
// does not depend on the rows' order. It finds rot and mistakes, not forgery.
type RowDigest [2]uint64

// Add adds another digest to d.
func (d *RowDigest) Add(o RowDigest) {
	d[0] += o[0]
	d[1] += o[1]
}

// HashString is the part of a row's hash that a name contributes; callers that
// meet a name often keep it.
func HashString(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h ^ uint64(len(s)))
}

// HashRow is the digest of one row from its parts: series is
// HashSeries(device, resource), unit is HashString(unit), and value is
// HashValue of the kind's bits or bytes.
func HashRow(seq Seq, series, unit uint64, time, received int64, value uint64) RowDigest {
	a := mix(uint64(seq)+0x9e3779b97f4a7c15) ^ series
	a = mix(a) ^ unit
	a = mix(a) ^ uint64(time)
	a = mix(a) ^ uint64(received)
	a = mix(a) ^ value
	return RowDigest{mix(a), mix(a ^ 0xd6e8feb86659fd93)}
}

// HashSeries combines the names of a series.
func HashSeries(device, resource string) uint64 {
	return mix(HashString(device)*3 + HashString(resource))
}

// HashBits is the value part of a number (its IEEE 754 bits) or a flag (0, 1).
func HashBits(k Kind, bits uint64) uint64 { return mix(bits + uint64(k)<<56 ^ uint64(k)) }

// HashBytes is the value part of a text or of bytes.
func HashBytes(k Kind, b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return mix(h ^ uint64(len(b))<<8 ^ uint64(k))
}

// HashReading is the digest of a whole reading; of one that was erased, that of
// what it was.
func HashReading(r *Reading) RowDigest {
	if IsErased(r.Device) {
		return HashErased(r.Value.Data)
	}
	return HashRow(r.Seq, HashSeries(r.Device, r.Resource), HashString(r.Unit), r.Time, r.Received, HashValue(r.Value))
}

// HashValue is the value part of a row's hash.
func HashValue(v Value) uint64 {
	switch v.Kind {
	case Number:
		return HashBits(Number, math.Float64bits(v.Number))
	case Flag:
		if v.Flag {
			return HashBits(Flag, 1)
		}
		return HashBits(Flag, 0)
	case Text:
		return HashBytes(Text, []byte(v.Text))
	}
	return HashBytes(v.Kind, v.Data)
}

// hashStored is HashValue of a value as a state keeps it: bits of a number or
// a flag, payload of a text or of data.
func hashStored(k Kind, bits uint64, payload []byte) uint64 {
	if k == Text || k == Data {
		return HashBytes(k, payload)
	}
	return HashBits(k, bits)
}

// HashFrame is the digest of one frame row; of one that was erased, that of what
// it was.
func HashFrame(f *Frame) RowDigest {
	if IsErased(f.Device) {
		return HashErased(f.SHA256[:])
	}
	v := HashBytes(Data, f.SHA256[:]) ^ mix(uint64(f.Width)<<32|uint64(f.Height)) ^ uint64(f.Size)
	return HashRow(f.Seq, HashSeries(f.Device, f.Resource), 0, f.Time, f.Received, v)
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
