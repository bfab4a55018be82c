package api

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/go-chi/chi/v5"

	"xyra"
	"xyra/store"
)

// Body limits count bytes after decompression.
const (
	bodyMax      = 1 << 20
	batchBodyMax = 16 << 20
)

// call is one request on its way through a route.
type call struct {
	server  *Server
	route   *route
	request *http.Request
	caller  xyra.Caller
	now     time.Time // when the request arrived
	header  http.Header
	raw     []byte // the body, once read
	hasRead bool
	flight  *flight // with an Idempotency-Key
}

func (c *call) context() context.Context { return c.request.Context() }

// db is for reads; writes go through write.
func (c *call) db() *store.DB { return c.server.db }

// pathValue is a decoded path parameter.
func (c *call) pathValue(name string) string {
	text, err := url.PathUnescape(chi.URLParam(c.request, name))
	if err != nil {
		return chi.URLParam(c.request, name)
	}
	return text
}

// body reads the whole request body once, bounded.
func (c *call) body() ([]byte, error) {
	if c.hasRead {
		return c.raw, nil
	}
	limit := int64(bodyMax)
	if c.route.operation.batch {
		limit = batchBodyMax
	}
	raw, err := readBody(c.request, limit)
	if err != nil {
		return nil, err
	}
	c.raw, c.hasRead = raw, true
	return raw, nil
}

// operation is what a route does, with what its documents need to know.
type operation struct {
	in    any          // zero value of the input, for documents
	out   reflect.Type // of the answer
	run   func(*call) (any, error)
	batch bool
}

// parameters is implemented by inputs that read the path or the query.
type parameters interface{ params() []param }

// body is implemented by inputs that read a JSON body.
type body interface{ fields() []field }

// clocked is implemented by inputs whose checks depend on the present moment.
type clocked interface{ setNow(time.Time) }

// endpoint makes an operation of a function. In is a struct whose pointer declares its parameters and fields; it is
// decoded and checked before the function runs.
func endpoint[In, Out any](run func(*call, *In) (Out, error)) operation {
	return operation{in: new(In), out: reflect.TypeFor[Out](), run: func(c *call) (any, error) {
		in := new(In)
		if err := c.decode(in); err != nil {
			return nil, err
		}
		return run(c, in)
	}}
}

// nothing is the input of routes that read neither parameters nor body.
type nothing struct{}

// decode reads path, query and body into in and reports every fault of all three in one error, in that order. A body
// that is not JSON at all is reported alone.
func (c *call) decode(in any) error {
	var items []Item
	if t, ok := in.(clocked); ok {
		t.setNow(c.now)
	}
	if p, ok := in.(parameters); ok {
		items = decodeParams(p.params(), c.pathValue, c.request.URL.RawQuery)
	}
	if b, ok := in.(body); ok {
		raw, err := c.body()
		if err != nil {
			return err
		}
		found := decodeBody(raw, c.request.Header.Get("Content-Type"), b)
		if len(found) == 1 && found[0].Type == "json_invalid" {
			items = nil
		}
		items = append(items, found...)
	}
	if len(items) > 0 {
		return unprocessable(items)
	}
	return nil
}
