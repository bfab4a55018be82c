package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// bulk inserts many rows at once: PostgreSQL takes one array a column, SQLite statements of up to 64 rows of values. Binding
// is a third of what a row costs SQLite, so columns that are equal in all rows of a statement are bound once.
type bulk struct {
	postgres string
	sqlite   []variant // those that share most first, the last shares nothing
}

// variant is the statements for rows that agree in some columns.
type variant struct {
	shared []int // indexes of columns, bound first and once
	rest   []int
	texts  map[int]string // rows in the statement → text
}

// bulkSizes are the rows of SQLite's statements, largest first.
var bulkSizes = []int{64, 16, 4, 1}

// newBulk builds the texts for a table. columns are "name type" pairs in PostgreSQL's words; decimals travel as text. A
// third word says how columns agree between rows: "shared" nearly always, "alike" often. end is what follows the values,
// such as ON CONFLICT.
func newBulk(table, end string, columns ...string) bulk {
	n := len(columns)
	names, arrays, selected, aliases, agree := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, column := range columns {
		words := append(strings.Fields(column), "")
		word := words[1]
		names[i], agree[i], aliases[i], selected[i] = words[0], words[2], "c"+strconv.Itoa(i), "c"+strconv.Itoa(i)
		if word == "numeric" {
			word, selected[i] = "text", selected[i]+"::numeric"
		}
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, word)
	}
	b := bulk{postgres: "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(selected, ", ") +
		" FROM unnest(" + strings.Join(arrays, ", ") + ") AS rows (" + strings.Join(aliases, ", ") + ") " + end}
	for _, sharing := range [][]string{{"shared", "alike"}, {"shared"}, {}} {
		v := newVariant(table, end, names, func(i int) bool { return slices.Contains(sharing, agree[i]) })
		if len(v.shared) > 0 || len(sharing) == 0 {
			b.sqlite = append(b.sqlite, v)
		}
	}
	return b
}

func newVariant(table, end string, names []string, shares func(i int) bool) variant {
	v := variant{texts: map[int]string{}}
	var ordered, cells []string
	for i, name := range names {
		if shares(i) {
			v.shared = append(v.shared, i)
			ordered, cells = append(ordered, name), append(cells, "?"+strconv.Itoa(len(v.shared)))
		}
	}
	for i, name := range names {
		if !shares(i) {
			v.rest = append(v.rest, i)
			ordered, cells = append(ordered, name), append(cells, "?")
		}
	}
	row := "(" + strings.Join(cells, ", ") + ")"
	for _, n := range bulkSizes {
		// OR FAIL spares SQLite the journal that would undo a single statement: whatever fails undoes the transaction.
		v.texts[n] = "INSERT OR FAIL INTO " + table + " (" + strings.Join(ordered, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+", ", n), ", ") + " " + end
	}
	return v
}

// texts are SQLite's statements, to be prepared.
func (b bulk) texts() (list []string) {
	for _, v := range b.sqlite {
		for _, n := range bulkSizes {
			list = append(list, v.texts[n])
		}
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
		n := bulkSizes[slices.IndexFunc(bulkSizes, func(size int) bool { return size <= count-from })]
		v := b.sqlite[slices.IndexFunc(b.sqlite, func(v variant) bool { return v.fits(columns, from, n) })]
		steps = append(steps, &step{name: name, text: v.texts[n], args: v.args(columns, from, n)})
		from += n
	}
	return steps
}

// fits tells whether n rows agree in the columns that the variant shares.
func (v variant) fits(columns []any, from, n int) bool {
	for _, i := range v.shared {
		if !agrees(columns[i], from, n) {
			return false
		}
	}
	return true
}

func (v variant) args(columns []any, from, n int) []any {
	args := make([]any, 0, len(v.shared)+n*len(v.rest))
	for _, i := range v.shared {
		args = append(args, element(columns[i], from))
	}
	for row := from; row < from+n; row++ {
		for _, i := range v.rest {
			args = append(args, element(columns[i], row))
		}
	}
	return args
}

// agrees tells whether n cells of a column are equal. Columns of pointers and bytes never are.
func agrees(column any, from, n int) bool {
	switch list := column.(type) {
	case []int64:
		return allEqual(list[from : from+n])
	case []string:
		return allEqual(list[from : from+n])
	case []bool:
		return allEqual(list[from : from+n])
	}
	return false
}

func allEqual[T comparable](list []T) bool {
	for _, v := range list[1:] {
		if v != list[0] {
			return false
		}
	}
	return true
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
