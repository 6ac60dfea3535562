package client_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"skerry/cmd/skerry/client"
)

func TestDevicesAreAskedForAsTheContractWritesThem(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*client.Client) error
		want string
	}{
		{"a device is only created", func(c *client.Client) error {
			return c.Register(t.Context(), "hall/3", "by the door", []string{"hall/*"})
		}, `PUT /v1/devices/hall%2F3 none=* application/json {"note":"by the door","writes":["hall/*"]}`},
		{"a device is taken out", func(c *client.Client) error { return c.Unregister(t.Context(), "hall/3") },
			`DELETE /v1/devices/hall%2F3 none=  `},
		{"a key with an overlap", func(c *client.Client) error {
			_, err := c.AddKey(t.Context(), "pump", client.KeyWish{Identity: "a", Secret: "s", Overlap: 90 * time.Second})
			return err
		}, `POST /v1/devices/pump/keys none= application/json {"identity":"a","secret":"s","overlap":90}`},
		{"a key without one", func(c *client.Client) error { _, err := c.AddKey(t.Context(), "pump", client.KeyWish{}); return err },
			`POST /v1/devices/pump/keys none= application/json {"overlap":0}`},
		{"one key is revoked", func(c *client.Client) error { return c.RevokeKey(t.Context(), "pump", "pump/2") },
			`DELETE /v1/devices/pump/keys/pump%2F2 none=  `},
		{"all keys are", func(c *client.Client) error { return c.RevokeKey(t.Context(), "pump", "") },
			`DELETE /v1/devices/pump/keys none=  `},
		{"a document of its own type", func(c *client.Client) error {
			_, err := c.PutDesired(t.Context(), "pump", client.Document{ContentType: "text/plain", Body: []byte("x")})
			return err
		}, `PUT /v1/devices/pump/desired none= text/plain x`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			cl := connect(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = fmt.Sprintf("%s %s none=%s %s %s", r.Method, r.URL.EscapedPath(), r.Header.Get("If-None-Match"), r.Header.Get("Content-Type"), body)
				_, _ = io.WriteString(w, `{"device":"pump"}`)
			})
			if err := c.do(cl); err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestADocumentComesWithItsTypeAndVersion(t *testing.T) {
	cl := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"7"`)
		w.Header().Set("Content-Type", "application/cbor")
		_, _ = w.Write([]byte{0xa0})
	})
	doc, err := cl.Desired(t.Context(), "pump")
	if err != nil || doc.ETag != `"7"` || doc.ContentType != "application/cbor" || string(doc.Body) != "\xa0" {
		t.Errorf("got %+v, %v", doc, err)
	}
	etag, err := cl.PutDesired(t.Context(), "pump", doc)
	if err != nil || etag != `"7"` {
		t.Errorf("written as %q, %v", etag, err)
	}
}

func TestWhatANodeHeardIsRead(t *testing.T) {
	cl := connect(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"device":"pump","registered":{"note":"","writes":[],"created":"2026-01-31T12:00:00Z","keys":[{"identity":"pump","created":"2026-01-31T12:00:00Z","expires_in":60}]},"latest":[],
			"seen":{"seen":"2026-01-31T12:00:00Z","address":"10.0.0.1:5","over":"coap","requests":100,"expected":100,"missing":5,"refused":1,"refusal":{"at":"2026-01-31T12:00:00Z","code":"4.00","text":"no"}}}`)
	})
	card, err := cl.DeviceCard(t.Context(), "pump", "local")
	if err != nil {
		t.Fatal(err)
	}
	if share, ok := card.Seen.Loss(); !ok || share != 0.05 || card.Seen.Refusal.Code != "4.00" || *card.Registered.Keys[0].ExpiresIn != 60 {
		t.Errorf("got %+v with loss %v, want 5 of 100, 4.00 and a key for a minute", card, share)
	}
}
