package store

import (
	"fmt"
	"strings"
)

// bulk inserts many rows at once: PostgreSQL takes one array a column, SQLite statements of up to 64 rows of values.
type bulk struct {
	postgres string
	sqlite   map[int]string // rows in the statement → text
	columns  int
}

// bulkSizes are the rows of SQLite's statements, largest first.
var bulkSizes = []int{64, 16, 4, 1}

// newBulk builds the texts for a table. columns are "name type" pairs in PostgreSQL's words; decimals travel as text.
// rest is what follows the values, such as ON CONFLICT.
func newBulk(table, rest string, columns ...string) bulk {
	names, arrays, selected := make([]string, len(columns)), make([]string, len(columns)), make([]string, len(columns))
	for i, column := range columns {
		name, word, _ := strings.Cut(column, " ")
		names[i], selected[i] = name, "c"+fmt.Sprint(i)
		if word == "numeric" {
			word, selected[i] = "text", selected[i]+"::numeric"
		}
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, word)
	}
	head := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	aliases := make([]string, len(columns))
	for i := range columns {
		aliases[i] = fmt.Sprint("c", i)
	}
	b := bulk{columns: len(columns), sqlite: map[int]string{}}
	// "WHERE true" keeps SQLite's grammar out of doubt; PostgreSQL does not mind.
	b.postgres = head + "SELECT " + strings.Join(selected, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") AS rows (" + strings.Join(aliases, ", ") + ") " + rest
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ") + ")"
	for _, n := range bulkSizes {
		// OR FAIL spares SQLite the journal that would undo a single statement: whatever fails undoes the transaction.
		b.sqlite[n] = strings.Replace(head, "INSERT", "INSERT OR FAIL", 1) + "VALUES " + strings.TrimSuffix(strings.Repeat(one+", ", n), ", ") + " " + rest
	}
	return b
}

// texts are SQLite's statements, to be prepared.
func (b bulk) texts() []string {
	list := make([]string, 0, len(bulkSizes))
	for _, n := range bulkSizes {
		list = append(list, b.sqlite[n])
	}
	return list
}

// steps makes the statements that insert count rows; columns hold one typed slice each, all of that length.
func (b bulk) steps(postgres bool, name string, count int, columns ...any) []*step {
	if count == 0 {
		return nil
	}
	if postgres {
		return []*step{{name: name, text: b.postgres, args: columns}}
	}
	var steps []*step
	for from := 0; from < count; {
		n := bulkSizes[len(bulkSizes)-1]
		for _, size := range bulkSizes {
			if size <= count-from {
				n = size
				break
			}
		}
		args := make([]any, 0, n*b.columns)
		for i := from; i < from+n; i++ {
			for _, column := range columns {
				args = append(args, element(column, i))
			}
		}
		steps = append(steps, &step{name: name, text: b.sqlite[n], args: args})
		from += n
	}
	return steps
}

// element is one cell of a column.
func element(column any, i int) any {
	switch list := column.(type) {
	case []int64:
		return list[i]
	case []string:
		return list[i]
	case []*string:
		if list[i] == nil {
			return nil
		}
		return *list[i]
	case []bool:
		return list[i]
	case [][]byte:
		if list[i] == nil {
			return nil
		}
		return list[i]
	}
	panic(fmt.Sprintf("column of %T", column))
}
