package store

import (
	"bytes"
	"encoding/binary"

	"xyra"
	"xyra/money"
)

var copyEventsText = "COPY events (" + eventColumns + ") FROM STDIN (FORMAT binary)"

// copyHead begins COPY's binary format: its signature, no flags and no extension of the head. copyEnd ends it.
const (
	copyHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	copyEnd  = "\xff\xff"
)

// eventFields is how many columns eventColumns has.
const eventFields = 18

func appendEventRow(b []byte, e *xyra.Event) []byte {
	b = binary.BigEndian.AppendUint16(b, eventFields)
	b = appendCopyBigint(b, int64(e.Organization))
	b = binary.BigEndian.AppendUint16(appendCopyLength(b, 2), uint16(e.Kind))
	b = appendCopyBigint(b, int64(e.ID))
	b = appendCopyBigint(b, int64(e.Agent))
	b = appendCopyString(b, e.Type)
	b = appendCopyNumeric(b, e.Quantity)
	b = appendCopyString(b, string(e.Currency))
	b = appendCopyBigint(b, micros(e.Timestamp))
	b = appendCopyBigint(b, micros(e.RecordedAt))
	b = binary.BigEndian.AppendUint32(appendCopyLength(b, 4), uint32(e.Period))
	b = appendCopyOrNull(b, e.Details)
	verified := byte(0)
	if e.Verified {
		verified = 1
	}
	b = append(appendCopyLength(b, 1), verified)
	b = appendCopyString(b, e.Source)
	if e.IdempotencyKey == "" {
		b = appendCopyLength(b, copyNull)
	} else {
		b = appendCopyString(b, e.IdempotencyKey)
	}
	if e.Digest == nil {
		b = appendCopyLength(b, copyNull)
	} else {
		b = append(appendCopyLength(b, len(e.Digest)), e.Digest...)
	}
	b = appendCopyNumeric(b, e.Charge)
	b = appendCopyBigint(b, int64(e.Version))
	return appendCopyString(b, e.RecordedBy)
}

// copyNull is the length of no value.
const copyNull = -1

func appendCopyLength(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(int32(n)))
}

func appendCopyBigint(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(appendCopyLength(b, 8), uint64(n))
}

func appendCopyString(b []byte, s string) []byte { return append(appendCopyLength(b, len(s)), s...) }

// appendCopyOrNull writes no value for no bytes.
func appendCopyOrNull(b, text []byte) []byte {
	if len(text) == 0 {
		return appendCopyLength(b, copyNull)
	}
	return append(appendCopyLength(b, len(text)), text...)
}

// The head of PostgreSQL's binary NUMERIC: the number of its digits, each of which counts to 10,000; the place of the first,
// where 0 is the one before the point; the sign; how many decimal places it shows.
const (
	numericHead     = 8
	numericPositive = 0x0000
	numericNegative = 0x4000
)

// appendCopyNumeric writes a decimal in the binary format of NUMERIC, which keeps its canonical text digit for digit. It has
// room for far more digits than money.ParseExact reads.
func appendCopyNumeric(b []byte, d money.Decimal) []byte {
	var room [64]byte
	text := d.AppendTo(room[:0])
	sign := uint16(numericPositive)
	if text[0] == '-' {
		sign, text = numericNegative, text[1:]
	}
	point := bytes.IndexByte(text, '.')
	whole, places := text[:point], text[point+1:]
	if len(whole) == 1 && whole[0] == '0' {
		whole = nil
	}
	if len(places) == 1 && places[0] == '0' {
		places = nil
	}
	start := len(b)
	b = append(b, make([]byte, 4+numericHead)...)
	first := (len(whole) + 3) / 4
	for len(whole) > 0 {
		n := (len(whole)-1)%4 + 1
		b, whole = appendNumericDigit(b, whole[:n], n), whole[n:]
	}
	shown := len(places)
	for len(places) > 0 {
		n := min(4, len(places))
		b, places = appendNumericDigit(b, places[:n], 4), places[n:]
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	head := b[start+4:]
	binary.BigEndian.PutUint16(head, uint16((len(head)-numericHead)/2))
	binary.BigEndian.PutUint16(head[2:], uint16(int16(first-1)))
	binary.BigEndian.PutUint16(head[4:], sign)
	binary.BigEndian.PutUint16(head[6:], uint16(shown))
	return b
}

// appendNumericDigit writes decimal digits as one of NUMERIC's, filled up with zeros to that many.
func appendNumericDigit(b, digits []byte, width int) []byte {
	value := uint16(0)
	for _, c := range digits {
		value = 10*value + uint16(c-'0')
	}
	for n := len(digits); n < width; n++ {
		value *= 10
	}
	return binary.BigEndian.AppendUint16(b, value)
}
