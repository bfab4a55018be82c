package store

import "context"

// SentTexts are the statements that db has sent so far, as written → as sent.
func SentTexts(db *DB) map[string]string {
	texts := map[string]string{}
	db.d.texts.Range(func(written, sent any) bool {
		texts[written.(string)] = sent.(string)
		return true
	})
	return texts
}

// Placements names where each table belongs on a cluster, in the order in which they are spread.
func Placements(ctx context.Context, db *DB) (names, placements []string, err error) {
	tables, err := db.tables(ctx)
	for _, t := range tables {
		names, placements = append(names, t.name), append(placements, []string{"local", "reference", "distributed"}[t.placement])
	}
	return names, placements, err
}

// MigrateTo takes the steps up to a version alone: what a binary of that time would have left.
func MigrateTo(ctx context.Context, db *DB, version int64) error {
	provider, err := db.migrationProvider()
	if err == nil {
		_, err = provider.UpTo(ctx, version)
	}
	return err
}

// Versions are the numbers of all steps.
func Versions(db *DB) (versions []int64, err error) {
	steps, err := db.migrationSteps()
	for _, step := range steps {
		versions = append(versions, step.Version)
	}
	return versions, err
}

// Texts reads the rows of a statement as texts, whatever they hold.
func Texts(ctx context.Context, db *DB, statement string) ([]string, error) {
	return collect(ctx, db.Reader, "texts", scanValue[string], statement)
}

// Do executes statements.
func Do(ctx context.Context, db *DB, text string) error {
	_, err := db.write.ExecContext(ctx, text)
	return err
}
