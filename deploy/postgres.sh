# Read by the scripts beside it: where the database of the settings is, in the words of PostgreSQL's own tools.
# DATABASE_URL shows its password to whoever may list processes; the POSTGRES_ variables do not.
if [ -n "${DATABASE_URL:-}" ]; then
	case $DATABASE_URL in
	postgres*+*://*) database="postgresql://${DATABASE_URL#*://}" ;;
	*) database=$DATABASE_URL ;;
	esac
elif [ -n "${POSTGRES_SERVER:-}" ]; then
	export PGHOST="$POSTGRES_SERVER" PGPORT="${POSTGRES_PORT:-5432}" PGUSER="${POSTGRES_USER:-postgres}" PGPASSWORD="${POSTGRES_PASSWORD:-}"
	database="dbname=${POSTGRES_DB:-xyra} $(printf %s "${POSTGRES_OPTIONS:-}" | tr '&?' '  ')"
else
	echo "${0##*/}: set DATABASE_URL or the POSTGRES_ variables as the server has them" >&2
	exit 1
fi
