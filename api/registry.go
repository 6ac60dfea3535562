package api

import (
	"context"
	"errors"
	"net/http"

	"skerry/fsm"
)

// maxDeviceBody bounds the body of a registration or a key, in bytes: a note and
// all patterns, escaped, fit.
const maxDeviceBody = 32 << 10

// putDevice registers a device, or replaces note and patterns of one: 201 when
// it is new, 200 when it was there. Its keys stay.
func (d *door) putDevice(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	create, err := onlyNew(r)
	if err != nil {
		return err
	}
	body, err := readBody(w, r, maxDeviceBody)
	if err != nil {
		return err
	}
	var in struct {
		Note   string   `json:"note"`
		Writes []string `json:"writes"`
	}
	if len(body) > 0 {
		if err := strictJSON(body, &in); err != nil {
			return problemf(http.StatusBadRequest, "device", "%s", err)
		}
	}
	cmd := fsm.PutDeviceCommand{Name: r.PathValue("device"), Note: in.Note, Writes: in.Writes, Create: create}
	if err := check(cmd); err != nil {
		return err
	}
	created, err := d.register(r.Context(), cmd)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return writeJSON(w, status, map[string]string{"device": cmd.Name})
}

// register proposes a registration. Without cmd.Create it replaces what is
// there, or creates what is not.
func (d *door) register(ctx context.Context, cmd fsm.PutDeviceCommand) (created bool, err error) {
	if cmd.Create {
		_, err := d.decide(ctx, cmd)
		if errors.Is(err, fsm.Refusal(fsm.Exists)) {
			return false, problemf(http.StatusPreconditionFailed, "exists", "device %q is registered already: leave If-None-Match out to replace its note and patterns", cmd.Name)
		}
		return true, err
	}
	for {
		_, err := d.decide(ctx, cmd)
		switch {
		case errors.Is(err, fsm.Refusal(fsm.NotFound)):
			cmd.Create = true
		case errors.Is(err, fsm.Refusal(fsm.Exists)): // somebody else was faster
			cmd.Create = false
		default:
			return cmd.Create, err
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}

// onlyNew tells whether a request wants to create and never to replace
// (RFC 9110 section 13.1.2).
func onlyNew(r *http.Request) (bool, error) {
	switch r.Header.Get("If-None-Match") {
	case "":
		return false, nil
	case "*":
		return true, nil
	}
	return false, problemf(http.StatusBadRequest, "condition", "If-None-Match is %q: only * is taken here", r.Header.Get("If-None-Match"))
}

// deleteDevice takes a device and its keys out of the registry. Its readings
// stay.
func (d *door) deleteDevice(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	name := r.PathValue("device")
	return d.remove(w, r, fsm.RemoveDeviceCommand{Name: name}, notRegistered(name))
}

// remove proposes a command that takes something away, and answers 204;
// missing is the answer where there is nothing to take.
func (d *door) remove(w http.ResponseWriter, r *http.Request, cmd fsm.Command, missing *problem) error {
	if err := check(cmd); err != nil {
		return err
	}
	_, err := d.decide(r.Context(), cmd)
	if errors.Is(err, fsm.Refusal(fsm.NotFound)) {
		return missing
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func notRegistered(device string) *problem {
	return problemf(http.StatusNotFound, "not-registered", "device %q is not registered: see /v1/devices for the names", device)
}

// check finds what is wrong with a command before it is proposed.
func check(cmd fsm.Command) error {
	op, body := fsm.Encode(cmd)
	if err := fsm.Check(op, body); err != nil {
		return problemf(http.StatusBadRequest, "device", "%s", err)
	}
	return nil
}
