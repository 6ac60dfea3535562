package replay_test

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"skerry/device"
	"skerry/device/replay"
)

// Whatever a file holds, each of its rows is posted, empty or counted as bad.
func FuzzFile(f *testing.F) {
	f.Add("date,pressure,wind\n2010-01-01T01:00:00,1016.6,3.8\n")
	f.Add("time;device;resource;value;unit\r\n1262307600;pump-7;t;21.6;Cel\r\n")
	f.Add("1262307600000,a,b,true\nnever,a,b\n\"")
	f.Fuzz(func(t *testing.T, file string) {
		ledger := new(device.Ledger)
		courier, err := device.NewCourier("run", ledger, new(gateway))
		if err != nil {
			t.Fatal(err)
		}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		r, err := replay.New(replay.Config{Device: "d", Log: quiet}, strings.NewReader(file), courier)
		if errors.Is(err, replay.ErrNoTable) {
			return
		}
		if err == nil {
			err = r.Run(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		st := r.Stats()
		if got := ledger.Counts(); got.Acked != st.Readings || st.Refused != 0 || st.Bad > st.Rows {
			t.Errorf("got %+v and %+v in the ledger", st, got)
		}
	})
}
