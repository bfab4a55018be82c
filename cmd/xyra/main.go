// Command xyra is the billing backend of a company that sells AI agents: one binary that serves the HTTP API, prepares its
// database, proves that its books add up, and shows all of that on a real month.
//
// Everything that the inner packages must not know is decided here: the clock, randomness, the environment, where to listen,
// where the data is. Each command opens what it needs, and each fault of starting up is one line with its remedy and exit
// code 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // billing periods need every time zone, also on machines that have none

	"github.com/alecthomas/kong"
)

// program is the whole command line: one word of what to do, and settings as flags or from the environment.
type program struct {
	settings `embed:""`

	Serve       serveCommand       `cmd:"" default:"1" help:"Serve the HTTP API (the default)."`
	Demo        demoCommand        `cmd:"" help:"Bill a real month: 19,366 requests of a language model through the API, one invoice, then a server to look around in."`
	Import      importCommand      `cmd:"" help:"Record the events of a .csv or .ndjson file through a running server; can be repeated safely."`
	Copy        copyCommand        `cmd:"" help:"Move an installation from SQLite to an empty PostgreSQL database."`
	ImportXyra  importXyraCommand  `cmd:"" name:"import-xyra" help:"Move an existing deployment of the Python program over: read its PostgreSQL database into this one and compare the totals."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database's schema to this version and end. serve does so by itself."`
	Verify      verifyCommand      `cmd:"" help:"Recompute every charge, sum, invoice and audit chain from the raw rows; differences are named and end with code 1."`
	Backup      backupCommand      `cmd:"" help:"Copy the SQLite database to a new file while the server runs, and prove the copy."`
	Restore     restoreCommand     `cmd:"" help:"Put a backup in the place of a SQLite database that is not there, after proving that it adds up."`
	Check       checkCommand       `cmd:"" help:"Check every setting, the database, its schema, secrets, clocks and disk without changing anything; code 1 says that something is wrong."`
	Passwd      passwdCommand      `cmd:"" help:"Set a user's password, read from the terminal or from standard input."`
	Licenses    licensesCommand    `cmd:"" help:"List the works of others in this program with their licences; --full prints the licences too."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask the server on this machine whether it is ready; code 0 says yes."`
}

// console is where a command speaks: answers on out, logs and complaints on err.
type console struct {
	in       io.Reader
	out, err io.Writer
}

// signalPause is how long signals after the first are taken for the same one: timeout(1) and terminals send it to the process
// and again to its group.
const signalPause = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		time.Sleep(signalPause)
		stop() // from now on a signal ends the process at once
	}()
	os.Exit(run(ctx, os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run is main without the process: arguments in, exit code out.
func run(ctx context.Context, args []string, c console) int {
	err := start(ctx, args, c)
	var done exitCode
	if errors.As(err, &done) {
		return int(done)
	}
	if err != nil {
		fmt.Fprintln(c.err, "xyra: "+remedy(err))
		return 1
	}
	return 0
}

// exitCode ends the program without a complaint: the command has said all there is to say.
type exitCode int

// Error implements error.
func (e exitCode) Error() string { return fmt.Sprintf("exit with code %d", int(e)) }

func start(ctx context.Context, args []string, c console) error {
	p := &program{}
	ended := exitCode(-1)
	parser, err := kong.New(p, kong.Name("xyra"), kong.Description(description), kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { ended = exitCode(code) }), kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true, WrapUpperBound: 128}))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	if err := loadEnvironment(parser.Model); err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if ended >= 0 { // --help has been printed
		return ended
	}
	if err != nil {
		return fmt.Errorf("%w; xyra --help lists all commands, options and variables", badVariable(err))
	}
	tuneMemory()
	command.BindTo(ctx, (*context.Context)(nil))
	kept := vaulted{}
	if word, _, _ := strings.Cut(command.Command(), " "); !slices.Contains(secretless, word) {
		if kept, err = p.readVault(ctx); err != nil {
			return err
		}
	}
	return command.Run(c, &p.settings, kept)
}

// secretless are the commands that no vault is asked for: they need no secret, or say by themselves what the vault answers.
var secretless = []string{"check", "demo", "healthcheck", "import", "licenses", "version"}

const description = `Xyra stores every event of AI agents exactly once, prices it, and turns each month into an invoice that adds up to the last digit.

Without a command it serves. Every setting is an option or a variable of the environment; a file .env in the working folder is read too, and the environment wins over it. A secret may be in a file: SECRET_KEY_FILE=/run/secrets/key in the place of SECRET_KEY, and so for AZURE_CLIENT_SECRET, DATABASE_URL, FIRST_SUPERUSER_PASSWORD, POSTGRES_PASSWORD, SMTP_PASSWORD, STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET.`

// memoryLimit is where the collector starts to work harder than usual; it is no bound on what the process may use.
const memoryLimit = 1 << 30

// tuneMemory lets garbage grow further than Go's default before it is collected, which measured as 5 to 17 % more events a
// second, but not without end. The environment's own settings win.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
