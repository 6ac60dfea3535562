package api

import (
	"net/http"

	"skerry/cluster"
)

// deviceRow is a device as JSON shows it.
type deviceRow struct {
	Device    string   `json:"device"`
	Resources []string `json:"resources"`
	Received  string   `json:"received"` // of its last reading or frame
}

// getDevices answers with all devices by name.
func (d *door) getDevices(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	rows := []deviceRow{}
	for _, dev := range view.Devices() {
		rows = append(rows, deviceRowOf(dev))
	}
	return writeJSON(w, http.StatusOK, map[string][]deviceRow{"devices": rows})
}

func deviceRowOf(dev cluster.Device) deviceRow {
	return deviceRow{Device: dev.Name, Resources: dev.Resources, Received: formatTime(dev.Received)}
}

// getDevice answers with the latest reading of each resource of a device.
func (d *door) getDevice(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "consistency")
	consistency := q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	name := r.PathValue("device")
	latest := view.LatestOf(name)
	if len(latest) == 0 {
		return problemf(http.StatusNotFound, "no-such-device", "no reading of device %q is stored: see /v1/devices for the names", name)
	}
	return writeJSON(w, http.StatusOK, struct {
		Device string `json:"device"`
		Latest []row  `json:"latest"`
	}{name, rowsOf(latest)})
}
