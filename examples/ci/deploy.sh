#!/bin/sh
# Brings out a release: registers it, tries it through a preview link, switches, watches, and rolls
# back if it does worse than it may. Needs turnout, curl and jq.
#
#   deploy.sh RELEASE TARGET...        deploy.sh v42 http://10.0.0.5:3000
#
# TURNOUT_ADMIN, TURNOUT_TOKEN   how the admin API is reached
# SITE             where clients reach Turnout (http://127.0.0.1:8080)
# SMOKE_PATHS      what must answer with 2xx or 3xx before the switch (/)
# WATCH_SECONDS    how long the release is watched afterwards (60)
# ERRORS_MAX       share of answers with 500 to 599 that is too much (0.02)
# REQUESTS_MIN     answers that must have come before that share counts (20)
# HEALTHY_WITHIN   how long its targets may take to get healthy (60s)
#
# Exit codes: 0 it serves, 1 rolled back or not tried, 2 refused: nothing has changed.
set -eu

RELEASE=$1
shift
SITE=${SITE:-http://127.0.0.1:8080}
SMOKE_PATHS=${SMOKE_PATHS:-/}
WATCH_SECONDS=${WATCH_SECONDS:-60}
ERRORS_MAX=${ERRORS_MAX:-0.02}
REQUESTS_MIN=${REQUESTS_MIN:-20}
HEALTHY_WITHIN=${HEALTHY_WITHIN:-60s}

say() { echo "deploy: $*" >&2; }

# Prints what the last minute says of the release: "served", "bad SHARE", or "left" if it is not active.
look() {
  turnout status --json | jq --raw-output \
    --arg release "$RELEASE" --argjson max "$ERRORS_MAX" --argjson min "$REQUESTS_MIN" '
    [.services[] | .[.active] | select(.release == $release) | .lastMinute
      | { share: (.errorRate // 0), count: (.requestsPerSecond | add // 0) }]
    | if length == 0 then "left"
      elif any(.share > $max and .count >= $min) then "bad \(map(.share) | max)"
      else "served" end'
}

# A pipeline that fails or is called off must not leave traffic on a release that no one watches. If
# another one has switched meanwhile, its switch is not taken back.
switched=no
finish() {
  code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ] && [ "$switched" = yes ] && [ "$(look)" != left ]; then
    say "rolling back from $RELEASE"
    turnout rollback --reason "$RELEASE failed while it was watched"
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "registering $RELEASE at $*"
targets=$(IFS=,; echo "$*")
turnout deploy "$RELEASE" --targets "$targets" --no-switch --wait --timeout "$HEALTHY_WITHIN"

say 'trying it through a preview link'
preview=$(turnout preview "$RELEASE" --for 10m --json)
field="$(echo "$preview" | jq -r .field): $(echo "$preview" | jq -r .token)"
for path in $SMOKE_PATHS; do
  status=$(curl --silent --output /dev/null --max-time 10 --write-out '%{http_code}' \
    --header "$field" "$SITE$path" || true)
  case $status in
    2?? | 3??) ;;
    *)
      say "$path answers with $status: $RELEASE gets no traffic"
      exit 1
      ;;
  esac
done

say "switching to $RELEASE"
switched=yes # Before: called off in the middle of it, the switch may have been made.
turnout switch "$RELEASE" --yes --reason "deploy $RELEASE"

say "watching it for $WATCH_SECONDS s"
end=$(($(date +%s) + WATCH_SECONDS))
while [ "$(date +%s)" -lt "$end" ]; do
  sleep 1
  case $(look) in
    served) ;;
    left)
      say 'another release was switched to meanwhile'
      exit 1
      ;;
    bad*)
      say "too many of its answers are errors: $(look)"
      exit 1
      ;;
  esac
done
switched=no
say "$RELEASE serves; the release before may stop when \`turnout drain --wait\` has ended"
