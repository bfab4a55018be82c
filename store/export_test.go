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
