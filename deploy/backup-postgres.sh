#!/bin/sh
# Copies the PostgreSQL database of the settings to one new file while servers run: one consistent state, every answered event in it.
# For recovery to any moment, use the server's own archiving (pg_basebackup and archive_command) beside it; see docs/operations.md.
set -eu
[ $# -eq 1 ] || { echo "usage: ${0##*/} FILE" >&2; exit 2; }
file=$1 part=$1.part.$$
. "$(dirname "$0")/postgres.sh"
[ ! -e "$file" ] || { echo "${0##*/}: $file is there already and is never overwritten" >&2; exit 1; }
trap 'rm -f "$part"' EXIT INT TERM
umask 077
pg_dump --format=custom --no-owner --no-privileges --file="$part" --dbname="$database"
pg_restore --list "$part" >/dev/null # it can be read to its end
sync "$part" 2>/dev/null || sync
ln "$part" "$file" # fails where mv would overwrite
echo "backup: $file"
