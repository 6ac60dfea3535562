package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Violation is an import against the arrows.
type Violation struct {
	File   string // slash-separated, from the root of the tree
	Import string
	Rule   string // the rule it breaks, as a sentence
}

func (v Violation) String() string {
	return fmt.Sprintf("%s imports %s: %s", v.File, v.Import, v.Rule)
}

// Check reads the imports of all Go files of a tree, tests aside, and returns
// those against the arrows in the order of the files' names. A file that does
// not parse, and a folder that no rule knows, is an error.
func Check(tree fs.FS) ([]Violation, error) {
	var found []Violation
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if hidden(name) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		imports, err := importsOf(tree, name)
		if err != nil {
			return err
		}
		for _, imported := range imports {
			rule, err := broken(path.Dir(name), imported)
			if err != nil {
				return err
			}
			if rule != "" {
				found = append(found, Violation{name, imported, rule})
			}
		}
		return nil
	})
	return found, err
}

// hidden tells whether the go command ignores a folder too.
func hidden(dir string) bool {
	base := path.Base(dir)
	return dir != "." && (base == "testdata" || base[0] == '.' || base[0] == '_')
}

func importsOf(tree fs.FS, name string) ([]string, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	imports := make([]string, 0, len(file.Imports))
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		imports = append(imports, imported)
	}
	return imports, nil
}

// broken returns the rule that an import in dir breaks, "" for none.
func broken(dir, imported string) (string, error) {
	if own, ok := strings.CutPrefix(imported, Module+"/"); ok {
		return brokenArrow(dir, own)
	}
	if dir == "fsm" && withinAny(imported, impure) {
		return "fsm is a function of its input", nil
	}
	for _, d := range doors {
		if within(imported, d.path) && !withinAny(dir, d.by) && !within(dir, "internal") {
			return "only " + strings.Join(d.by, " and ") + " may", nil
		}
	}
	return "", nil
}

// brokenArrow judges an import of skerry's own folder to by a file in dir.
func brokenArrow(dir, to string) (string, error) {
	switch {
	case within(to, "cmd") && !within(dir, "cmd"):
		return "nothing sees the program", nil
	case within(to, "internal") && !within(dir, "internal"):
		return "internal is for tests", nil
	case withinAny(dir, unruled):
		return "", nil
	}
	for _, r := range rooms {
		if !within(dir, r.dir) {
			continue
		}
		if slices.Contains(r.sees, to) || !r.exactly && within(to, r.dir) {
			return "", nil
		}
		if len(r.sees) == 0 {
			return r.dir + " sees no other room", nil
		}
		return r.dir + " sees only " + strings.Join(r.sees, " and "), nil
	}
	return "", fmt.Errorf("folder %s is no room of skerry: give it its arrows in internal/arch/rules.go", dir)
}
