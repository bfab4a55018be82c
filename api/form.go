package api

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"xyra"
)

// formText is a text in a form body.
func formText[D slot[string]](name string, dst D) field {
	f := text(name, dst)
	f.in = "form"
	return f
}

// decodeForm reads an urlencoded or multipart body into fields made by formText and
// returns their faults. Any other body is an empty form. The error is a refusal of a
// multipart body that does not say how it is divided.
func decodeForm(raw []byte, contentType string, fields []field) ([]Item, error) {
	var sent []pair
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/x-www-form-urlencoded":
		sent = pairs(string(raw))
	case "multipart/form-data":
		_, parameters, err := mime.ParseMediaType(contentType)
		if err != nil || parameters["boundary"] == "" {
			return nil, xyra.Invalid("Missing boundary in multipart.")
		}
		sent = multipartPairs(raw, parameters["boundary"])
	}
	r := newReport()
	for i := range fields {
		f := &fields[i]
		value, found := last(sent, f.name)
		f.decodeText(value, found, "body", r)
	}
	return r.items, nil
}

// multipartPairs takes the parts that are no files, up to where the body is broken.
func multipartPairs(raw []byte, boundary string) []pair {
	var all []pair
	reader := multipart.NewReader(bytes.NewReader(raw), boundary)
	for {
		part, err := reader.NextPart()
		if err != nil {
			return all
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return all
		}
		if part.FileName() == "" {
			all = append(all, pair{part.FormName(), storable(string(value))})
		}
	}
}
