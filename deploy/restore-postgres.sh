#!/bin/sh
# Puts a file of backup-postgres.sh into the empty PostgreSQL database of the settings, all of it or nothing, and proves it.
# The program is XYRA, or xyra in the PATH.
set -eu
[ $# -eq 1 ] || { echo "usage: ${0##*/} FILE" >&2; exit 2; }
. "$(dirname "$0")/postgres.sh"
tables=$(psql --no-psqlrc --tuples-only --no-align --dbname="$database" --command="SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
[ "$tables" = 0 ] || { echo "${0##*/}: the database has $tables tables already and is never overwritten: create an empty one" >&2; exit 1; }
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --dbname="$database" "$1"
psql --no-psqlrc --quiet --dbname="$database" --command="ANALYZE"
"${XYRA:-xyra}" migrate
"${XYRA:-xyra}" verify
