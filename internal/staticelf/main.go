// Command staticelf fails unless each file it is given is an ELF executable
// that needs nothing of the machine it runs on: no dynamic loader and no shared
// library. For each it prints machine, size and name.
package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

// errDynamic: the file needs a loader or libraries that a gateway may lack.
var errDynamic = errors.New("it is not static: build with CGO_ENABLED=0")

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			return fmt.Errorf("%w (it has a %v part)", errDynamic, part.Type)
		}
	}
	fmt.Printf("static  %-11s %5.1f MB  %s\n", file.Machine, float64(info.Size())/1e6, path)
	return nil
}
