package replay

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"skerry/device"
	"skerry/fsm"
)

// maxLine bounds a line of a file, in bytes.
const maxLine = 1 << 20

// ErrNoTable: the file is not a table of readings.
var ErrNoTable = errors.New("not a table of readings")

// table reads a CSV file row by row.
type table struct {
	lines     *bufio.Scanner
	line      int // number of the line last read, from 1
	separator rune
	loc       *time.Location
	shape     shape
	first     []string // a first row that was no header, to be read again
	missing   int      // cells without a value
}

// shape says what each column is. Of a wide table the columns other than time
// are resources of one device.
type shape struct {
	wide                          bool
	columns                       int
	time, device, resource, value int
	unit                          int // -1 without one
	name                          string
	resources                     []string // of a wide table, by column
}

// rowError is what is wrong with one line.
type rowError struct {
	line int
	err  error
}

func (e *rowError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *rowError) Unwrap() error { return e.err }

// newTable reads the header, or a first row that shows the file's shape. name
// is the device of a wide table. It fails with ErrNoTable.
func newTable(r io.Reader, name string, loc *time.Location) (*table, error) {
	t := &table{lines: bufio.NewScanner(r), loc: loc}
	t.lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	text, err := t.scan()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it is empty", ErrNoTable)
	}
	if err != nil {
		return nil, err
	}
	text = strings.TrimPrefix(text, "\ufeff")
	t.separator = separatorOf(text)
	row, err := t.split(text)
	if err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrNoTable, err)
	}
	t.shape, err = t.shapeOf(row, name)
	return t, err
}

// next returns the readings of the next row. It fails with a *rowError, after
// which it may be called again, or io.EOF.
func (t *table) next() ([]device.Reading, error) {
	row := t.first
	if t.first = nil; row == nil {
		text, err := t.scan()
		if err != nil {
			return nil, err
		}
		if row, err = t.split(text); err != nil {
			return nil, &rowError{t.line, err}
		}
	}
	readings, err := t.readings(row)
	if err != nil {
		return nil, &rowError{t.line, err}
	}
	return readings, nil
}

// scan returns the next line that is not empty.
func (t *table) scan() (string, error) {
	for t.lines.Scan() {
		t.line++
		if text := t.lines.Text(); strings.TrimSpace(text) != "" {
			return text, nil
		}
	}
	if err := t.lines.Err(); err != nil {
		return "", fmt.Errorf("read line %d: %w", t.line+1, err)
	}
	return "", io.EOF
}

func separatorOf(header string) rune {
	for _, s := range ",;\t" {
		if strings.ContainsRune(header, s) {
			return s
		}
	}
	return ','
}

func (t *table) split(text string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = t.separator, -1, t.separator != '\t'
	row, err := r.Read()
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		err = parse.Err // its line number is always 1
	}
	return row, err
}

// shapeOf tells the shape of a table from its first row.
func (t *table) shapeOf(row []string, name string) (shape, error) {
	if len(row) < 2 {
		return shape{}, fmt.Errorf("%w: it has one column, at least a time and a value are needed", ErrNoTable)
	}
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	if _, err := parseTime(row[0], t.loc); err == nil {
		t.first = row
		return headless(row, name)
	}
	s := shape{columns: len(row), name: name}
	find := func(names ...string) int {
		return slices.IndexFunc(row, func(c string) bool { return slices.Contains(names, strings.ToLower(c)) })
	}
	s.time = find("time", "timestamp", "date", "datetime", "date_time", "ts")
	s.device, s.resource = find("device"), find("resource")
	s.value, s.unit = find("value"), find("unit")
	switch {
	case s.time < 0:
		return s, fmt.Errorf("%w: no column is named time, date or timestamp", ErrNoTable)
	case s.device >= 0 && s.resource >= 0 && s.value >= 0:
		return s, nil
	}
	s.wide, s.resources = true, row
	return s, s.validate()
}

// headless is the shape of a table whose first row holds readings: long with
// the columns time, device, resource, value if the second one is a word, else
// wide with numbered resources.
func headless(row []string, name string) (shape, error) {
	s := shape{columns: len(row), name: name, device: 1, resource: 2, value: 3, unit: -1}
	if len(row) == 4 && isText(row[1]) && isText(row[2]) {
		return s, nil
	}
	s.wide, s.resources = true, make([]string, len(row))
	for i := range s.resources {
		s.resources[i] = "column-" + strconv.Itoa(i+1)
	}
	if len(row) == 2 {
		s.resources[1] = "value"
	}
	return s, s.validate()
}

// validate checks a wide table's names.
func (s *shape) validate() error {
	for i, resource := range s.resources {
		r := fsm.Record{Device: s.name, Resource: resource, Value: fsm.FlagValue(true)}
		if err := r.Validate(); err != nil && i != s.time {
			return fmt.Errorf("%w: column %d: %w", ErrNoTable, i+1, err)
		}
	}
	return nil
}

// readings are those of one row.
func (t *table) readings(row []string) ([]device.Reading, error) {
	s := &t.shape
	if len(row) != s.columns {
		return nil, fmt.Errorf("it has %d columns, the header has %d", len(row), s.columns)
	}
	at, err := parseTime(strings.TrimSpace(row[s.time]), t.loc)
	if err != nil {
		return nil, err
	}
	var out []device.Reading
	add := func(name, resource, unit, cell string) error {
		if cell = strings.TrimSpace(cell); isMissing(cell) {
			t.missing++
			return nil
		}
		v, err := valueOf(cell)
		if err != nil {
			return err
		}
		r := device.Reading{Device: name, Resource: resource, Unit: unit, Time: at, Value: v}
		rec := fsm.Record{Device: r.Device, Resource: r.Resource, Unit: r.Unit, Value: r.Value}
		out = append(out, r)
		return rec.Validate()
	}
	if !s.wide {
		unit := ""
		if s.unit >= 0 {
			unit = strings.TrimSpace(row[s.unit])
		}
		err := add(strings.TrimSpace(row[s.device]), strings.TrimSpace(row[s.resource]), unit, row[s.value])
		return out, err
	}
	for i, cell := range row {
		if i == s.time {
			continue
		}
		if err := add(s.name, s.resources[i], "", cell); err != nil {
			return nil, fmt.Errorf("column %s: %w", s.resources[i], err)
		}
	}
	return out, nil
}

func isMissing(cell string) bool {
	switch strings.ToLower(cell) {
	case "", "na", "n/a", "nan", "null":
		return true
	}
	return false
}

// maxInteger is where a double begins to leave out integers; from there on SenML
// integers are refused (RFC 7493 section 2.2).
const maxInteger = 1 << 53

// valueOf is what a cell holds: a decimal number, true or false, else text. It
// fails with a number that no double holds, so that a series of numbers stays
// one.
func valueOf(cell string) (fsm.Value, error) {
	switch cell {
	case "true":
		return fsm.FlagValue(true), nil
	case "false":
		return fsm.FlagValue(false), nil
	}
	if strings.Trim(cell, "0123456789+-.eE") != "" {
		return fsm.TextValue(cell), nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), !strings.ContainsAny(cell, ".eE") && math.Abs(v) >= maxInteger:
		return fsm.Value{}, fmt.Errorf("value %s is not a number that a double holds", cell)
	case err != nil:
		return fsm.TextValue(cell), nil // 2010-01-01
	}
	return fsm.NumberValue(v), nil
}

func isText(cell string) bool {
	v, err := valueOf(cell)
	return err == nil && v.Kind == fsm.Text
}
