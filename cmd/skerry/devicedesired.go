package main

import (
	"encoding/json"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

func deviceDesired(c *cli.Context) error {
	words := c.Args().Slice()
	switch {
	case len(words) == 0 || len(words) > 2:
		return usagef("skerry device desired takes DEVICE [JSON|@FILE], got %d words: see skerry device desired --help", len(words))
	case words[0] == "":
		return usagef("DEVICE is empty: see skerry device desired --help")
	case c.Bool("rm") && len(words) == 2:
		return usagef("--rm and a document are both given: choose one")
	case c.Bool("rm"):
		return deleteDesired(c, words[0])
	case len(words) == 2:
		return writeDesired(c, words[0], words[1])
	}
	return printDesired(c, words[0])
}

// desired is a document for -o json.
type desired struct {
	Device string `json:"device"`
	Type   string `json:"type,omitempty"`
	ETag   string `json:"etag,omitempty"`
	// One of the two is set where the document is told: JSON as it is, anything
	// else as bytes in base64.
	Document json.RawMessage `json:"document,omitempty"`
	Data     []byte          `json:"data,omitempty"`
}

func printDesired(c *cli.Context, device string) error {
	cl, err := dial(c)
	if err != nil {
		return err
	}
	doc, err := cl.Desired(c.Context, device)
	if err != nil {
		return err
	}
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	if !asJSON { // as it is, for a pipe
		_, err := c.App.Writer.Write(append(doc.Body, lineEnd(doc.Body)...))
		return err
	}
	out := desired{Device: device, Type: doc.ContentType, ETag: doc.ETag, Data: doc.Body}
	if json.Valid(doc.Body) {
		out.Document, out.Data = doc.Body, nil
	}
	return printJSON(c.App.Writer, out)
}

// lineEnd is what a text lacks to end its line.
func lineEnd(body []byte) string {
	if !utf8.Valid(body) || strings.HasSuffix(string(body), "\n") {
		return ""
	}
	return "\n"
}

func writeDesired(c *cli.Context, device, text string) error {
	doc := client.Document{ContentType: "application/json", Body: []byte(text)}
	if file, isFile := strings.CutPrefix(text, "@"); isFile {
		var err error
		if doc.Body, err = os.ReadFile(file); err != nil {
			return usageError{err}
		}
		doc.ContentType = typeOfFile(file, doc.Body)
	}
	if doc.ContentType == "application/json" && !json.Valid(doc.Body) {
		return usagef("the document is not JSON: quote texts as '\"text\"', or write @FILE")
	}
	cl, err := dial(c)
	if err != nil {
		return err
	}
	etag, err := cl.PutDesired(c.Context, device, doc)
	if err != nil {
		return err
	}
	answer := desired{Device: device, Type: doc.ContentType, ETag: etag}
	return show(c, answer, func(t *table) { t.line("device " + device + " shall be like this from now on") })
}

// typeOfFile is a document's media type by its file's name, and by its content
// where that says nothing.
func typeOfFile(name string, body []byte) string {
	switch ext := filepath.Ext(name); {
	case ext == ".cbor":
		return "application/cbor"
	case ext == ".json" || ext == "" && json.Valid(body):
		return "application/json"
	case strings.HasPrefix(mime.TypeByExtension(ext), "image/"):
		return mime.TypeByExtension(ext)
	case utf8.Valid(body):
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

func deleteDesired(c *cli.Context, device string) error {
	cl, err := dial(c)
	if err != nil {
		return err
	}
	if err := cl.DeleteDesired(c.Context, device); err != nil {
		return err
	}
	return show(c, desired{Device: device}, func(t *table) {
		t.line("nothing is said any more of what device " + device + " shall be like")
	})
}
