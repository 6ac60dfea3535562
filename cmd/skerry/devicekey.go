package main

import (
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
	"skerry/fsm"
)

// maxSecretText is the longest key that is read from standard input, in bytes:
// 64 bytes in hex with their prefix, and a line end.
const maxSecretText = 256

// hexPrefix begins a key that is written in hex.
const hexPrefix = "hex:"

func deviceKey(c *cli.Context) error {
	if c.Bool("revoke") {
		return revokeKey(c)
	}
	if c.NArg() == 2 {
		return usagef("IDENTITY goes with --revoke: a new key takes --identity")
	}
	name, err := operands(c, "DEVICE")
	if err != nil {
		return err
	}
	overlap := c.Duration("overlap")
	if most := fsm.MaxOverlap * time.Microsecond; overlap < 0 || overlap > most {
		return usagef("--overlap %s: give 0 to %s", overlap, most)
	}
	secret, err := givenSecret(c)
	if err != nil {
		return err
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	made, err := cl.AddKey(c.Context, name[0], client.KeyWish{Identity: c.String("identity"), Secret: secret, Overlap: overlap})
	if err != nil {
		return err
	}
	return showKey(c, made)
}

func revokeKey(c *cli.Context) error {
	for _, flag := range []string{"overlap", "identity", "psk"} {
		if c.IsSet(flag) {
			return usagef("--revoke and --%s do not go together: write skerry device key DEVICE [IDENTITY] --revoke", flag)
		}
	}
	words := c.Args().Slice()
	if len(words) == 0 || len(words) > 2 {
		return usagef("skerry device key --revoke takes DEVICE [IDENTITY], got %d words: see skerry device key --help", len(words))
	}
	device, identity := words[0], ""
	if device == "" {
		return usagef("DEVICE is empty: see skerry device key --help")
	}
	if len(words) == 2 {
		if identity = words[1]; identity == "" {
			return usagef("the identity is empty: leave it out to revoke all keys")
		}
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.RevokeKey(c.Context, device, identity); err != nil {
		return err
	}
	answer := struct {
		Device  string `json:"device"`
		Revoked string `json:"revoked"` // "" for all
	}{device, identity}
	return show(c, answer, func(t *table) {
		if identity == "" {
			t.line("all keys of device " + device + " are revoked")
			return
		}
		t.line("key " + identity + " of device " + device + " is revoked")
	})
}

// givenSecret is the key that --psk names, "" for none.
func givenSecret(c *cli.Context) (string, error) {
	secret := c.String("psk")
	if secret == "-" {
		b, err := io.ReadAll(io.LimitReader(c.App.Reader, maxSecretText))
		if err != nil {
			return "", err
		}
		secret = strings.TrimRight(string(b), "\r\n")
	}
	if c.IsSet("psk") && secret == "" {
		return "", usagef("--psk is empty: give a key, or leave it out to have one made")
	}
	return secret, nil
}

// showKey prints a key, which nobody can ask for again.
func showKey(c *cli.Context, k client.NewKey) error {
	return show(c, k, func(t *table) {
		t.row("device", k.Device)
		t.row("identity", k.Identity)
		t.row("key", k.Secret+"   (shown this once)")
		if strings.HasPrefix(k.Secret, hexPrefix) {
			t.row("libcoap", "takes keys of text alone; give these bytes to a stack that takes hex")
			return
		}
		t.row("try", "coap-client -m post -e 21.6 -u "+shellWord(k.Identity)+" -k "+shellWord(k.Secret)+" "+shellWord(deviceURL(c, k.Device)))
	})
}

// shellWord is a text as one word of a shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:%[]@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
