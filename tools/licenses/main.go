// Command licenses writes cmd/xyra/licenses.txt: every work of others that is compiled into xyra, for any platform that is released,
// with the texts of its licences. `xyra licenses` prints it. A work without licence, with one that is not recognised or of a kind that
// is not accepted ends the command with a fault.
//
//	go run ./tools/licenses
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// output is the written file, from the module's root.
const output = "cmd/xyra/licenses.txt"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// run writes the file of the module whose root is given.
func run(root string) error {
	works, err := collect(root)
	if err != nil {
		return err
	}
	text, err := render(works)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, output), []byte(text), 0o600)
}
