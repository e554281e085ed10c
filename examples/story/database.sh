#!/usr/bin/env bash
# PostgreSQL for the story: in a folder of its own, on a Unix socket in it, without a network.
#
#   database.sh start FOLDER | stop FOLDER
set -euo pipefail

folder=$2
# Debian keeps the programs of each version apart.
bin=$(dirname "$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")
[ -x "$bin/initdb" ] || { echo 'database.sh: PostgreSQL is missing (apt-get install postgresql)' >&2; exit 69; }

# PostgreSQL refuses to run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi

case $1 in
  start)
    mkdir -p "$folder"
    [ ${#as[@]} -eq 0 ] || chown postgres: "$folder"
    cd "$folder"
    "${as[@]}" "$bin/initdb" --pgdata="$folder/data" --username=shop --auth=trust --encoding=UTF8 --no-sync >/dev/null
    "${as[@]}" "$bin/pg_ctl" start --wait --silent --pgdata="$folder/data" --log="$folder/log" \
      --options="-c listen_addresses='' -c unix_socket_directories='$folder'"
    ;;
  stop)
    cd "$folder"
    "${as[@]}" "$bin/pg_ctl" stop --silent --mode=fast --pgdata="$folder/data"
    ;;
  *)
    echo 'database.sh: expected start or stop' >&2
    exit 64
    ;;
esac
