package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"xyra"
	"xyra/notice"
	"xyra/store"
)

func (s *Server) jobRoutes() []*route {
	return []*route{
		{method: http.MethodGet, path: "/jobs", summary: "List jobs, newest first", tag: "jobs", rights: superusers, operation: endpoint(s.listJobs)},
		{method: http.MethodGet, path: "/jobs/{job_id}", summary: "Read a job", tag: "jobs", rights: superusers, operation: endpoint(s.readJob)},
		{method: http.MethodPost, path: "/jobs/{job_id}/retry", summary: "Run a job that failed, waits or was discarded at once", tag: "jobs", rights: superusers, operation: endpoint(s.retryJob)},
		{method: http.MethodPost, path: "/jobs/{job_id}/discard", summary: "Give up a job that failed or waits", tag: "jobs", rights: superusers, operation: endpoint(s.discardJob)},
	}
}

type jobListIn struct {
	State, Kind string
	paging
}

func (in *jobListIn) params() []param {
	return append([]param{
		queryText("state", &in.State).explained("waiting, running, done, failed or discarded; all if empty."),
		queryText("kind", &in.Kind).explained("Only jobs of this kind; all if empty."),
	}, in.paging.params()...)
}

type jobIn struct{ ID xyra.JobID }

func (in *jobIn) params() []param { return []param{pathID("job_id", &in.ID)} }

type jobOut struct {
	ID           xyra.JobID      `json:"id"`
	Kind         string          `json:"kind"`
	Organization *int64          `json:"organization_id"`
	Args         json.RawMessage `json:"args"`
	UniqueKey    *string         `json:"unique_key"`
	State        xyra.JobState   `json:"state"`
	Attempt      int64           `json:"attempt"`
	AttemptsMax  int64           `json:"attempts_max"`
	RunAt        instant         `json:"run_at"`
	LastError    *string         `json:"last_error"`
	CreatedAt    instant         `json:"created_at"`
	FinishedAt   *instant        `json:"finished_at"`
}

func newJobOut(j xyra.Job) jobOut {
	out := jobOut{ID: j.ID, Kind: j.Kind, Args: j.Args, State: j.State, Attempt: int64(j.Attempt), AttemptsMax: int64(j.AttemptsMax),
		RunAt: instant(j.RunAt), CreatedAt: instant(j.CreatedAt), FinishedAt: instantOrNil(j.FinishedAt)}
	if j.Organization != 0 {
		id := int64(j.Organization)
		out.Organization = &id
	}
	if j.UniqueKey != "" {
		out.UniqueKey = &j.UniqueKey
	}
	if j.LastError != "" {
		out.LastError = &j.LastError
	}
	return out
}

func (s *Server) listJobs(c *call, in *jobListIn) ([]jobOut, error) {
	list, err := s.db.Jobs(c.context(), in.State, in.Kind, in.Skip, in.Limit)
	out := make([]jobOut, len(list))
	for n, j := range list {
		out[n] = newJobOut(j)
	}
	return out, err
}

func (s *Server) readJob(c *call, in *jobIn) (jobOut, error) {
	j, err := s.db.Job(c.context(), in.ID)
	return newJobOut(j), err
}

func (s *Server) retryJob(c *call, in *jobIn) (jobOut, error) {
	return changeJob(c, in.ID, "job.retry", xyra.Job.Retried)
}

func (s *Server) discardJob(c *call, in *jobIn) (jobOut, error) {
	return changeJob(c, in.ID, "job.discard", xyra.Job.Discarded)
}

// changeJob applies what the noun decides to a job that no runner can claim meanwhile.
func changeJob(c *call, id xyra.JobID, action string, decide func(xyra.Job, time.Time) (xyra.Job, error)) (jobOut, error) {
	return write(c, func(ctx context.Context, tx *store.Tx) (jobOut, error) {
		before, err := tx.JobLocked(ctx, id)
		if err != nil {
			return jobOut{}, err
		}
		j, err := decide(before, tx.Now)
		if err != nil {
			return jobOut{}, err
		}
		if err := tx.UpdateJob(ctx, j); err != nil {
			return jobOut{}, err
		}
		if err := notice.FollowJob(ctx, tx, j); err != nil {
			return jobOut{}, err
		}
		detail, err := json.Marshal(map[string]string{"kind": j.Kind, "from": string(before.State), "to": string(j.State)})
		if err != nil {
			return jobOut{}, err
		}
		tx.Audit(c.caller, xyra.AuditEntry{Organization: j.Organization, Action: action, ObjectID: int64(j.ID), Detail: detail})
		return newJobOut(j), nil
	})
}
