#!/usr/bin/env bash
# A shop changes a column under load: a bug is found and taken back, the repaired release serves, the
# old column goes. Tells what it does, and ends with a count; exit code 0 if all is as promised.
#
#   run.sh
#
# STORY_PLAN      how traffic moves to a release ("25%:10s, 100%")
# STORY_BAKE      how long a release is watched once it has all traffic (10s)
# STORY_CLIENTS   clients at a time (20)
#
# Needs PostgreSQL, curl, and `turnout` on the path; in a checkout, that of the checkout is taken.
set -euo pipefail

STORY_PLAN=${STORY_PLAN:-25%:10s, 100%}
STORY_BAKE=${STORY_BAKE:-10s}
STORY_CLIENTS=${STORY_CLIENTS:-20}

story=$(cd "$(dirname "$0")" && pwd)
checkout=$story/../..
if [ -x "$checkout/node_modules/.bin/node" ]; then PATH=$checkout/node_modules/.bin:$PATH; fi

# Everything is in one folder and on Unix sockets, so no port can be in use.
work=$(mktemp -d)
chmod 755 "$work"
cd "$work"
ln -s "$story" story
if ! command -v turnout >/dev/null; then
  mkdir bin
  printf '#!/bin/sh\nexec node "%s/src/main.ts" "$@"\n' "$checkout" >bin/turnout
  chmod +x bin/turnout
  PATH=$work/bin:$PATH
fi
export TURNOUT_ADMIN=unix:$work/admin.sock TURNOUT_LISTEN=unix:$work/shop.sock

started=()
finish() {
  code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then
    echo "The story did not end as promised (exit code $code). The last lines of Turnout:"
    tail -n 20 turnout.log 2>/dev/null || true
  fi
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait
  "$story/database.sh" stop "$work/database" 2>/dev/null || true
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step=0
tell() {
  step=$((step + 1))
  printf '\n%d. %s\n' "$step" "$1"
  shift
  for line in "$@"; do printf '   %s\n' "$line"; done
}

# Prints a command as one would type it.
typed() {
  local word line=
  for word in "${@//$work\//}"; do
    [[ $word =~ ^[a-zA-Z0-9_./:=,-]+$ ]] || word=${word@Q}
    line="$line $word"
  done
  printf '   $%s\n' "$line"
}

# Runs a command, shows it, and ends the story unless its exit code is the one that the story is about.
expect() {
  local wanted=$1 code=0
  shift
  typed "$@"
  "$@" 2>&1 | sed "s|$work/||g; s|^|   |" || code=${PIPESTATUS[0]}
  [ "$code" -eq "$wanted" ] || { echo "   expected exit code $wanted, got $code"; exit 1; }
}

until_ready() {
  for _ in $(seq 300); do
    curl --silent --fail --output /dev/null --unix-socket "$1" "http://shop$2" && return
    sleep 0.1
  done
  echo "nothing answers at ${1#"$work/"}"
  exit 1
}

# Starts a release of the shop; `stop v1` ends it.
declare -A app
start() {
  node story/app.mjs "$1" "$work/$1.sock" &
  app[$1]=$!
  started+=("$!")
  until_ready "$work/$1.sock" /healthz
}
stop() {
  kill "${app[$1]}"
  wait "${app[$1]}" || true
}

deploy() {
  local wanted=$1 release=$2
  shift 2
  expect "$wanted" turnout deploy "$release" --targets "unix:$work/$release.sock" "$@"
}
in_steps=(--plan "$STORY_PLAN" --bake "$STORY_BAKE" --guard rollback --wait)

tell 'A database and a traffic switch' 'PostgreSQL in a folder of its own; before the first release, the shop is closed.'
"$story/database.sh" start "$work/database"
expect 0 node story/migrate.mjs create
turnout run --config story/turnout.yaml --blue "unix:$work/closed.sock" --blue-release closed \
  --state "$work/state" --access-log off >turnout.log 2>&1 &
started+=("$!")
until_ready admin.sock /livez

tell 'Release v1 opens the shop' 'It keeps amounts in euros. There is nothing to compare it with, so all traffic moves at once.'
start v1
deploy 0 v1 --schema-provides 1 --schema-requires 1..2 --plan all-at-once --bake 0s --wait
until_ready shop.sock /healthz

tell "Customers come" "$STORY_CLIENTS at a time, from now to the end: they place orders and look orders up."
node story/load.mjs "$work/shop.sock" "$STORY_CLIENTS" "$work/load.json" &
load=$!
started+=("$load")

tell 'Expand: v2 adds a column' \
  'It adds cents, writes both columns, and reads euros where there are no cents.' \
  'It has a bug: amounts such as 12.50 fail. The guard has to find that among a quarter of the visitors.'
start v2
deploy 1 v2 --schema-provides 2 --schema-requires 1..3 --plan '25%:2m, 100%' --bake "$STORY_BAKE" --guard rollback --wait

tell 'v2 is locked out' 'A pipeline that runs once more does not bring the bug back.'
deploy 2 v2 --plan all-at-once

tell 'v3 is the repaired release' \
  'It comes in steps, too. When v1 has drained, a hook fills in the cents of the orders that v1 has taken.'
start v3
deploy 0 v3 --schema-provides 2 --schema-requires 1..3 "${in_steps[@]}"
stop v1
stop v2

tell 'Migrate: v4 knows cents alone' \
  'A gate lets it in once every order has cents. v3 may still come back: it can read what v4 writes.'
start v4
deploy 0 v4 --schema-provides 3 --schema-requires 2..4 "${in_steps[@]}"

tell 'v1 would lose data now' 'It does not know the orders that v4 has taken: refused by the schema that it says it can work with.'
start v1
deploy 2 v1 --schema-provides 1 --schema-requires 1..2 --plan all-at-once --dry-run
stop v1

tell 'Contract: the old column goes' 'First the point of no return, for without the column v3 can not come back. Then the column.'
# `turnout rollout point-of-no-return` is about a rollout that goes on; this one is done.
expect 0 curl --silent --show-error --fail --output /dev/null --unix-socket admin.sock \
  --header 'content-type: application/json' \
  --data '{"on": true, "reason": "the column euros goes"}' http://localhost/v1/point-of-no-return
expect 2 turnout rollback
expect 0 node story/migrate.mjs contract
stop v3

tell 'How it stands'
expect 0 turnout rollout list
expect 0 turnout status

tell 'Customers go home, and are counted'
kill "$load"
wait "$load"
expect 0 node story/summary.mjs load.json
