package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"xyra/auth"
	"xyra/store"
	"xyra/telemetry"
)

// checkCommand looks at everything that a start needs, and changes nothing.
type checkCommand struct{}

// Run implements the command.
func (checkCommand) Run(ctx context.Context, c console, s *settings) error {
	check := &checkup{settings: s, console: c, ctx: ctx, log: slog.New(slog.DiscardHandler)}
	if log, err := s.Log.logger(c); err != nil {
		check.fault("Logs", err)
	} else {
		check.ok("Logs", "%s from level %s on, to standard error", s.Log.Format, s.Log.Level)
		check.log = log
	}
	check.vault()
	check.edges()
	check.secret()
	check.database()
	if check.faults > 0 {
		fmt.Fprintf(c.out, "%d faults, %d warnings: xyra would not start, or not work\n", check.faults, check.warnings)
		return exitCode(1)
	}
	fmt.Fprintf(c.out, "no fault, %d warnings\n", check.warnings)
	return nil
}

// checkup prints a line for each thing that was looked at.
type checkup struct {
	*settings
	console          console
	ctx              context.Context
	log              *slog.Logger
	faults, warnings int
}

func (c *checkup) line(state, subject, text string) {
	fmt.Fprintf(c.console.out, "%-5s  %-10s  %s\n", state, subject, text)
}

func (c *checkup) ok(subject, format string, args ...any) {
	c.line("ok", subject, fmt.Sprintf(format, args...))
}

func (c *checkup) warn(subject, format string, args ...any) {
	c.warnings++
	c.line("warn", subject, fmt.Sprintf(format, args...))
}

func (c *checkup) fault(subject string, err error) {
	c.faults++
	c.line("FAULT", subject, remedy(err))
}

// edges are what others connect to, and what the API does at its borders.
func (c *checkup) edges() {
	address, err := c.Listen.address()
	if err == nil {
		err = c.Listen.valid()
	}
	switch {
	case err != nil:
		c.fault("Listening", err)
	case c.serves():
		c.ok("Listening", "%s, where a server is ready already", address)
	default:
		if listener, err := listen(address); err != nil {
			c.fault("Listening", err)
		} else if err := listener.Close(); err != nil {
			c.fault("Listening", err)
		} else {
			c.ok("Listening", "%s is free", address)
		}
	}
	o, err := c.apiOptions(c.log)
	if err != nil {
		c.fault("API", err)
	} else {
		c.ok("API", "below %s; origins %v, trusted proxies %v", o.Prefix, o.CORSOrigins, o.TrustedProxies)
	}
	c.certificate()
	c.telemetry()
	if c.Payment.StripeKey == "" {
		c.ok("Payments", "Stripe is not called")
	} else if c.Payment.WebhookSecret == "" {
		c.warn("Payments", "STRIPE_API_KEY is set without STRIPE_WEBHOOK_SECRET: invoices can be paid at Stripe, and nobody tells us")
	} else {
		c.ok("Payments", "through Stripe")
	}
}

// certificateWarn is how long before its end a certificate is warned of.
const certificateWarn = 14 * 24 * time.Hour

// certificate looks at TLS; files that cannot be used are among the faults of listening already.
func (c *checkup) certificate() {
	kept, err := c.Listen.certificate()
	if err != nil || kept == nil {
		return
	}
	leaf := kept.current.Leaf
	left := time.Until(leaf.NotAfter)
	switch {
	case left < 0:
		c.fault("TLS", fmt.Errorf("the certificate in %s ended at %s: renew it", c.Listen.TLSCert, leaf.NotAfter.UTC().Format(time.RFC3339)))
	case left < certificateWarn:
		c.warn("TLS", "the certificate in %s ends at %s", c.Listen.TLSCert, leaf.NotAfter.UTC().Format(time.RFC3339))
	default:
		c.ok("TLS", "certificate for %v until %s", leaf.DNSNames, leaf.NotAfter.UTC().Format(time.DateOnly))
	}
}

// telemetry looks at where metrics are served and sent to; nothing is sent.
func (c *checkup) telemetry() {
	t := c.Telemetry
	err := t.valid()
	if err == nil && t.Insights != "" {
		if err = telemetry.CheckConnectionString(t.Insights); err != nil {
			err = fmt.Errorf("APPLICATIONINSIGHTS_CONNECTION_STRING cannot be used: %w", err)
		}
	}
	switch {
	case err != nil:
		c.fault("Telemetry", err)
	case c.Listen.Metrics == "" && t.Endpoint == "" && t.Insights == "":
		c.ok("Telemetry", "none; METRICS_ADDR offers metrics to Prometheus")
	default:
		c.ok("Telemetry", "metrics at %q, OTLP to %q, Application Insights %t", c.Listen.Metrics, t.Endpoint, t.Insights != "")
	}
}

// serves tells whether a ready server of ours has the address already.
func (c *checkup) serves() bool {
	return healthcheckCommand{}.Run(c.ctx, console{out: io.Discard, err: io.Discard}, c.settings) == nil
}

// vault reads the secrets that it has, so that all else is looked at with them.
func (c *checkup) vault() {
	if c.Azure.VaultURL == "" {
		return
	}
	found, err := c.readVault(c.ctx)
	if err != nil {
		c.fault("Vault", err)
		return
	}
	c.ok("Vault", "%s answers; %d usable versions of %s", c.Azure.VaultURL, len(found.versions), signingSecret)
}

// secret looks at what signs tokens, without making one.
func (c *checkup) secret() {
	t, err := c.Database.target()
	if err != nil {
		return // said by database
	}
	path := filepath.Join(t.dir, "secret.key")
	if c.Login.Secret == "" && t.URL == "" {
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			c.ok("Secret", "one will be made at the first start, in %s", path)
			return
		}
		if _, err := keptSecret(path); err != nil {
			c.fault("Secret", err)
			return
		}
		c.ok("Secret", "in %s", path)
		return
	}
	switch secret, err := c.Login.secret(t, slog.New(slog.DiscardHandler)); {
	case err != nil:
		c.fault("Secret", err)
	case len(secret) < secretLength:
		c.warn("Secret", "SECRET_KEY has %d characters: one of 32 random characters or more is safe; a new one ends all sessions", len(secret))
	default:
		c.ok("Secret", "SECRET_KEY, %d characters", len(secret))
	}
}

// database opens it, if there is one, and looks at all that hangs on it.
func (c *checkup) database() {
	t, err := c.Database.target()
	if err != nil {
		c.fault("Database", err)
		return
	}
	if t.URL == "" {
		c.disk(t.dir)
		if _, err := os.Stat(t.Path); errors.Is(err, fs.ErrNotExist) {
			c.ok("Database", "%s will be made at the first start", t.name)
			return
		}
	}
	started := time.Now()
	db, err := t.open(c.ctx, c.log, c.Log.Slow, false)
	if err != nil {
		c.fault("Database", err)
		return
	}
	defer db.Close()
	if err := db.Ping(c.ctx); err != nil {
		c.fault("Database", openFault{target: t, err: err})
		return
	}
	c.ok("Database", "%s answers within %s", t.name, time.Since(started).Round(time.Millisecond))
	err = db.CheckSchema(c.ctx)
	switch {
	case store.OpenFaultOf(err) == store.FaultOlderSchema:
		c.warn("Schema", "older than this binary's: the next start brings it up to date (or `xyra migrate` does); back up first")
		return
	case err != nil:
		c.fault("Schema", openFault{target: t, err: err})
		return
	}
	c.ok("Schema", "this version's")
	c.clock(db)
	c.people(db)
}

// How far clocks may be apart before it matters: tokens and periods are exact to the second at best.
const (
	clockWarn  = 2 * time.Second
	clockFault = time.Minute
)

// clock compares this machine's with the database server's and with what was written last.
func (c *checkup) clock(db *store.DB) {
	before := time.Now()
	server, err := db.ServerTime(c.ctx)
	if err != nil {
		c.fault("Clock", err)
		return
	}
	off := server.Sub(before).Round(time.Millisecond)
	if newest, err := db.NewestJobTime(c.ctx); err != nil {
		c.fault("Clock", err)
		return
	} else if behind := newest.Sub(before).Round(time.Millisecond); behind > clockFault {
		c.fault("Clock", fmt.Errorf("it is %s behind the newest row of the database: set this machine's clock, events would get into the wrong months", behind))
		return
	}
	switch {
	case off.Abs() > clockFault:
		c.fault("Clock", fmt.Errorf("it is %s away from the database server's: set it, for example by NTP", off))
	case off.Abs() > clockWarn:
		c.warn("Clock", "it is %s away from the database server's: let NTP set it", off)
	default:
		c.ok("Clock", "%s, within %s of the database", before.UTC().Format(time.RFC3339), clockWarn)
	}
}

// people tells whether somebody can sign in, and whether a password that everybody knows would work.
func (c *checkup) people(db *store.DB) {
	superusers, err := db.ActiveSuperusers(c.ctx, 0)
	if err != nil {
		c.fault("Login", err)
		return
	}
	if superusers == 0 {
		c.warn("Login", "there is no active superuser: the next start makes %s", c.Login.Email)
		return
	}
	if address, err := c.Listen.address(); err == nil && !isLocal(address) {
		gate := auth.New(db, auth.Options{Secret: []byte(randomText()), Now: time.Now}) // it signs nothing here
		defer gate.Close()
		if err := refuseDefaultPassword(c.ctx, db, gate); err != nil {
			c.fault("Login", err)
			return
		}
	}
	c.ok("Login", "%d active superusers", superusers)
}

// How much space a data folder should have. SQLite refuses writes, and loses nothing, when there is none.
const (
	diskWarn  = 2 << 30
	diskFault = 64 << 20
)

func (c *checkup) disk(dir string) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.ok("Disk", "%s will be made at the first start", dir)
		return
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err == nil {
		err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	}
	if err != nil {
		c.fault("Disk", fmt.Errorf("the data folder %s cannot be written to: %w; change its owner or choose another one with XYRA_DATA_DIR", dir, cause(err)))
		return
	}
	free, known := diskFree(dir)
	switch {
	case !known:
		c.ok("Disk", "%s can be written to", dir)
	case free < diskFault:
		c.fault("Disk", fmt.Errorf("%s has %d MiB left: free some, or every write will be refused", dir, free>>20))
	case free < diskWarn:
		c.warn("Disk", "%s has %d MiB left", dir, free>>20)
	default:
		c.ok("Disk", "%s has %d GiB left", dir, free>>30)
	}
}
