package main

import (
	"log/slog"
	"time"
)

// settings are all options of the program, in the groups that --help shows.
type settings struct {
	Listen    listenSettings    `embed:"" group:"Listening:"`
	API       apiSettings       `embed:"" group:"API:"`
	Login     loginSettings     `embed:"" group:"Logins and secrets:"`
	Database  databaseSettings  `embed:"" group:"Database (PostgreSQL if POSTGRES_SERVER or DATABASE_URL is set, else SQLite in XYRA_DATA_DIR):"`
	Invoicing invoicingSettings `embed:"" group:"Invoices:"`
	Paper     paperSettings     `embed:"" group:"Invoices:"`
	Mail      mailSettings      `embed:"" group:"E-mail:"`
	Payment   paymentSettings   `embed:"" group:"Payments:"`
	Webhooks  webhookSettings   `embed:"" group:"Webhooks to customers:"`
	Azure     azureSettings     `embed:"" group:"Azure:"`
	Log       logSettings       `embed:"" group:"Logs:"`
	Telemetry telemetrySettings `embed:"" group:"Telemetry:"`
}

// telemetrySettings say where traces, metrics and logs are sent.
type telemetrySettings struct {
	Endpoint string `name:"otel-exporter-otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"http://localhost:4318" help:"OpenTelemetry collector to send traces, metrics and logs to, over HTTP; the other OTEL_ variables are obeyed too. Without OTEL_TRACES_SAMPLER one trace of twenty is kept. Default none."`
	Insights string `name:"applicationinsights-connection-string" env:"APPLICATIONINSIGHTS_CONNECTION_STRING" placeholder:"TEXT" help:"Application Insights to send requests, dependencies, exceptions and log lines to. Default none."`
}

// listenSettings say where the server listens and whom it believes.
type listenSettings struct {
	Address        string        `name:"addr" env:"XYRA_ADDR" placeholder:"127.0.0.1:8000" help:"Address and port to listen on; wins over PORT. Default 127.0.0.1:8000, on this machine only."`
	Port           int           `env:"PORT" placeholder:"8000" help:"Port alone: listen on all addresses. Default none."`
	TrustedProxies string        `env:"TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Networks of proxies whose X-Forwarded-For is believed. Default none."`
	TLSCert        string        `name:"tls-cert-file" env:"TLS_CERT_FILE" placeholder:"FILE" help:"Certificate chain in PEM: speak TLS. A new file is picked up without a restart. Default none: plain HTTP, for a proxy with TLS in front."`
	TLSKey         string        `name:"tls-key-file" env:"TLS_KEY_FILE" placeholder:"FILE" help:"Private key of the certificate in PEM."`
	RateLimit      string        `env:"RATE_LIMIT" placeholder:"6000/m" help:"Requests that one credential (without one: one address) may make in each second, minute or hour, as 100/s, 6000/m or 100000/h, per replica. Default none."`
	DrainDelay     time.Duration `env:"XYRA_DRAIN_DELAY" default:"0s" help:"How long after SIGTERM requests are still taken while /ready answers 503, so that a balancer turns away first; behind one, twice its check interval."`
	HeaderTimeout  time.Duration `env:"XYRA_HEADER_TIMEOUT" default:"10s" help:"How long a client may take to send a request's head."`
	ReadTimeout    time.Duration `env:"XYRA_READ_TIMEOUT" default:"60s" help:"How long a client may take to send a whole request."`
	WriteTimeout   time.Duration `env:"XYRA_WRITE_TIMEOUT" default:"90s" help:"How long a request may take from its head to the last byte that the client has taken of the answer."`
	IdleTimeout    time.Duration `env:"XYRA_IDLE_TIMEOUT" default:"120s" help:"How long a connection may stay open without a request."`
	ConnsMax       int           `name:"conns-max" env:"XYRA_CONNS_MAX" default:"10000" help:"Connections of clients open at once; beyond, the longest idle one is closed for each new one. One address has half of them, unless it is in TRUSTED_PROXIES. Lowered to what the system lets a process open."`
	DrainTimeout   time.Duration `env:"XYRA_DRAIN_TIMEOUT" default:"30s" help:"How long running requests may take to end after SIGTERM."`
	Metrics        string        `name:"metrics-addr" env:"METRICS_ADDR" placeholder:"ADDR" help:"Listener of its own for Prometheus, at /metrics. Default off."`
	Profiles       string        `name:"pprof-addr" env:"PPROF_ADDR" placeholder:"127.0.0.1:6060" help:"Listener of its own for Go's profiles, below /debug/pprof/; keep it on this machine. Default off."`
}

// apiSettings say what the API offers.
type apiSettings struct {
	Prefix  string `name:"api-prefix" env:"API_V1_STR" default:"/api/v1" help:"Path below which the API's routes are."`
	Project string `name:"project-name" env:"PROJECT_NAME" default:"Xyra" help:"The installation's name, in the banner."`
	Origins string `name:"cors-origins" env:"CORS_ORIGINS" default:"http://localhost:3000" help:"Origins whose web pages may call the API: commas between them, or a JSON list; [] for none."`
	Signup  bool   `name:"signup-enabled" env:"SIGNUP_ENABLED" default:"false" negatable:"" help:"Let anybody create an account without organization. Default false."`
	Docs    bool   `name:"docs-enabled" env:"DOCS_ENABLED" default:"true" negatable:"" help:"Serve /docs, /redoc and /openapi.json. Default true."`
}

// loginSettings are about tokens and the first person.
type loginSettings struct {
	Secret       string `name:"secret-key" env:"SECRET_KEY" placeholder:"TEXT" help:"Signs access tokens; the same on all replicas, 32 characters or more. Default: with SQLite one is made and kept in the data folder, with PostgreSQL it is required."`
	TokenMinutes int64  `name:"access-token-expire-minutes" env:"ACCESS_TOKEN_EXPIRE_MINUTES" default:"11520" help:"How long an access token works."`
	Email        string `name:"first-superuser" env:"FIRST_SUPERUSER" default:"admin@example.com" help:"Created at start while there is no active superuser."`
	Password     string `name:"first-superuser-password" env:"FIRST_SUPERUSER_PASSWORD" placeholder:"TEXT" help:"The first superuser's password; \"admin\" only while listening on this machine alone. Default: a random one, printed once."`
}

// databaseSettings select and bound the database.
type databaseSettings struct {
	Dir          string        `name:"data-dir" env:"XYRA_DATA_DIR" default:"./data" help:"Folder of the SQLite file xyra.db and the generated secret."`
	URL          string        `name:"database-url" env:"DATABASE_URL" placeholder:"URL" help:"postgres:// address of the database; wins over the POSTGRES variables. Default none."`
	Server       string        `name:"postgres-server" env:"POSTGRES_SERVER" placeholder:"HOST" help:"Host name, address, or folder of a socket. Default none: SQLite."`
	Port         int           `name:"postgres-port" env:"POSTGRES_PORT" default:"5432" help:"Port."`
	User         string        `name:"postgres-user" env:"POSTGRES_USER" default:"postgres" help:"User."`
	Password     string        `name:"postgres-password" env:"POSTGRES_PASSWORD" placeholder:"TEXT" help:"Password. Default none."`
	Name         string        `name:"postgres-db" env:"POSTGRES_DB" default:"xyra" help:"Database."`
	Options      string        `name:"postgres-options" env:"POSTGRES_OPTIONS" placeholder:"sslmode=require&…" help:"More connection parameters. Default none."`
	ConnsMax     int           `name:"postgres-conns-max" env:"XYRA_POSTGRES_CONNS" default:"24" help:"Connections to PostgreSQL at most."`
	ConnLifetime time.Duration `name:"postgres-conn-lifetime" env:"XYRA_POSTGRES_CONN_LIFETIME" default:"1h" help:"After which a connection to PostgreSQL is made anew, so that replicas follow a server that moved; 0s: never."`
	StatementMax time.Duration `name:"postgres-statement-timeout" env:"XYRA_POSTGRES_STATEMENT_TIMEOUT" default:"30s" help:"How long one statement of a running server may take in PostgreSQL; commands take as long as they need. 0s: no limit."`
	VerifyEvery  time.Duration `name:"verify-every" env:"XYRA_VERIFY_EVERY" default:"0s" help:"How often a running server proves its books as xyra verify does, into its log and metrics; one replica is enough. 0s: never."`
}

// logSettings say how much is logged, to standard error.
type logSettings struct {
	Format string        `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`
	Level  string        `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	Slow   time.Duration `name:"log-slow-after" env:"XYRA_LOG_SLOW_AFTER" default:"500ms" help:"Database statements slower than this are warned of."`
}

// logger builds the program's log.
func (s logSettings) logger(c console) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.Level)); err != nil {
		return nil, badValue("LOG_LEVEL", s.Level, "use debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Format {
	case "text":
		return slog.New(slog.NewTextHandler(c.err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.err, options)), nil
	}
	return nil, badValue("LOG_FORMAT", s.Format, "use text or json")
}
