//go:build !windows

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// syncFolder brings the names in a folder to disk.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		return fmt.Errorf("bring the folder %s to disk: %w", dir, err)
	}
	return nil
}

// diskFree is how many bytes a user without privileges may still write to the disk of a folder.
func diskFree(dir string) (free uint64, known bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), true
}
