package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"xyra"
)

// pipeline is one round trip of statements of which only the success is of interest, written in PostgreSQL's own messages:
// a pgx.Batch has the server describe each statement every time, and cannot hold the rows of a COPY.
type pipeline struct {
	conn    *pgx.Conn
	out     []byte
	builder pgx.ExtendedQueryBuilder
}

// sendMax is how many bytes are sent at once.
const sendMax = 64 << 10

// send runs the steps one after the other, up to the first that fails. A refusal of the server comes as a PgError and leaves
// the connection usable; after any other error it is closed.
func (rec *Recording) send(ctx context.Context, steps []*step) error {
	prepared := make([]*pgconn.StatementDescription, len(steps))
	for i, s := range steps {
		text := rec.db.d.text(s.text)
		var err error
		if prepared[i], err = rec.pg.Prepare(ctx, text, text); err != nil {
			return fmt.Errorf("prepare %s: %w", s.name, err)
		}
	}
	conn := rec.pg.PgConn()
	stop := context.AfterFunc(ctx, func() { _ = conn.Conn().SetDeadline(time.Unix(1, 0)) }) // a closed connection needs none
	p := pipeline{conn: rec.pg, out: make([]byte, 0, 16<<10)}
	err := p.run(steps, prepared)
	if inTime := stop(); inTime && (err == nil || isRefusal(err)) {
		return err
	}
	giveUp, done := context.WithTimeout(context.WithoutCancel(ctx), cancelMax)
	defer done()
	if err != nil {
		err = errors.Join(err, conn.CancelRequest(giveUp))
	}
	if failed := conn.Close(giveUp); err != nil {
		return errors.Join(err, failed)
	}
	return nil
}

// cancelMax bounds what is spent on telling the server that nobody waits for it any more.
const cancelMax = time.Second

func (p *pipeline) run(steps []*step, prepared []*pgconn.StatementDescription) error {
	for i, s := range steps {
		if err := p.add(s, prepared[i]); err != nil {
			return fmt.Errorf("send %s: %w", s.name, err)
		}
	}
	p.out = append(p.out, 'S', 0, 0, 0, 4) // Sync
	if err := p.flush(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	done, err := p.answers()
	if err != nil && done < len(steps) {
		return fmt.Errorf("%s: %w", steps[done].name, err)
	}
	return nil // a connection that is lost after the last answer concerns the next one to use it
}

func (p *pipeline) add(s *step, prepared *pgconn.StatementDescription) (err error) {
	if err := p.builder.Build(p.conn.TypeMap(), prepared, s.args); err != nil {
		return err
	}
	bind := pgproto3.Bind{PreparedStatement: prepared.Name, ParameterFormatCodes: p.builder.ParamFormats, Parameters: p.builder.ParamValues}
	if p.out, err = bind.Encode(p.out); err != nil {
		return err
	}
	if p.out, err = (&pgproto3.Execute{}).Encode(p.out); err != nil {
		return err
	}
	if s.copied != nil {
		return p.copy(s.copied)
	}
	return nil
}

// copy adds the rows for a COPY. The server skips them if it has not come that far.
func (p *pipeline) copy(events []*xyra.Event) error {
	start := p.startRows()
	p.out = append(p.out, copyHead...)
	for _, e := range events {
		p.out = appendEventRow(p.out, e)
		if len(p.out) < sendMax {
			continue
		}
		p.endRows(start)
		if err := p.flush(); err != nil {
			return err
		}
		start = p.startRows()
	}
	p.out = append(p.out, copyEnd...)
	p.endRows(start)
	p.out = append(p.out, 'c', 0, 0, 0, 4) // CopyDone
	return nil
}

// startRows begins a message of rows, which endRows gives its length.
func (p *pipeline) startRows() int {
	p.out = append(p.out, 'd', 0, 0, 0, 0) // CopyData
	return len(p.out) - 4
}

func (p *pipeline) endRows(start int) {
	binary.BigEndian.PutUint32(p.out[start:], uint32(len(p.out)-start))
}

func (p *pipeline) flush() error {
	_, err := p.conn.PgConn().Conn().Write(p.out)
	p.out = p.out[:0]
	return err
}

// answers reads until the server is ready for more and counts the statements that succeeded.
func (p *pipeline) answers() (done int, refused error) {
	for {
		message, err := p.conn.PgConn().ReceiveMessage(context.Background()) // send's deadline ends it
		if err != nil {
			return done, err
		}
		switch m := message.(type) {
		case *pgproto3.CommandComplete:
			done++
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return done, refused
		}
	}
}
