package main

import (
	"crypto/rand"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"xyra"
	"xyra/jobs"
	"xyra/notice"
	"xyra/store"
	"xyra/webhook"
)

// webhookSettings say where notices may be sent.
type webhookSettings struct {
	Ports     string `name:"webhook-ports" env:"WEBHOOK_PORTS" default:"443,8443" help:"Ports that webhook endpoints may have, with commas between."`
	AllowHTTP bool   `name:"webhook-allow-http" env:"WEBHOOK_ALLOW_HTTP" default:"false" negatable:"" help:"Also send to plain http addresses, for development and tests. Default false."`
	Private   string `name:"webhook-allow-private" env:"WEBHOOK_ALLOW_PRIVATE" placeholder:"CIDR,…" help:"Networks that endpoints may be in though they are not public, for development and tests. Default none."`
}

// webhookWorkers is how many messages are on their way at once in one process.
const webhookWorkers = 32

// desk keeps endpoints; their secrets are sealed by what signs tokens.
func (s webhookSettings) desk(secret []byte) (*notice.Desk, error) {
	rules := notice.Rules{AllowHTTP: s.AllowHTTP}
	for _, text := range strings.Split(s.Ports, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
		if err != nil || port == 0 {
			return nil, badValue("WEBHOOK_PORTS", s.Ports, "write port numbers with commas between, such as 443,8443")
		}
		rules.Ports = append(rules.Ports, uint16(port))
	}
	for _, text := range strings.FieldsFunc(s.Private, func(r rune) bool { return r == ',' || r == ' ' }) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, badValue("WEBHOOK_ALLOW_PRIVATE", s.Private, "write networks with commas between, such as 10.1.0.0/16,127.0.0.0/8")
		}
		rules.Private = append(rules.Private, network)
	}
	return notice.New(secret, rules, rand.Reader)
}

// addKinds adds the sending of messages.
func (s webhookSettings) addKinds(kinds map[string]jobs.Kind, db *store.DB, desk *notice.Desk, log *slog.Logger) {
	sender := webhook.New(db, desk, webhook.Options{Workers: webhookWorkers, Now: time.Now, Log: log})
	kinds[xyra.JobWebhook] = jobs.Kind{Handle: sender.Deliver, Workers: webhookWorkers, Timeout: webhook.Timeout}
}
