package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed assets/*.gz assets/*.png assets/*.txt
var docsAssets embed.FS

// docsPolicy lets the pages run what this server serves and nothing else. Swagger UI and ReDoc set styles from their scripts,
// and ReDoc searches in a worker made from a blob.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const swaggerPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Xyra API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`

// The validator of Swagger UI is another host's; the token of Authorize is not kept, so that it ends with the page.
const swaggerInit = `SwaggerUIBundle({
  dom_id: "#reference",
  url: "/openapi.json",
  validatorUrl: null,
  persistAuthorization: false,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
`

const redocPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Xyra API reference</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<script src="/docs/assets/redoc.standalone.js"></script>
<script src="/redoc/init.js"></script>
</body>
</html>
`

// ReDoc's own font names would make it ask another host for them.
const redocInit = `document.body.style.margin = "0";
Redoc.init("/openapi.json", {
  theme: {
    typography: {
      fontFamily: "system-ui, sans-serif",
      headings: { fontFamily: "system-ui, sans-serif" },
      code: { fontFamily: "ui-monospace, monospace" },
    },
  },
}, document.getElementById("reference"));
`

// docsPages are the API's reference, path by path: both readers, all they load, and the document itself. Any method is answered
// like GET; the router keeps the others out.
func docsPages(openapi []byte) map[string]http.Handler {
	pages := map[string]http.Handler{
		"/docs":          newPage("text/html; charset=utf-8", []byte(swaggerPage)),
		"/docs/init.js":  newPage("text/javascript; charset=utf-8", []byte(swaggerInit)),
		"/redoc":         newPage("text/html; charset=utf-8", []byte(redocPage)),
		"/redoc/init.js": newPage("text/javascript; charset=utf-8", []byte(redocInit)),
		"/openapi.json":  newPage("application/json", openapi),
	}
	files, err := docsAssets.ReadDir("assets")
	if err != nil {
		panic(fmt.Sprintf("list the embedded docs assets: %v", err))
	}
	for _, file := range files {
		content, err := docsAssets.ReadFile("assets/" + file.Name())
		if err != nil {
			panic(fmt.Sprintf("read an embedded docs asset: %v", err))
		}
		name, compressed := strings.CutSuffix(file.Name(), ".gz")
		p := newPage(assetType(name), content)
		p.compressed, p.cacheControl = compressed, "public, max-age=3600"
		p.unpacked = sync.OnceValues(func() ([]byte, error) { return unzip(content) })
		pages["/docs/assets/"+name] = p
	}
	return pages
}

// assetType does not ask the machine's own table, which differs from one to the next.
func assetType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

// page is one answer that never changes while the process runs.
type page struct {
	contentType, cacheControl, tag string
	content                        []byte
	compressed                     bool                   // content is gzip
	unpacked                       func() ([]byte, error) // of compressed content, once for all: a client that takes no gzip must not cost more
}

func newPage(contentType string, content []byte) *page {
	sum := sha256.Sum256(content)
	return &page{contentType: contentType, cacheControl: "no-cache", tag: hex.EncodeToString(sum[:12]), content: content}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", p.cacheControl)
	if !p.compressed {
		h.Set("ETag", `"`+p.tag+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.content))
		return
	}
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("ETag", `"`+p.tag+`-gzip"`)
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.content))
		return
	}
	h.Set("ETag", `"`+p.tag+`"`)
	plain, err := p.unpacked()
	if err != nil {
		panic(fmt.Sprintf("unpack an embedded docs asset: %v", err))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(plain))
}

func unzip(content []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// acceptsGzip reads Accept-Encoding as RFC 9110 has it: gzip or * named without a weight of zero, the exact name first.
func acceptsGzip(fields []string) bool {
	any := false
	for _, item := range strings.Split(strings.Join(fields, ","), ",") {
		name, parameters, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return positiveWeight(parameters)
		case "*":
			any = positiveWeight(parameters)
		}
	}
	return any
}

func positiveWeight(parameters string) bool {
	_, weight, found := strings.Cut(parameters, "=")
	if !found {
		return true
	}
	_, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(weight), ".", ""), 10, 32)
	return err == nil && strings.ContainsAny(weight, "123456789")
}
