# What is there before the first command of a document. Sourced in an empty folder, in namespaces of
# its own: ports, addresses and /etc/hosts are the document's alone. `turnout`, `node` and `app` are on
# the path; ROOT is the folder of the project.

# Nothing: the reader begins on a new machine.
empty() { :; }

# The project, as it was cloned.
checkout() { cd "$ROOT"; }

# The machines of the service `shop` and a file that names them: v41 on blue, v42 on green.
machines() {
  app here 3000 &
  reach http://10.0.0.4:3000/healthz
  cat >turnout.yaml <<'YAML'
state: { dir: ./state }
services:
  - name: shop
    blue: { release: v41, targets: [http://10.0.0.4:3000] }
    green: { release: v42, targets: [http://10.0.0.5:3000, http://10.0.0.6:3000] }
    health: { interval: 200ms }
YAML
}

# Turnout before them: v41 is active, v42 idle, both are well.
shop() {
  machines
  turnout run --config turnout.yaml >turnout.log 2>&1 &
  reach http://127.0.0.1:8081/readyz
  becomes healthy
}

# The same with a second service, `api`, beside it.
two_services() {
  machines
  cat >>turnout.yaml <<'YAML'
  - name: api
    paths: [/api]
    blue: { release: a1, targets: [http://10.0.0.14:3000] }
    green: { release: a2, targets: [http://10.0.0.15:3000] }
    health: { interval: 200ms }
YAML
  turnout run --config turnout.yaml >turnout.log 2>&1 &
  reach http://127.0.0.1:8081/readyz
  becomes healthy
}

# Two instances of Turnout before the same machines; $INSTANCES has their admin addresses.
fleet() {
  shop
  turnout run --config turnout.yaml --listen 127.0.0.1:8090 --admin 127.0.0.1:8091 --state ./state-2 >turnout-2.log 2>&1 &
  INSTANCES="127.0.0.1:8081 127.0.0.1:8091"
  for admin in $INSTANCES; do becomes "turnout status --check --admin $admin"; done
}

# Whether Turnout runs and every target of every color is up.
healthy() {
  curl --silent --fail --output /dev/null http://127.0.0.1:8081/readyz && ! curl --silent http://127.0.0.1:8081/v1/status | grep --quiet '"health":"\(unknown\|down\)"'
}

# Repeats a command until it succeeds, for two minutes at most.
becomes() {
  for _ in $(seq 600); do
    if eval "$1"; then return 0; fi
    sleep 0.2
  done
  echo "did not become true: $1"
  return 1
}

# Waits until `url` answers with 200.
reach() {
  curl --silent --show-error --fail --output /dev/null --retry 100 --retry-connrefused --retry-delay 1 \
    --retry-max-time 60 --retry-all-errors "$1"
}
