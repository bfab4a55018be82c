#!/bin/sh
# Runs the static binary as the container does, without a container: in a root that holds nothing but it, read only but for
# /data, as a user without rights or a name. Wants root on Linux. An argument is a binary that has been built already.
set -eu

nobody=65532
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
	echo "${0##*/}: wants root on Linux, for chroot and mount" >&2
	exit 1
fi
if [ "${1:-}" != --inside ]; then
	# A mount namespace of its own: nothing is left mounted, however this ends.
	exec unshare --mount --propagation private "$0" --inside "$@"
fi
shift

folder=$(mktemp -d)
root=$folder/empty
server=
end() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	umount "$root/data" "$root" 2>/dev/null || true
	rm -rf "$folder"
}
trap end EXIT
mkdir -p "$root/data" "$folder/data"
chown $nobody:$nobody "$folder/data"
chmod 700 "$folder/data"
if [ -n "${1:-}" ]; then
	cp "$1" "$root/xyra"
else
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$root/xyra" ./cmd/xyra
fi
size=$(wc -c <"$root/xyra")
[ "$size" -lt $((40 * 1000 * 1000)) ] || { echo "the binary has $size bytes: the image would be 40 MB or more" >&2; exit 1; }
mount --bind "$root" "$root"
mount --bind "$folder/data" "$root/data"
mount -o remount,bind,ro "$root"

port=18473
inside() {
	env -i PATH="$PATH" XYRA_DATA_DIR=/data PORT=$port chroot --userspec=$nobody:$nobody "$root" /xyra "$@"
}
env -i PATH="$PATH" XYRA_DATA_DIR=/data PORT=$port chroot --userspec=$nobody:$nobody "$root" /xyra >"$folder/out" 2>&1 &
server=$!
tries=0
until inside healthcheck >"$folder/health" 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 60 ] && kill -0 "$server" 2>/dev/null || { cat "$folder/out" "$folder/health" >&2; exit 1; }
	sleep 0.5
done
inside check | sed -n '$p'
kill -TERM "$server"
wait "$server" || { cat "$folder/out" >&2; exit 1; }
server=
inside verify
[ -s "$folder/data/xyra.db" ] && [ "$(stat -c %u "$folder/data/xyra.db")" = $nobody ]
echo "empty root: $size bytes serve, answer healthcheck, drain and verify as user $nobody on a read-only root"
