package api_test

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"skerry/api"
	"skerry/fsm"
)

// card is one device as clients read it.
type card struct {
	Registered *struct {
		Note    string
		Writes  []string
		Created string
		Keys    []struct {
			Identity  string
			ExpiresIn *float64 `json:"expires_in"`
		}
	}
	Latest []any
	Seen   any
}

// identities are those of its keys, in order.
func (c *card) identities() (list []string) {
	for _, k := range c.Registered.Keys {
		list = append(list, k.Identity)
	}
	return list
}

// madeKey is the answer to a request for a key.
type madeKey struct{ Device, Identity, Secret string }

func (d *door) json(method, path, body string) reply {
	d.tb.Helper()
	return d.do(method, path, "application/json", body)
}

func TestADeviceIsRegisteredReplacedAndRemoved(t *testing.T) {
	d, _ := openNode(t, nil)
	d.json("PUT", "/v1/devices/hall%2Fpump", `{"note":"by the door","writes":["hall/*"]}`).want(t, http.StatusCreated, nil)
	var c card
	d.get("/v1/devices/hall%2Fpump").want(t, http.StatusOK, &c)
	if c.Registered == nil || c.Registered.Note != "by the door" || !reflect.DeepEqual(c.Registered.Writes, []string{"hall/*"}) || c.Registered.Created == "" || c.Latest == nil {
		t.Fatalf("card = %+v, want note, pattern, moment and no readings", c)
	}
	d.json("PUT", "/v1/devices/hall%2Fpump", "").want(t, http.StatusOK, nil)
	c = card{}
	d.get("/v1/devices/hall%2Fpump").want(t, http.StatusOK, &c)
	if c.Registered == nil || c.Registered.Note != "" || len(c.Registered.Writes) != 0 {
		t.Errorf("card after an empty PUT = %+v, want neither note nor patterns", c.Registered)
	}
	d.json("DELETE", "/v1/devices/hall%2Fpump", "").want(t, http.StatusNoContent, nil)
	d.get("/v1/devices/hall%2Fpump").problem(t, http.StatusNotFound, "no-such-device", "not registered")
	d.json("DELETE", "/v1/devices/hall%2Fpump", "").problem(t, http.StatusNotFound, "not-registered", "hall/pump")
}

func TestOnlyANewDeviceIsCreatedWhereThatIsAskedFor(t *testing.T) {
	d, _ := openNode(t, nil)
	d.conditional("PUT", "/v1/devices/pump", "If-None-Match", "*", "").want(t, http.StatusCreated, nil)
	d.conditional("PUT", "/v1/devices/pump", "If-None-Match", "*", `{"note":"other"}`).problem(t, http.StatusPreconditionFailed, "exists", "registered already")
	d.conditional("PUT", "/v1/devices/pump", "If-None-Match", `"7"`, "").problem(t, http.StatusBadRequest, "condition", "only *")
}

func TestTheListHasThoseThatPostedAndThoseThatAreRegistered(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"n":"b/t","v":1},{"n":"c/t","v":1}]`)
	d.json("PUT", "/v1/devices/a", `{"note":"new"}`).want(t, http.StatusCreated, nil)
	d.json("PUT", "/v1/devices/b", "").want(t, http.StatusCreated, nil)
	d.json("POST", "/v1/devices/b/keys", "").want(t, http.StatusCreated, nil)
	type row struct {
		Device     string
		Resources  []string
		Registered bool
		Keys       int
		Note       string
	}
	var all struct{ Devices []row }
	d.get("/v1/devices").want(t, http.StatusOK, &all)
	want := []row{{"a", []string{}, true, 0, "new"}, {"b", []string{"t"}, true, 1, ""}, {"c", []string{"t"}, false, 0, ""}}
	if !reflect.DeepEqual(all.Devices, want) {
		t.Errorf("devices = %+v, want %+v", all.Devices, want)
	}
}

func TestAKeyIsShownOnceAndRotatedWithAnOverlap(t *testing.T) {
	d, _ := openNode(t, nil)
	d.json("PUT", "/v1/devices/pump", "").want(t, http.StatusCreated, nil)
	var first, second madeKey
	d.json("POST", "/v1/devices/pump/keys", "").want(t, http.StatusCreated, &first)
	if first.Identity != "pump" || !regexp.MustCompile(`^[A-Za-z0-9]{16}$`).MatchString(first.Secret) {
		t.Errorf("first key = %+v, want identity pump and 26 letters and digits", first)
	}
	d.json("POST", "/v1/devices/pump/keys", `{"overlap":3600}`).want(t, http.StatusCreated, &second)
	if second.Identity != "pump.2" || second.Secret == first.Secret {
		t.Errorf("second key = %+v after %+v, want identity pump.2 and another secret", second, first)
	}
	res := d.get("/v1/devices/pump")
	var c card
	res.want(t, http.StatusOK, &c)
	if got := c.identities(); !reflect.DeepEqual(got, []string{"pump", "pump.2"}) {
		t.Fatalf("keys = %v, want pump and pump.2", got)
	}
	if left := c.Registered.Keys[0].ExpiresIn; left == nil || *left <= 3000 || *left > 3600 || c.Registered.Keys[1].ExpiresIn != nil {
		t.Errorf("keys = %+v, want the first to expire within the hour and the second never", c.Registered.Keys)
	}
	if strings.Contains(string(res.body), first.Secret) || strings.Contains(string(res.body), second.Secret) {
		t.Errorf("a secret is shown again: %s", res.body)
	}
	d.json("POST", "/v1/devices/pump/keys", `{"overlap":0}`).want(t, http.StatusCreated, &second)
	c = card{}
	d.get("/v1/devices/pump").want(t, http.StatusOK, &c)
	if got := c.identities(); !reflect.DeepEqual(got, []string{"pump.3"}) {
		t.Errorf("keys after one without overlap = %v, want pump.3 alone", got)
	}
}

func TestAKeyOfOnesOwnIsTakenAsItIs(t *testing.T) {
	d, node := openNode(t, nil)
	d.json("PUT", "/v1/devices/pump", "").want(t, http.StatusCreated, nil)
	d.json("PUT", "/v1/devices/fan", "").want(t, http.StatusCreated, nil)
	for _, c := range []struct {
		name, identity, secret string
		bytes                  string
	}{
		{"text is the key itself", "a", "beef-beef", "beef-beef"},
		{"hex after a prefix stands for bytes", "b", "hex:00ff1005", "\x00\xff\x10\x05"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := `{"identity":"` + c.identity + `","secret":"` + c.secret + `"}`
			var made madeKey
			d.json("POST", "/v1/devices/pump/keys", body).want(t, http.StatusCreated, &made)
			if made.Identity != c.identity || made.Secret != c.secret {
				t.Errorf("key = %+v, want it as it was given", made)
			}
			d.json("POST", "/v1/devices/pump/keys", body).want(t, http.StatusOK, nil) // sent again
			d.json("POST", "/v1/devices/fan/keys", body).problem(t, http.StatusConflict, "exists", c.identity)
			view, err := api.At(node.Node).View(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if device, key, ok := view.Identity(c.identity); !ok || device != "pump" || string(key.Secret) != c.bytes {
				t.Errorf("identity %s is of %q with secret %q", c.identity, device, key.Secret)
			}
		})
	}
}

func TestAKeyIsRevokedAloneOrWithAllOthers(t *testing.T) {
	d, _ := openNode(t, nil)
	d.json("PUT", "/v1/devices/pump", "").want(t, http.StatusCreated, nil)
	for range fsm.MaxDeviceKeys {
		d.json("POST", "/v1/devices/pump/keys", "").want(t, http.StatusCreated, nil)
	}
	d.json("POST", "/v1/devices/pump/keys", "").problem(t, http.StatusConflict, "too-many-keys", "revoke one")
	d.json("DELETE", "/v1/devices/pump/keys/pump.2", "").want(t, http.StatusNoContent, nil)
	d.json("DELETE", "/v1/devices/pump/keys/pump.2", "").problem(t, http.StatusNotFound, "no-such-key", "pump.2")
	var c card
	d.get("/v1/devices/pump").want(t, http.StatusOK, &c)
	if got := c.identities(); !reflect.DeepEqual(got, []string{"pump", "pump.3", "pump.4"}) {
		t.Errorf("keys = %v, want all but pump.2", got)
	}
	d.json("DELETE", "/v1/devices/pump/keys", "").want(t, http.StatusNoContent, nil)
	c = card{}
	d.get("/v1/devices/pump").want(t, http.StatusOK, &c)
	if got := c.identities(); len(got) != 0 {
		t.Errorf("keys = %v, want none", got)
	}
	d.json("POST", "/v1/devices/fan/keys", "").problem(t, http.StatusNotFound, "not-registered", "fan")
}

func TestWhatIsWrongWithADeviceOrKeyIsSaid(t *testing.T) {
	d, _ := openNode(t, nil)
	d.json("PUT", "/v1/devices/pump", "").want(t, http.StatusCreated, nil)
	for _, c := range []struct{ name, method, path, body, advice string }{
		{"a field that is none", "PUT", "/v1/devices/pump", `{"notes":"x"}`, "notes"},
		{"two objects", "PUT", "/v1/devices/pump", `{}{}`, "more after"},
		{"a pattern that is none", "PUT", "/v1/devices/pump", `{"writes":["["]}`, "pattern"},
		{"a note that is too long", "PUT", "/v1/devices/pump", `{"note":"` + strings.Repeat("x", fsm.MaxNote+1) + `"}`, "note"},
		{"a name that is too long", "PUT", "/v1/devices/" + strings.Repeat("x", fsm.MaxDevice+1), "", "device"},
		{"a secret that is too short", "POST", "/v1/devices/pump/keys", `{"secret":"abc"}`, "4 to 64"},
		{"a secret that is no hex", "POST", "/v1/devices/pump/keys", `{"secret":"hex:xy"}`, "not hex"},
		{"an overlap below 0", "POST", "/v1/devices/pump/keys", `{"overlap":-1}`, "seconds from 0"},
		{"an overlap without end", "POST", "/v1/devices/pump/keys", `{"overlap":1e300}`, "seconds from 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := d.json(c.method, c.path, c.body)
			kind := "device"
			if c.method == "POST" && !strings.Contains(c.advice, "4 to") {
				kind = "key"
			}
			res.problem(t, http.StatusBadRequest, kind, c.advice)
		})
	}
}

func TestAChangeIsAnsweredWhenItsNodeHasIt(t *testing.T) {
	for _, c := range []struct{ name, method, path, body string }{
		{"a registration", "PUT", "/v1/devices/pump", ""},
		{"its end", "DELETE", "/v1/devices/pump", ""},
		{"a revoked key", "DELETE", "/v1/devices/pump/keys/pump", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stub{outcome: fsm.Outcome{Code: fsm.Stored}, index: 7}
			open(t, s, nil).json(c.method, c.path, c.body)
			if s.applied != 7 {
				t.Errorf("waited for index %d, want 7", s.applied)
			}
		})
	}
}

func TestWhatTheDoorHeardIsOnTheCard(t *testing.T) {
	d, _ := openNode(t, func(cfg *api.Config) {
		cfg.Diary = func(device string) (any, bool) { return map[string]int{"requests": 3}, device == "pump" }
	})
	var c card
	d.get("/v1/devices/pump").want(t, http.StatusOK, &c)
	if seen, ok := c.Seen.(map[string]any); !ok || seen["requests"] != 3.0 || c.Registered != nil {
		t.Errorf("card = %+v, want the diary alone", c)
	}
	d.get("/v1/devices/fan").problem(t, http.StatusNotFound, "no-such-device", "not heard it")
}
