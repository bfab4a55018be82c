package legacy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"xyra"
	"xyra/money"
	"xyra/store"
)

// Options say how to import.
type Options struct {
	Merge bool // also into a store that holds what the source does not have
	Dry   bool // do everything, keep nothing
}

// ErrForeign means that the store holds organizations or users that the source does not have.
var ErrForeign = errors.New("it holds organizations or users that the old database does not have")

// errDry rolls a transaction back that has done its work.
var errDry = errors.New("nothing is kept")

// Import adds what the source has and the store has not, one transaction for each organization. No other process may
// write to the store meanwhile. What is there is compared and never changed.
func Import(ctx context.Context, s *Source, db *store.DB, o Options) (*Report, error) {
	report := &Report{Ignored: s.ignored}
	silent := &remarks{}
	organizations, err := s.records(ctx, "organization", "", silent)
	if err != nil {
		return nil, err
	}
	people, err := s.people(ctx)
	if err != nil {
		return nil, err
	}
	if !o.Merge {
		if err := refuseForeign(ctx, db, organizations, people); err != nil {
			return nil, err
		}
	}
	prices, err := s.configs(ctx)
	if err != nil {
		return nil, err
	}
	here := map[xyra.UserID]bool{}
	if err := report.run(ctx, db, o, &importer{source: s, options: o, people: people, here: here}, (*importer).platform); err != nil {
		return nil, fmt.Errorf("import users without organization: %w", err)
	}
	for _, r := range organizations {
		im := &importer{source: s, options: o, people: people, here: here, prices: prices, row: r}
		if err := report.run(ctx, db, o, im, (*importer).organization); err != nil {
			return nil, fmt.Errorf("import %s: %w", r.name(), err)
		}
	}
	if o.Dry {
		return report, nil
	}
	return report, s.advance(ctx, db)
}

// run does one part in one transaction, which may begin again.
func (report *Report) run(ctx context.Context, db *store.DB, o Options, im *importer, work func(*importer, context.Context) error) error {
	err := db.Tx(ctx, func(tx *store.Tx) error {
		im.begin(tx)
		if err := tx.PauseRecording(ctx); err != nil {
			return err
		}
		if err := work(im, ctx); err != nil {
			return err
		}
		if o.Dry {
			return errDry
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDry) {
		return err
	}
	im.part.Totals, im.part.Rounded = im.totals.List(), im.say.rounded
	im.part.Notes, im.part.Differences = im.say.notes, im.say.differences
	report.Parts = append(report.Parts, im.part)
	return nil
}

// people are the source's users by organization.
func (s *Source) people(ctx context.Context) (map[int64][]record, error) {
	users, err := s.records(ctx, "user", "", &remarks{})
	byOrganization := map[int64][]record{}
	for _, u := range users {
		of := u.number("organization_id")
		byOrganization[of] = append(byOrganization[of], u)
	}
	return byOrganization, err
}

func (s *Source) configs(ctx context.Context) (configs, error) {
	c := configs{}
	for _, name := range configTables {
		rows, err := s.records(ctx, name, "", &remarks{})
		if err != nil {
			return nil, err
		}
		c[name] = map[int64][]record{}
		for _, r := range rows {
			model := r.number("billing_model_id")
			c[name][model] = append(c[name][model], r)
		}
	}
	return c, nil
}

// refuseForeign keeps two installations from becoming one by accident.
func refuseForeign(ctx context.Context, db *store.DB, organizations []record, people map[int64][]record) error {
	theirs := map[int64]bool{}
	for _, r := range organizations {
		theirs[r.number("id")] = true
	}
	ours, err := db.OrganizationIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ours {
		if !theirs[int64(id)] {
			return fmt.Errorf("%w: organization %d", ErrForeign, id)
		}
	}
	clear(theirs)
	for _, list := range people {
		for _, r := range list {
			theirs[r.number("id")] = true
		}
	}
	users, err := db.UserIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range users {
		if !theirs[int64(id)] {
			return fmt.Errorf("%w: user %d", ErrForeign, id)
		}
	}
	return nil
}

// advance makes new ids begin behind all imported ones.
func (s *Source) advance(ctx context.Context, db *store.DB) error {
	last := map[string]int64{}
	for of, tables := range map[string][]string{"organizations": {"organization"}, "users": {"user"}, "api_keys": {"apikey"},
		"billing_models": {"billingmodel"}, "agents": {"agent"}, "invoice_numbers": {"invoice"}, "line_ids": {"invoicelineitem"},
		"event_ids": {"agentactivity", "agentcost", "agentoutcome"}} {
		for _, name := range tables {
			t := s.tables[name]
			if !t.has("id") {
				continue
			}
			var most int64
			if err := s.tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) FROM "+t.name).Scan(&most); err != nil {
				return fmt.Errorf("read the last id of %s: %w", t.name, err)
			}
			last[of] = max(last[of], most)
		}
	}
	return db.Tx(ctx, func(tx *store.Tx) error {
		for of, most := range last {
			if most == 0 {
				continue
			}
			if err := tx.AdvanceIDs(ctx, of, most); err != nil {
				return err
			}
		}
		return nil
	})
}

// importer does one part of an import.
type importer struct {
	source  *Source
	options Options
	people  map[int64][]record
	here    map[xyra.UserID]bool // whether a user of any organization is here
	prices  configs
	row     record // of the organization

	tx       *store.Tx
	part     Part
	say      *remarks
	totals   *Totals
	org      xyra.Organization
	zone     *time.Location
	agents   map[xyra.AgentID]xyra.Agent
	models   map[xyra.BillingModelID]bool // whether it is here
	first    map[xyra.BillingModelID]xyra.Version
	versions map[xyra.VersionID]xyra.Version
	auto     map[eventName]*autoCost
	mapped   map[int64]bool // cost rows that became charges
	covered  map[store.PeriodCurrency]*issued
	open     map[store.PeriodCurrency]*openMonth
}

// begin forgets what an attempt before has found.
func (im *importer) begin(tx *store.Tx) {
	im.tx, im.part, im.say, im.totals = tx, Part{}, &remarks{}, newTotals()
	im.agents, im.models = map[xyra.AgentID]xyra.Agent{}, map[xyra.BillingModelID]bool{}
	im.first, im.versions = map[xyra.BillingModelID]xyra.Version{}, map[xyra.VersionID]xyra.Version{}
	im.auto, im.mapped = map[eventName]*autoCost{}, map[int64]bool{}
	im.covered, im.open = map[store.PeriodCurrency]*issued{}, map[store.PeriodCurrency]*openMonth{}
	im.row.say = im.say
}

// judge counts a row that was added, and compares one that was there: nothing is overwritten.
func (im *importer) judge(fresh bool, r record, found error, fields func() []string) (usable bool, err error) {
	switch {
	case fresh:
		im.part.Added++
		return true, nil
	case xyra.HasCode(found, xyra.CodeNotFound):
		im.say.differ("%s is not imported: its id, or what must be unique of it, is taken by another or archived row", r.name())
		return false, nil
	case found != nil:
		return false, found
	}
	differing := fields()
	switch {
	case slices.Contains(differing, "CreatedAt") || slices.Contains(differing, "Number"):
		// Nothing changes these: what has the id here is not what has it there.
		im.say.differ("%s is another one here (%s): it is not imported, nor what belongs to it", r.name(), strings.Join(differing, ", "))
		return false, nil
	case len(differing) > 0:
		im.say.differ("%s is here with another %s and stays as it is here", r.name(), strings.Join(differing, ", "))
	default:
		im.part.Known++
	}
	return true, nil
}

// platform imports the users who belong to no organization.
func (im *importer) platform(ctx context.Context) error {
	im.part.Name = "users without organization"
	if err := im.source.readTotals(ctx, 0, im.totals); err != nil {
		return err
	}
	if err := im.users(ctx, 0); err != nil {
		return err
	}
	if im.part.Added > 0 {
		im.tx.Audit(xyra.Caller{}, xyra.AuditEntry{Action: "users.import", Detail: fmt.Appendf(nil, `{"rows":%d}`, im.part.Added)})
	}
	ids, err := im.tx.UserIDs(ctx)
	if err != nil {
		return err
	}
	im.totals.after(countUsers, present(ids, idsOf[xyra.UserID](im.people[0])))
	return nil
}

// organization imports one with all it has.
func (im *importer) organization(ctx context.Context) error {
	im.org = organization(im.row)
	im.part.Organization, im.part.Name = im.org.ID, im.org.Name
	if err := im.source.readTotals(ctx, im.org.ID, im.totals); err != nil {
		return err
	}
	fresh, err := im.tx.InsertImportedOrganization(ctx, im.org)
	if err != nil {
		return err
	}
	stored, found := im.tx.Organization(ctx, im.org.ID)
	usable, err := im.judge(fresh, im.row, found, func() []string { return changed(stored, im.org, "UpdatedAt", "Settings") })
	if err != nil || !usable {
		return err
	}
	if im.zone, err = time.LoadLocation(im.org.Timezone); err != nil {
		return fmt.Errorf("time zone of %s: %w", im.row.name(), err)
	}
	for _, step := range []func(context.Context) error{im.members, im.billingModels, im.everyAgent, im.apiKeys, im.invoices, im.events} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	im.describeOpen()
	if im.part.Added > 0 {
		im.tx.Audit(xyra.Caller{}, xyra.AuditEntry{Organization: im.org.ID, Action: "organization.import", ObjectID: int64(im.org.ID),
			Detail: fmt.Appendf(nil, `{"rows":%d}`, im.part.Added)})
	}
	return storedTotals(ctx, im.tx.Reader, im.org.ID, int64(len(im.mapped)), im.totals)
}

func (im *importer) members(ctx context.Context) error {
	if err := im.users(ctx, im.org.ID); err != nil {
		return err
	}
	ours, err := im.tx.UsersOf(ctx, im.org.ID, 0, everything)
	if err != nil {
		return err
	}
	ids := make([]xyra.UserID, len(ours))
	for i, u := range ours {
		ids[i] = u.ID
	}
	im.totals.after(countUsers, present(ids, idsOf[xyra.UserID](im.people[int64(im.org.ID)])))
	return nil
}

// everything is a limit that no list reaches.
const everything = 1 << 40

func idsOf[T ~int64](rows []record) []T {
	ids := make([]T, len(rows))
	for i, r := range rows {
		ids[i] = T(r.number("id"))
	}
	return ids
}

func (im *importer) users(ctx context.Context, of xyra.OrganizationID) error {
	for _, r := range im.people[int64(of)] {
		r.say = im.say
		u := user(r)
		if twin, err := im.tx.UserByEmail(ctx, u.EmailKey); err == nil && twin.ID != u.ID {
			im.here[u.ID] = false
			im.say.differ("%s is not imported: its address %s is that of user %d, upper and lower case not distinguished", r.name(), u.Email, twin.ID)
			continue
		} else if err != nil && !xyra.HasCode(err, xyra.CodeNotFound) {
			return err
		}
		fresh, err := im.tx.InsertImportedUser(ctx, u)
		if err != nil {
			return err
		}
		stored, found := im.tx.User(ctx, u.ID)
		// A login here sets these two.
		usable, err := im.judge(fresh, r, found, func() []string { return changed(stored, u, "UpdatedAt", "LastLogin", "PasswordHash") })
		if err != nil {
			return err
		}
		im.here[u.ID] = usable
	}
	return nil
}

func (im *importer) billingModels(ctx context.Context) error {
	rows, err := im.source.records(ctx, "billingmodel", "WHERE t.organization_id = $1::bigint", im.say, int64(im.org.ID))
	if err != nil {
		return err
	}
	for _, r := range rows {
		m := billingModel(r, im.prices)
		fresh, err := im.tx.InsertImportedBillingModel(ctx, m)
		if err != nil {
			return err
		}
		if fresh {
			if _, err := im.tx.InsertVersion(ctx, im.org.ID, m.Version); err != nil {
				return err
			}
		}
		stored, found := im.tx.BillingModel(ctx, im.org.ID, m.ID)
		usable, err := im.judge(fresh, r, found, func() []string {
			fields := changed(stored, m, "UpdatedAt", "Version")
			return append(fields, changed(stored.Version, m.Version, "ID", "From")...)
		})
		if err != nil {
			return err
		}
		im.models[m.ID] = usable
	}
	byModel, err := im.tx.Versions(ctx, im.org.ID)
	if err != nil {
		return err
	}
	ours := make([]xyra.BillingModelID, 0, len(byModel))
	for id, versions := range byModel {
		ours = append(ours, id)
		im.first[id] = versions[0]
		for _, v := range versions {
			im.versions[v.ID] = v
		}
	}
	im.totals.after(countModels, present(ours, idsOf[xyra.BillingModelID](rows)))
	return nil
}

func (im *importer) everyAgent(ctx context.Context) error {
	rows, err := im.source.records(ctx, "agent", "WHERE t.organization_id = $1::bigint", im.say, int64(im.org.ID))
	if err != nil {
		return err
	}
	for _, r := range rows {
		a := agent(r)
		if a.BillingModel != 0 && !im.models[a.BillingModel] {
			im.say.differ("%s: its billing model %d is not here or not of its organization: it has none here", r.name(), a.BillingModel)
			a.BillingModel = 0
		}
		if a.ExternalID != nil {
			if twin, err := im.tx.AgentByExternalID(ctx, im.org.ID, *a.ExternalID); err == nil && twin.ID != a.ID {
				im.say.differ("%s: its external_id %q is that of agent %d: it has none here", r.name(), *a.ExternalID, twin.ID)
				a.ExternalID = nil
			} else if err != nil && !xyra.HasCode(err, xyra.CodeNotFound) {
				return err
			}
		}
		fresh, err := im.tx.InsertImportedAgent(ctx, a)
		if err != nil {
			return err
		}
		stored, found := im.tx.Agent(ctx, im.org.ID, a.ID)
		usable, err := im.judge(fresh, r, found, func() []string { return changed(stored, a, "UpdatedAt", "LastActive") })
		if err != nil {
			return err
		}
		if usable {
			im.agents[a.ID] = a
		}
	}
	ever, err := im.tx.AgentsEver(ctx, im.org.ID)
	if err != nil {
		return err
	}
	ids := make([]xyra.AgentID, len(ever))
	for i, a := range ever {
		ids[i] = a.ID
	}
	im.totals.after(countAgents, present(ids, idsOf[xyra.AgentID](rows)))
	return nil
}

func (im *importer) apiKeys(ctx context.Context) error {
	rows, err := im.source.records(ctx, "apikey", "WHERE t.organization_id = $1::bigint", im.say, int64(im.org.ID))
	if err != nil {
		return err
	}
	kept := int64(0)
	for _, r := range rows {
		k, usable := apiKey(r)
		if !usable {
			im.say.differ("%s is not imported: neither the key nor its SHA-256 is kept", r.name())
			continue
		}
		if !im.here[k.User] {
			im.say.differ("%s is not imported: its user %d is not here or of another organization", r.name(), k.User)
			continue
		}
		fresh, err := im.tx.InsertImportedAPIKey(ctx, k)
		if err != nil {
			return err
		}
		stored, found := im.tx.APIKey(ctx, im.org.ID, k.ID)
		there, err := im.judge(fresh, r, found, func() []string { return changed(stored, k, "UpdatedAt", "LastUsed") })
		if err != nil {
			return err
		}
		if there {
			kept++
		}
	}
	im.totals.after(countKeys, money.FromInt(kept))
	return nil
}
