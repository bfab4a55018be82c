package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"xyra/api"
	"xyra/auth"
	"xyra/store"
)

// serveCommand runs the server until it is told to end.
type serveCommand struct{}

// Run implements the command.
func (serveCommand) Run(ctx context.Context, c console, s *settings, kept vaulted) error {
	log, err := s.Log.logger(c)
	if err != nil {
		return err
	}
	own := log
	watch, log, err := s.newWatched(ctx, log)
	if err != nil {
		return err
	}
	defer watch.close(own)
	s.warn(log)
	options, err := s.apiOptions(log)
	if err != nil {
		return err
	}
	address, err := s.Listen.address()
	if err != nil {
		return err
	}
	target, err := s.Database.target()
	if err != nil {
		return err
	}
	target.Watch = watch.statements()
	target.Stripe = s.Payment.StripeKey != ""
	if err := s.Listen.valid(); err != nil {
		return err
	}
	secret, err := s.Login.secret(target, log)
	if err != nil {
		return err
	}
	listener, err := listen(address)
	if err != nil {
		return err
	}
	db, err := s.openServing(ctx, target, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	in, login, err := s.prepare(ctx, db, listener, secret, options, watch)
	if err != nil {
		return errors.Join(err, listener.Close(), db.Close())
	}
	if err := kept.start(ctx, in, s.Login.lifetime()); err != nil {
		return errors.Join(err, in.listener.Close(), in.close())
	}
	profiles, err := serveProfiles(s.Listen.Profiles, log)
	if err != nil {
		return errors.Join(err, in.listener.Close(), in.close())
	}
	defer profiles.Close() //nolint:errcheck // it has nothing to lose
	metrics, err := watch.serve(s.Listen.Metrics, in)
	if err != nil {
		return errors.Join(err, in.listener.Close(), in.close())
	}
	defer metrics.Close() //nolint:errcheck // it has nothing to lose
	if s.Database.VerifyEvery > 0 {
		go watch.verifyForever(ctx, s.Database.VerifyEvery, db, log)
	}
	login.report(log)
	s.banner(c, in.listener.Addr(), watch.at, options, target, login)
	return in.serve(ctx, s.Listen.DrainDelay, s.Listen.DrainTimeout)
}

// openServing opens the database for a server: migrated without, then served with limits.
func (s *settings) openServing(ctx context.Context, t target, log *slog.Logger) (*store.DB, error) {
	db, _, err := t.openMigrated(ctx, log, s.Log.Slow)
	if err != nil || t.URL == "" {
		return db, err
	}
	if err := db.Close(); err != nil {
		return nil, fmt.Errorf("close the database after migrating: %w", err)
	}
	t.StatementMax, t.ConnLifetime = s.Database.StatementMax, s.Database.ConnLifetime
	return t.open(ctx, log, s.Log.Slow, true)
}

// prepare makes the server on an open database, with somebody who can sign in.
func (s *settings) prepare(ctx context.Context, db *store.DB, listener net.Listener, secret []byte, o api.Options, watch *watched) (*instance, firstLogin, error) {
	gate := auth.New(db, auth.Options{Secret: secret, TokenLifetime: s.Login.lifetime(), Now: o.Now, Log: o.Log})
	login, err := s.Login.ensureSuperuser(ctx, db, gate, !isLoopback(listener.Addr()))
	if err != nil {
		return nil, firstLogin{}, err
	}
	if o.Notices, err = s.Webhooks.desk(secret); err != nil {
		return nil, firstLogin{}, err
	}
	in := newInstance(db, listener, gate, o, watch)
	if err := in.limit(s.Listen, o.TrustedProxies); err != nil {
		return nil, firstLogin{}, err
	}
	in.runner, err = s.newRunner(db, o)
	return in, login, err
}

// apiOptions are the settings that the API acts by.
func (s *settings) apiOptions(log *slog.Logger) (o api.Options, err error) {
	o = api.Options{Docs: s.API.Docs, Signup: s.API.Signup, WebhookSecret: s.Payment.WebhookSecret, Now: time.Now, Log: log}
	if o.Prefix, err = s.API.prefix(); err != nil {
		return o, err
	}
	if o.Issuer, err = s.Invoicing.issuer(s.API.Project); err != nil {
		return o, err
	}
	o.Issuer.Mails, o.Issuer.MailsAll = s.Mail.Host != "", s.Mail.Invoices
	if o.Print, err = s.Paper.printer(); err != nil {
		return o, err
	}
	o.Locale = s.Paper.Locale
	if _, err = s.Invoicing.bounds(); err != nil {
		return o, err
	}
	if o.CORSOrigins, err = s.API.origins(); err != nil {
		return o, err
	}
	if o.TrustedProxies, err = s.Listen.proxies(); err != nil {
		return o, err
	}
	o.TLS = s.Listen.TLSCert != ""
	if o.Rate.Requests, o.Rate.Each, err = s.Listen.rate(); err != nil {
		return o, err
	}
	if s.Login.TokenMinutes < 1 || s.Login.TokenMinutes > tokenMinutesMax {
		return o, badValue("ACCESS_TOKEN_EXPIRE_MINUTES", strconv.FormatInt(s.Login.TokenMinutes, 10), "write a number of minutes from 1 to 100 years")
	}
	return o, nil
}

// warn says what is accepted and does less than its name promises.
func (s *settings) warn(log *slog.Logger) {
	if s.Payment.StripeKey != "" && s.Payment.WebhookSecret == "" {
		log.Warn("STRIPE_API_KEY is set without STRIPE_WEBHOOK_SECRET: invoices can be paid at Stripe, and nobody tells us")
	}
	if !s.Database.isPostgres() && (os.Getenv("POSTGRES_DB") != "" || os.Getenv("POSTGRES_USER") != "") {
		log.Warn("POSTGRES variables are set without POSTGRES_SERVER: the embedded SQLite is used")
	}
}

// banner says where everything is.
func (s *settings) banner(c console, listening, metrics net.Addr, o api.Options, t target, login firstLogin) {
	at := s.Listen.url(listening.String())
	line := func(name, value string) { fmt.Fprintf(c.out, "  %-9s %s\n", name, value) }
	fmt.Fprintf(c.out, "%s %s serves\n", s.API.Project, version())
	line("API", at+o.Prefix)
	if o.Docs {
		line("Docs", at+"/docs  "+at+"/redoc")
	}
	if metrics != nil {
		line("Metrics", localURL(metrics.String())+"/metrics")
	}
	line("Database", t.name)
	if t.URL == "" {
		line("", "one node: a single server process on this file; POSTGRES_SERVER is for more")
	}
	if !isLoopback(listening) {
		reach := "from every machine that can reach " + listening.String()
		if s.Listen.TLSCert == "" {
			reach += "; put TLS in front of it"
		}
		line("Reach", reach)
	}
	switch {
	case login.missing != "":
		line("Login", login.missing)
	case login.password != "":
		line("Login", login.email+" with the password "+login.password)
		line("", "shown this once; change it with: xyra passwd "+login.email)
	case login.created && s.Login.Password == passwordDefault:
		line("Login", login.email+" with the password "+passwordDefault+", on this machine alone")
	case login.created:
		line("Login", login.email+" with the password in FIRST_SUPERUSER_PASSWORD")
	default:
		line("Login", "as before; a new password: xyra passwd EMAIL")
	}
	line("Stop", "Ctrl-C or SIGTERM: running requests end, waiting events are committed")
}
