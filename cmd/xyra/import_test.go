package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// importer runs xyra import against a server with a key.
type importer struct {
	t   *testing.T
	env []string
	dir string
}

func newImporter(t *testing.T, s *server, client *demoClient) importer {
	root := strings.TrimSuffix(s.url, "/api/v1")
	return importer{t, []string{"XYRA_URL=" + root, "XYRA_API_KEY=" + client.credential}, t.TempDir()}
}

// run imports a file of this content and checks exit code, summary and a part of the complaints.
func (i importer) run(name, content string, code int, summary, complaint string, flags ...string) {
	i.t.Helper()
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		i.t.Fatal(err)
	}
	got, out, complaints := ended(i.t, command(i.t, i.env, append([]string{"import", path}, flags...)...))
	if got != code || !strings.Contains(out, summary) || !strings.Contains(complaints, complaint) {
		i.t.Errorf("%s ends with %d: %s%s, want %d, %q and %q", name, got, out, complaints, code, summary, complaint)
	}
}

// A file can be imported as often as one likes: every row is recorded once, the bad ones are named each time.
func TestImport_RecordsEveryRowOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, env []string) {
		s := startServer(t, env...)
		_, agents, client, err := makeWorld(t.Context(), s.login())
		if err != nil {
			t.Fatal(err)
		}
		i := newImporter(t, s, client)
		agent := agents[1].ID
		var table, lines strings.Builder
		table.WriteString("\xef\xbb\xbfAgent_ID,type,quantity,timestamp,details,kind,amount\r\n")
		for row := range 1200 {
			fmt.Fprintf(&table, "%d,generated_token,%d,2024-05-15T12:00:00Z,\"{\"\"row\"\": %d}\",,\r\n", agent, 1+row%2, row%3)
			fmt.Fprintf(&lines, `{"agent_id": %d, "activity_type": "generated_token"}`+"\n\n", agent)
		}
		fmt.Fprintf(&table, "%d,generated_token,-1,,,,\n999999,generated_token,1,,,,\n%d,llm,,,,cost,2.50\nx,y\n%d,a,1,,no JSON,,\n", agent, agent, agent)
		lines.WriteString(`{"kind":"cost","cost_type":"llm","amount":1,"agent_id":` + fmt.Sprint(agent) + `,"idempotency_key":null}` + "\n{}\nnot JSON\n")
		i.run("usage.csv", table.String(), 1, "usage.csv: 1,205 rows: 1,201 accepted, 0 known already, 4 rejected", "line 1202: 422 quantity: Input should be greater than 0", "--batch=500")
		i.run("usage.csv", table.String(), 1, "1,205 rows: 0 accepted, 1,201 known already, 4 rejected", "line 1203: 404 Agent not found\n")
		i.run("usage.csv", table.String(), 1, "0 accepted, 1,201 known already", "line 1205: 2 cells in a table of 7 columns\n", "--batch=1000")
		i.run("usage.csv", table.String(), 1, "0 accepted, 1,201 known already", "line 1206: 422 activity_metadata: Input should be a valid dictionary\n")
		i.run("usage.ndjson", lines.String(), 1, "1,203 rows: 1,201 accepted, 0 known already, 2 rejected", "line 2403: 422 0: JSON decode error\n")
		i.run("usage.ndjson", lines.String(), 1, "1,203 rows: 0 accepted, 1,201 known already, 2 rejected", "line 2402: 422 activity_type: Field required; agent_id: Field required\n")
		i.run("other.ndjson", "{\"agent_id\":"+fmt.Sprint(agent)+",\"activity_type\":\"a\",\"id\":\"row-1\"}", 0, "1 rows: 1 accepted", "", "--key-column=id")
		i.run("renamed.csv", fmt.Sprintf("id,agent_id,type\nrow-1,%d,a\nrow-2,%d,a\n", agent, agent), 0, "2 rows: 1 accepted, 1 known already", "", "--key-column=ID")
		var stats demoStats
		if err := client.read(t.Context(), fmt.Sprintf("/agents/%d/stats", agent), &stats); err != nil || stats.Activities != 2402 {
			t.Errorf("%+v, %v", stats, err)
		}
		if code := s.terminate(); code != 0 {
			t.Errorf("the server ends with %d: %s", code, s.log)
		}
		mustVerify(t, env)
	})
}

// Whatever is wrong with the call is one line, before anything is sent.
func TestImport_FaultsSayWhatToDo(t *testing.T) {
	s := startServer(t, "SECRET_KEY="+strings.Repeat("k", 32), "FIRST_SUPERUSER_PASSWORD="+testPassword)
	i := newImporter(t, s, &demoClient{credential: "xyra_wrong"})
	i.run("a.csv", "agent_id,type\n1,a\n", 1, "0 rows", "answers 401 Unauthorized: Could not validate credentials")
	i.run("a.csv", "agent_id,tpye\n1,a\n", 1, "", `column "tpye" is none of kind, agent_id,`)
	i.run("a.csv", "type,Type\n", 1, "", `two columns are named "Type"`)
	i.run("a.csv", "", 1, "", "the file is empty")
	i.run("a.txt", "", 1, "", "choose --format=csv or --format=ndjson")
	i.run("a.ndjson", strings.Repeat("x", 2<<20), 1, "0 rows", "line 1 is longer than 1 MiB")
	i.run("a.ndjson", "", 1, "", "choose 1 to 10000", "--batch=0")
	i.env = i.env[:1]
	i.run("a.ndjson", "{}", 1, "", "set XYRA_API_KEY, or XYRA_EMAIL and XYRA_PASSWORD")
	i.env = append(i.env, "XYRA_EMAIL=admin@example.com", "XYRA_PASSWORD="+testPassword)
	i.run("a.ndjson", `{"activity_type":"a","agent_id":1}`, 1, "1 rejected", "line 1: 404 Agent not found")
}
