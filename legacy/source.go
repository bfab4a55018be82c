package legacy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Source is the database of an existing deployment. It is read in one snapshot; Close ends that.
type Source struct {
	db      *sql.DB
	tx      *sql.Tx
	tables  map[string]table // by the name of columnNames
	ignored []string         // tables and columns that are not read
}

// table is one of the database's tables as it is named there.
type table struct {
	name    string            // quoted
	columns map[string]string // our name → quoted name
}

// has tells whether the table is there with all these columns.
func (t table) has(columns ...string) bool {
	for _, c := range columns {
		if t.columns[c] == "" {
			return false
		}
	}
	return t.name != ""
}

// ErrNotXyra means that the database holds nothing of an existing deployment.
var ErrNotXyra = errors.New("it has no tables of organizations, users and agents")

// ErrOwn means that the database is a store of this program already.
var ErrOwn = errors.New("it is a database of this program; the old one must be another")

// OpenSource connects to a postgres:// address and finds out what is there.
func OpenSource(ctx context.Context, address string) (*Source, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address cannot be read: write postgres://user:password@host:5432/database, special characters percent-encoded")
	}
	u.Scheme, _, _ = strings.Cut(u.Scheme, "+") // "postgresql+driver" is how SQLAlchemy names it
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("the address must be like postgres://user:password@host:5432/database")
	}
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u.Redacted(), err)
	}
	s := &Source{db: db}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", u.Redacted(), err), s.Close())
	}
	return s, nil
}

// begin opens the snapshot. Times and numbers are written in one form, whatever the server's settings.
func (s *Source) begin(ctx context.Context) (err error) {
	if s.tx, err = s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}); err != nil {
		return err
	}
	for _, setting := range []string{"SET LOCAL TIME ZONE 'UTC'", "SET LOCAL DateStyle = 'ISO, YMD'", "SET LOCAL extra_float_digits = 3"} {
		if _, err := s.tx.ExecContext(ctx, setting); err != nil {
			return err
		}
	}
	return s.discover(ctx)
}

// Close ends the snapshot and the connection.
func (s *Source) Close() error {
	if s.tx != nil {
		if err := s.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			return errors.Join(err, s.db.Close())
		}
	}
	return s.db.Close()
}

// discover finds tables and columns of whatever layout, in the schema that the connection uses.
func (s *Source) discover(ctx context.Context) error {
	rows, err := s.tx.QueryContext(ctx, `SELECT t.table_name, c.column_name FROM information_schema.tables t
		JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
		WHERE t.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY t.table_name, c.ordinal_position`)
	if err != nil {
		return err
	}
	defer rows.Close()
	s.tables = map[string]table{}
	for rows.Next() {
		var tableName, column string
		if err := rows.Scan(&tableName, &column); err != nil {
			return err
		}
		if tableName == "usage_periods" {
			return ErrOwn
		}
		s.place(tableName, column)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	slices.Sort(s.ignored)
	s.ignored = slices.Compact(s.ignored)
	if !s.tables["organization"].has("id") || !s.tables["user"].has("id") || !s.tables["agent"].has("id") {
		return ErrNotXyra
	}
	return nil
}

func (s *Source) place(tableName, column string) {
	ours := singular(tableName)
	if ours == "alembicversion" {
		return
	}
	known, read := columnNames[ours]
	if !read {
		s.ignored = append(s.ignored, "table "+tableName)
		return
	}
	t, placed := s.tables[ours]
	if !placed {
		t = table{name: quoted(tableName), columns: map[string]string{}}
	}
	if t.name != quoted(tableName) {
		s.ignored = append(s.ignored, "table "+tableName+" (beside "+t.name+")")
		return
	}
	for _, name := range known {
		for alias := range strings.SplitSeq(name, "|") {
			if alias == column {
				first, _, _ := strings.Cut(name, "|")
				t.columns[first] = quoted(column)
				s.tables[ours] = t
				return
			}
		}
	}
	s.tables[ours] = t
	s.ignored = append(s.ignored, "column "+tableName+"."+column)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// singular is a table's name as the older layouts had it: "agent_activities" is "agentactivity".
func singular(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "")
	if stem, plural := strings.CutSuffix(name, "ies"); plural {
		return stem + "y"
	}
	return strings.TrimSuffix(name, "s")
}

// columnNames are the tables that are read and their columns, each with the names it has had; the first is ours.
var columnNames = map[string][]string{
	"organization": {"id", "name", "description", "external_id", "status", "billing_email", "contact_name", "contact_phone", "timezone",
		"settings", "stripe_customer_id", "created_at", "updated_at"},
	"user": {"id", "organization_id", "email", "full_name|name", "hashed_password|password_hash", "is_active", "is_superuser", "role",
		"last_login", "created_at", "updated_at"},
	"apikey": {"id", "organization_id", "user_id", "name", "description", "key_hash|hashed_key|token_hash", "key|token|api_key",
		"key_prefix|prefix", "is_active", "expires_at", "last_used|last_used_at", "created_at", "updated_at"},
	"billingmodel":    {"id", "organization_id", "name", "description", "model_type|type", "is_active", "config", "created_at", "updated_at"},
	"seatbasedconfig": {"id", "billing_model_id", "price_per_seat", "billing_frequency", "created_at", "updated_at"},
	"agentbasedconfig": {"id", "billing_model_id", "price_per_seat|base_agent_fee", "billing_frequency", "setup_fee", "volume_discount_enabled",
		"volume_discount_threshold", "volume_discount_percentage", "agent_tier", "created_at", "updated_at"},
	"activitybasedconfig": {"id", "billing_model_id", "price_per_action|price_per_unit", "action_type|activity_type", "unit_type", "base_agent_fee",
		"volume_pricing_enabled", "minimum_charge", "billing_frequency", "is_active", "volume_tier_1_threshold", "volume_tier_1_price",
		"volume_tier_2_threshold", "volume_tier_2_price", "volume_tier_3_threshold", "volume_tier_3_price", "created_at", "updated_at"},
	"outcomebasedconfig": {"id", "billing_model_id", "outcome_type", "percentage", "outcome_name", "base_platform_fee", "platform_fee_frequency",
		"minimum_attribution_value", "risk_premium_percentage", "monthly_cap_amount", "success_bonus_threshold", "success_bonus_percentage",
		"tier_1_threshold", "tier_1_percentage", "tier_2_threshold", "tier_2_percentage", "tier_3_threshold", "tier_3_percentage",
		"fixed_charge_per_outcome", "is_active", "created_at", "updated_at"},
	"hybridconfig": {"id", "billing_model_id", "base_fee", "created_at", "updated_at"},
	"workflowbasedconfig": {"id", "billing_model_id", "base_platform_fee", "platform_fee_frequency", "volume_discount_enabled", "overage_multiplier",
		"currency", "is_active", "created_at", "updated_at"},
	"workflowtype": {"id", "billing_model_id", "workflow_type", "price_per_workflow", "minimum_charge", "volume_tier_1_threshold",
		"volume_tier_1_price", "is_active", "created_at", "updated_at"},
	"agent": {"id", "organization_id", "billing_model_id", "name", "description", "config", "is_active", "external_id", "status", "type",
		"capabilities", "last_active", "created_at", "updated_at"},
	"agentactivity": {"id", "agent_id", "activity_type", "timestamp", "details|activity_metadata|metadata", "created_at", "updated_at"},
	"agentcost":     {"id", "agent_id", "cost_type", "amount", "currency", "timestamp", "details", "created_at", "updated_at"},
	"agentoutcome":  {"id", "agent_id", "outcome_type", "value", "currency", "timestamp", "details", "verified", "created_at", "updated_at"},
	"invoice": {"id", "organization_id", "invoice_number", "issue_date", "due_date", "status", "amount", "tax_amount", "total_amount", "currency",
		"payment_method", "payment_date", "stripe_invoice_id", "stripe_checkout_session_id", "stripe_payment_link", "notes",
		"metadata|invoice_metadata", "created_at", "updated_at"},
	"invoicelineitem": {"id", "invoice_id", "description", "quantity", "unit_price", "amount", "item_type", "reference_id", "reference_type",
		"metadata|item_metadata", "created_at", "updated_at"},
}
