package main

// syncFolder does nothing: Windows keeps names by itself, and opens no folder for this.
func syncFolder(string) error { return nil }

// diskFree is not known on Windows.
func diskFree(string) (free uint64, known bool) { return 0, false }
