package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
)

// serveProfiles offers Go's profiles on a listener of their own, so that the API's never has them. An empty address offers
// none. Closing it cuts off a profile that is being taken.
func serveProfiles(address string, log *slog.Logger) (io.Closer, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax}
	if address == "" {
		return server, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, badValue("PPROF_ADDR", address, "write an address and a port that are free, for example 127.0.0.1:6060")
	}
	if !isLoopback(listener.Addr()) {
		log.Warn("profiles are served where others can reach them: PPROF_ADDR should be an address of this machine alone", "address", listener.Addr().String())
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("profiles are not served any more", "err", err)
		}
	}()
	return server, nil
}
