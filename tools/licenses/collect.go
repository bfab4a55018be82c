package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those of make release: some modules are compiled in on one of them alone.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

// work is something of others in the binary.
type work struct {
	name, version string
	kinds         []string
	texts         []text
}

// text is one file of licences or notices.
type text struct {
	name, content string
}

// embedded are the works that are no module, with the folder or file of ours that holds each.
var embedded = []struct {
	name, version string
	holds         []string // what is embedded, as beginnings of paths from the module's root
	license       string
	notices       string // of what the work contains in turn
}{
	{name: "Azure LLM inference trace 2023 (conversation)", holds: []string{"cmd/xyra/trace/"}, license: "cmd/xyra/trace/README.md"},
	{name: "Noto Sans", holds: []string{"pdf/fonts/"}, license: "pdf/fonts/OFL.txt"},
	{name: "ReDoc", version: "2.5.4", holds: []string{"api/assets/redoc"},
		license: "api/assets/redoc.LICENSE.txt", notices: "api/assets/redoc.standalone.js.LICENSE.txt"},
	{name: "Swagger UI", version: "5.35.0", holds: []string{"api/assets/swagger-ui", "api/assets/favicon-32x32.png"},
		license: "api/assets/swagger-ui.LICENSE.txt", notices: "api/assets/swagger-ui-bundle.js.LICENSE.txt"},
}

// ours are the embedded files that we wrote.
var ours = []string{"api/invoice.html", "api/invoice.css", "cmd/xyra/licenses.txt", "passwords.txt", "store/migrations/"}

// listed is what we read of the answers of go list.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	EmbedFiles      []string
	Module          *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// collect finds every work in the binary of the module at root, in order of name, the standard library first.
func collect(root string) ([]work, error) {
	packages := map[string]listed{}
	for _, platform := range platforms {
		if err := list(root, platform, packages); err != nil {
			return nil, err
		}
	}
	works, err := moduleWorks(packages)
	if err != nil {
		return nil, err
	}
	if err := checkEmbedded(root, packages); err != nil {
		return nil, err
	}
	for _, e := range embedded {
		w := work{name: e.name, version: e.version}
		if err := w.read(filepath.Join(root, e.license), e.license, false); err != nil {
			return nil, err
		}
		if e.notices != "" {
			if err := w.read(filepath.Join(root, e.notices), e.notices, true); err != nil {
				return nil, err
			}
		}
		works = append(works, w)
	}
	slices.SortFunc(works, func(a, b work) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	standard, err := standardWork()
	if err != nil {
		return nil, err
	}
	works = append([]work{standard}, works...)
	for i := range works {
		if err := works[i].check(); err != nil {
			return nil, err
		}
	}
	return works, nil
}

// list adds the packages that are compiled in on one platform.
func list(root, platform string, into map[string]listed) error {
	system, processor, _ := strings.Cut(platform, "/")
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,EmbedFiles,Module", "./cmd/xyra")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the packages for %s: %w: %s", platform, err, complaints.String())
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the packages for %s: %w", platform, err)
		}
		into[p.ImportPath] = p
	}
}

// moduleWorks makes a work of each foreign module, with the texts of its root and of each folder down to a package in use.
func moduleWorks(packages map[string]listed) ([]work, error) {
	folders := map[string]map[string]bool{}
	modules := map[string]work{}
	for _, p := range packages {
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		if folders[p.Module.Dir] == nil {
			folders[p.Module.Dir] = map[string]bool{}
			modules[p.Module.Dir] = work{name: p.Module.Path, version: p.Module.Version}
		}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			folders[p.Module.Dir][dir] = true
			if dir == p.Module.Dir {
				break
			}
		}
	}
	var works []work
	for root, w := range modules {
		for _, dir := range slices.Sorted(maps.Keys(folders[root])) {
			if err := w.readFolder(root, dir); err != nil {
				return nil, err
			}
		}
		works = append(works, w)
	}
	return works, nil
}

// readFolder takes the texts of a folder, and those of a folder LICENSES in it.
func (w *work) readFolder(root, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		license, notice := isLicense(entry.Name())
		switch {
		case entry.IsDir() && entry.Name() == "LICENSES":
			texts, err := os.ReadDir(path)
			if err != nil {
				return err
			}
			for _, text := range texts {
				if err := w.read(filepath.Join(path, text.Name()), filepath.Join(name, text.Name()), false); err != nil {
					return err
				}
			}
		case entry.Type().IsRegular() && (license || notice):
			if err := w.read(path, name, notice); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes one text. What is neither a notice nor excused must be of a known kind.
func (w *work) read(path, name string, notice bool) error {
	name = filepath.ToSlash(name)
	if excused[w.name+"/"+name] != "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := kindsOf(string(content))
	if len(found) == 0 && !notice {
		return fmt.Errorf("%s: the licence in %s is of no known kind: read it, and teach kind.go", w.name, name)
	}
	if !notice {
		w.kinds = append(w.kinds, found...)
	}
	w.texts = append(w.texts, text{name: name, content: string(content)})
	return nil
}

// check refuses a work that may not be in the binary.
func (w *work) check() error {
	slices.Sort(w.kinds)
	w.kinds = slices.Compact(w.kinds)
	if len(w.kinds) == 0 {
		return fmt.Errorf("%s has no licence: it may not be compiled in", w.name)
	}
	for _, kind := range w.kinds {
		if _, ok := accepted[kind]; !ok {
			return fmt.Errorf("%s is under %s, which is not accepted: choose another work", w.name, kind)
		}
	}
	return nil
}

// standardWork is the standard library; its version is that of the Go command which builds, so none is written down.
func standardWork() (work, error) {
	w := work{name: "Go standard library"}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return w, fmt.Errorf("ask for GOROOT: %w", err)
	}
	root := strings.TrimSpace(string(out))
	return w, errors.Join(w.read(filepath.Join(root, "LICENSE"), "LICENSE", false), w.read(filepath.Join(root, "PATENTS"), "PATENTS", true))
}

// checkEmbedded refuses embedded files of our own packages that neither are ours nor belong to a work.
func checkEmbedded(root string, packages map[string]listed) error {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	known := slices.Clone(ours)
	for _, e := range embedded {
		known = append(known, e.holds...)
	}
	for _, p := range packages {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		dir, err := filepath.Rel(absolute, p.Dir)
		if err != nil {
			return err
		}
		for _, file := range p.EmbedFiles {
			path := filepath.ToSlash(filepath.Join(dir, file))
			if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(path, k) }) {
				return fmt.Errorf("%s is embedded, and nobody says whose it is: name it in collect.go", path)
			}
		}
	}
	return nil
}
