package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"skerry/fsm"
)

// deviceRow is a device as a list shows it.
type deviceRow struct {
	Device     string   `json:"device"`
	Resources  []string `json:"resources"`
	Received   string   `json:"received,omitempty"` // of its last reading or frame
	Registered bool     `json:"registered"`
	Keys       int      `json:"keys"`
	Note       string   `json:"note,omitempty"`
}

// getDevices answers with all devices by name: those that have posted and those
// that are registered.
func (d *door) getDevices(w http.ResponseWriter, r *http.Request) error {
	view, err := d.askedView(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string][]deviceRow{"devices": deviceRows(view)})
}

// askedView is the view for a request whose one parameter is the consistency.
func (d *door) askedView(r *http.Request) (View, error) {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	if err := q.err(); err != nil {
		return nil, err
	}
	return d.view(r.Context(), consistency)
}

func deviceRows(view View) []deviceRow {
	rows := []deviceRow{}
	at := map[string]int{}
	for _, dev := range view.Devices() {
		at[dev.Name] = len(rows)
		rows = append(rows, deviceRow{Device: dev.Name, Resources: dev.Resources, Received: formatTime(dev.Received)})
	}
	for _, dev := range view.RegisteredDevices() {
		i, posted := at[dev.Name]
		if !posted {
			i = len(rows)
			rows = append(rows, deviceRow{Device: dev.Name, Resources: []string{}})
		}
		rows[i].Registered, rows[i].Keys, rows[i].Note = true, len(dev.Keys), dev.Note
	}
	slices.SortFunc(rows, func(a, b deviceRow) int { return strings.Compare(a.Device, b.Device) })
	return rows
}

// deviceCard is one device as JSON shows it.
type deviceCard struct {
	Device     string            `json:"device"`
	Registered *registrationCard `json:"registered"` // nil for a device that is not
	Latest     []row             `json:"latest"`
	Seen       any               `json:"seen"` // the asked node's diary, nil for none
}

// registrationCard is a device's record in the registry. It has no secrets: a
// key is shown once, when it is made.
type registrationCard struct {
	Note    string    `json:"note"`
	Writes  []string  `json:"writes"`
	Created string    `json:"created"`
	Keys    []keyCard `json:"keys"`
}

type keyCard struct {
	Identity string `json:"identity"`
	Created  string `json:"created"`
	// ExpiresIn is how long the key is still taken, in seconds of the site's
	// clock; nil for ever.
	ExpiresIn *float64 `json:"expires_in,omitempty"`
}

func cardOf(dev *fsm.DeviceRecord, now fsm.LogTime) *registrationCard {
	card := &registrationCard{Note: dev.Note, Writes: append([]string{}, dev.Writes...), Created: formatTime(dev.Created), Keys: []keyCard{}}
	for _, k := range dev.Keys {
		key := keyCard{Identity: k.Identity, Created: formatTime(k.Created)}
		if k.Expires != 0 {
			left := (time.Duration(max(0, k.Expires-now)) * time.Microsecond).Seconds()
			key.ExpiresIn = &left
		}
		card.Keys = append(card.Keys, key)
	}
	return card
}

// getDevice answers with all there is about one device: its registration, the
// latest reading of each of its resources, and what this node's door noted.
func (d *door) getDevice(w http.ResponseWriter, r *http.Request) error {
	view, err := d.askedView(r)
	if err != nil {
		return err
	}
	name := r.PathValue("device")
	card := deviceCard{Device: name, Latest: rowsOf(view.LatestOf(name))}
	dev, known := view.Registered(name)
	if known {
		card.Registered = cardOf(&dev, view.LogTime())
	}
	if d.Diary != nil {
		if entry, heard := d.Diary(name); heard {
			card.Seen, known = entry, true
		}
	}
	if !known && len(card.Latest) == 0 {
		return problemf(http.StatusNotFound, "no-such-device", "no reading of device %q is stored, it is not registered, and this node has not heard it: see /v1/devices for the names", name)
	}
	return writeJSON(w, http.StatusOK, card)
}
