//go:build !unix

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "withpostgres: needs a Unix system; start PostgreSQL by hand and set XYRA_TEST_POSTGRES to its address")
	os.Exit(1)
}
