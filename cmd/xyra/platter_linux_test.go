package main

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// platter is what a disk may hold of some files after a power cut. All that was synced is there. Of what was not, and of
// what a failed sync was for, any part may be there: the kernel writes pages back in any order, in sectors, and forgets
// those that it could not write, so that a later sync that succeeds says nothing about them.
type platter struct {
	dir string

	mu    sync.Mutex
	base  map[string][]byte // by path: what is there in any case
	named map[string]bool   // files that a sync of the folder has made findable
	calls []diskCall
	gone  int // calls that are in base and no longer in calls
}

// sector is what a disk writes whole or not at all.
const sector = 512

// newPlatter starts with what stands in a folder that no process has open.
func newPlatter(t testing.TB, dir string) *platter {
	t.Helper()
	p := &platter{dir: dir, base: map[string][]byte{}, named: map[string]bool{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if p.base[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		p.named[path] = true
	}
	return p
}

// note adds what a process does to the files.
func (p *platter) note(c diskCall) {
	if strings.HasSuffix(c.path, "-shm") {
		return // shared memory of the running processes, made anew after a power cut
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, c)
}

// now is how many calls there have been.
func (p *platter) now() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone + len(p.calls)
}

// fate is what a power cut after some calls leaves in any case.
type fate struct {
	sure  []bool          // effects of calls
	named map[string]bool // files that were made before a good sync of the folder
}

// fates follows the syncs.
func fates(calls []diskCall, dir string) fate {
	f := fate{make([]bool, len(calls)), map[string]bool{}}
	open := map[string][]int{} // by path: calls that the next good sync makes sure
	for i, c := range calls {
		switch {
		case c.kind != "sync":
			if c.failed == 0 {
				open[c.path] = append(open[c.path], i)
			}
		case c.path == dir:
			if c.failed == 0 {
				for _, earlier := range calls[:i] {
					f.named[earlier.path] = true
				}
			}
		default:
			if c.failed == 0 {
				for _, j := range open[c.path] {
					f.sure[j] = true
				}
			}
			delete(open, c.path) // after a failed sync their pages count as clean: they stay unsure
		}
	}
	return f
}

// image is one state that a power cut after so many calls may leave.
func (p *platter) image(after int, random *rand.Rand) map[string][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls[:after-p.gone]
	f := fates(calls, p.dir)
	files, lost := map[string][]byte{}, map[string]bool{}
	for path, text := range p.base {
		files[path] = append([]byte(nil), text...)
	}
	keepAll, keepNone := random.IntN(4) == 0, random.IntN(4) == 0
	for i, c := range calls {
		if c.failed != 0 || c.kind == "sync" || c.kind == "allocate" {
			continue
		}
		if _, thrown := lost[c.path]; !thrown && !p.named[c.path] && !f.named[c.path] {
			lost[c.path] = random.IntN(2) == 0
		}
		switch {
		case f.sure[i] || keepAll && !keepNone || !keepNone && random.IntN(3) == 0:
			files[c.path] = c.onto(files[c.path])
		case keepNone || random.IntN(2) == 0:
		default:
			files[c.path] = c.torn(files[c.path], random)
		}
	}
	for path, is := range lost {
		if is {
			delete(files, path)
		}
	}
	return files
}

// onto is the file after the whole call.
func (c diskCall) onto(file []byte) []byte {
	if c.kind == "truncate" {
		if int64(len(file)) > c.offset {
			return file[:c.offset]
		}
		return append(file, make([]byte, c.offset-int64(len(file)))...)
	}
	if end := c.offset + int64(len(c.data)); end > int64(len(file)) {
		file = append(file, make([]byte, end-int64(len(file)))...)
	}
	copy(file[c.offset:], c.data)
	return file
}

// torn is the file after some sectors of the call.
func (c diskCall) torn(file []byte, random *rand.Rand) []byte {
	for from := int64(0); from < int64(len(c.data)); {
		to := min(int64(len(c.data)), (c.offset+from)/sector*sector+sector-c.offset)
		if random.IntN(2) == 0 {
			file = diskCall{kind: "write", offset: c.offset + from, data: c.data[from:to]}.onto(file)
		}
		from = to
	}
	return file
}

// settle forgets how the sure calls came about, so that memory stays bounded. From the first unsure one on all are kept:
// their order matters.
func (p *platter) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := fates(p.calls, p.dir)
	n := 0
	for ; n < len(p.calls); n++ {
		c := p.calls[n]
		if c.kind == "sync" || c.kind == "allocate" {
			continue
		}
		if c.failed == 0 && (!f.sure[n] || !p.named[c.path] && !f.named[c.path]) {
			break
		}
		if c.failed == 0 {
			p.base[c.path], p.named[c.path] = c.onto(p.base[c.path]), true
		}
	}
	p.calls, p.gone = append([]diskCall(nil), p.calls[n:]...), p.gone+n
}

// writeImage makes a folder of an image.
func writeImage(t testing.TB, files map[string][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What was synced is in every image; what no good sync was for may be missing, also when a later sync was good.
func TestPlatter_LosesWhatNoGoodSyncWasFor(t *testing.T) {
	dir := t.TempDir()
	p, file := newPlatter(t, dir), filepath.Join(dir, "file")
	write := func(at int64, text string) {
		p.note(diskCall{kind: "write", path: file, offset: at, data: []byte(text)})
	}
	write(0, "A")
	p.note(diskCall{kind: "sync", path: file})
	p.note(diskCall{kind: "sync", path: dir})
	write(1, "B")
	p.note(diskCall{kind: "sync", path: file, failed: syscall.EIO})
	write(2, "C")
	p.note(diskCall{kind: "sync", path: file})
	write(3, "D")
	seen := map[string]bool{}
	for seed := range uint64(200) {
		seen[strings.ReplaceAll(string(p.image(p.now(), rand.New(rand.NewPCG(seed, 0)))[file]), "\x00", "-")] = true
	}
	want := map[string]bool{"ABC": true, "ABCD": true, "A-C": true, "A-CD": true}
	if !maps.Equal(seen, want) {
		t.Errorf("images are %v, want %v", seen, want)
	}
}
