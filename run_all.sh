#!/usr/bin/env bash
# Builds, starts and proves msgq on this machine.
#
#   ./run_all.sh            build, start broker and both services, prove the way, stay until Ctrl-C
#   ./run_all.sh --check    the same, but end after the proof: exit 0 if it holds, else 1
#   ./run_all.sh --docker   the same through Docker Compose; also with --check
#   ./run_all.sh --cluster  the same through Docker Compose, with three brokers
#   ./run_all.sh test       all tests
#
# Ports and the rest are set by the MSGQ_* variables that the services know (through
# Docker Compose, those that deploy/docker-compose.yml passes on);
# MSGQ_BROKER_PORT (4222) and MSGQ_DATA (./.msgq) are this script's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

broker_port=${MSGQ_BROKER_PORT:-4222}
data=${MSGQ_DATA:-$PWD/.msgq}
export MSGQ_PUBLISH_ADDR=${MSGQ_PUBLISH_ADDR:-127.0.0.1:8080}
export MSGQ_SUBSCRIBE_ADDR=${MSGQ_SUBSCRIBE_ADDR:-127.0.0.1:8081}
export MSGQ_PUBLISH_URL=${MSGQ_PUBLISH_URL:-http://${MSGQ_PUBLISH_ADDR/#:/127.0.0.1:}}
export MSGQ_SUBSCRIBE_URL=${MSGQ_SUBSCRIBE_URL:-http://${MSGQ_SUBSCRIBE_ADDR/#:/127.0.0.1:}}
export MSGQ_NATS_URL=${MSGQ_NATS_URL:-nats://127.0.0.1:$broker_port}
compose=(docker compose -f deploy/docker-compose.yml)
logs=
pids=()

say() { printf '%s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# step TEXT COMMAND… runs the command and prints the text with its result.
step() {
  local text=$1 output start=$SECONDS
  shift
  printf '%-46s ' "$text"
  if output=$("$@" 2>&1); then
    printf 'ok  (%ds)\n' $((SECONDS - start))
  else
    printf 'FAILED\n'
    printf '%s\n' "$output" | sed 's/^/  /' >&2
    show_logs >&2
    exit 1
  fi
}

show_logs() {
  local log
  for log in "$logs"/*.log; do
    [ -s "$log" ] && say "--- last lines of ${log##*/}" && tail -n 15 "$log"
  done
  return 0
}

need_go() {
  command -v go >/dev/null || fail "Go is missing. Install Go 1.26 or newer from https://go.dev/dl/ and run this again."
  local have want
  have=$(go env GOVERSION | sed 's/^go//')
  want=$(awk '$1 == "go" { print $2 }' go.mod)
  [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ] ||
    fail "Go $have is too old: Go $want or newer is needed. See https://go.dev/dl/"
}

build() {
  mkdir -p bin
  go build -trimpath -ldflags "-X github.com/asyncmsglib/msgq/pkg/msgq.Version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)" \
    -o bin/ ./cmd/msgq ./services/publish ./services/subscribe
}

# ports_free names every port that is taken, and the setting that changes it.
ports_free() {
  local entry addr taken=0
  for entry in "127.0.0.1:$broker_port MSGQ_BROKER_PORT" "$MSGQ_PUBLISH_ADDR MSGQ_PUBLISH_ADDR" "$MSGQ_SUBSCRIBE_ADDR MSGQ_SUBSCRIBE_ADDR"; do
    addr=${entry% *}
    if (exec 3<>"/dev/tcp/${addr%:*}/${addr##*:}") 2>/dev/null; then
      say "$addr is taken by another program: stop it, or set ${entry#* } to another one"
      taken=1
    fi
  done
  return $taken
}

# start NAME COMMAND… runs a program in the background with its own log.
start() {
  local name=$1
  shift
  "$@" >"$logs/$name.log" 2>&1 </dev/null &
  pids+=("$!")
}

# wait_ready NAME PID asks the service itself, until it is ready or dead.
wait_ready() {
  for _ in $(seq 100); do
    kill -0 "$2" 2>/dev/null || { say "$1 has ended"; return 1; }
    "bin/$1" healthcheck >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  "bin/$1" healthcheck
}

wait_broker() {
  for _ in $(seq 100); do
    kill -0 "$1" 2>/dev/null || { say "the broker has ended"; return 1; }
    (exec 3<>"/dev/tcp/127.0.0.1/$broker_port") 2>/dev/null && return 0
    sleep 0.2
  done
  say "the broker does not listen on port $broker_port"
  return 1
}

# prove publishes an event over HTTP while a WebSocket client waits for it. A shell of its own clears up after it.
prove() (
  id="run-all-$$-$RANDOM"
  out=$(mktemp)
  bin/msgq sub 'run-all.proof' --filter "id == \"$id\"" --from last:1 --count 1 --timeout 20s >"$out" &
  sub=$!
  trap 'kill "$sub" 2>/dev/null; rm -f "$out"' EXIT
  bin/msgq pub run-all.proof --id "$id" "{\"hello\":\"msgq\",\"id\":\"$id\"}" || return 1
  wait "$sub" && grep -q "\"message_id\":\"$id\"" "$out"
)

# stop ends all that was started, the broker last.
stop() {
  local i pid
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill "$pid" 2>/dev/null || continue
    wait "$pid" 2>/dev/null || true
  done
  pids=()
  [ -n "$logs" ] && rm -rf "$logs"
  logs=
}

show_urls() {
  cat <<TEXT

dashboard   $MSGQ_SUBSCRIBE_URL/
publish     curl -d '{"hello":"world"}' -H 'Content-Type: application/json' $MSGQ_PUBLISH_URL/v1/topics/demo.hello/messages
subscribe   bin/msgq sub 'demo.>'     (ws${MSGQ_SUBSCRIBE_URL#http}/v1/ws)
demo data   bin/msgq pub --ndjson tests/testdata/github-events.ndjson
TEXT
}

run_local() {
  need_go
  step "build" build
  step "ports are free" ports_free
  logs=$(mktemp -d)
  trap stop EXIT
  trap 'exit 130' INT TERM
  start broker bin/msgq broker --data "$data" --port "$broker_port"
  step "broker listens" wait_broker "${pids[0]}"
  start publish bin/publish
  start subscribe bin/subscribe
  step "publish service is ready" wait_ready publish "${pids[1]}"
  step "subscribe service is ready" wait_ready subscribe "${pids[2]}"
  step "an event goes from HTTP to WebSocket" prove
  show_urls
  [ "$1" = stay ] || return 0
  say "" && say "Ctrl-C stops everything."
  while kill -0 "${pids[0]}" 2>/dev/null && kill -0 "${pids[1]}" 2>/dev/null && kill -0 "${pids[2]}" 2>/dev/null; do
    sleep 1
  done
  show_logs >&2
  fail "a program has ended by itself"
}

run_docker() {
  need_go # for the msgq command that proves the way
  command -v docker >/dev/null || fail "Docker is missing. See https://docs.docker.com/engine/install/"
  docker info >/dev/null 2>&1 || fail "The Docker engine does not answer: start it and run this again."
  export MSGQ_PUBLISH_PORT=${MSGQ_PUBLISH_ADDR##*:} MSGQ_SUBSCRIBE_PORT=${MSGQ_SUBSCRIBE_ADDR##*:}
  step "build the msgq command" build
  step "build the images" "${compose[@]}" build
  trap '"${compose[@]}" down --timeout 30 >/dev/null 2>&1' EXIT
  trap 'exit 130' INT TERM
  step "brokers and services are healthy" "${compose[@]}" up --detach --wait --wait-timeout 120
  step "an event goes from HTTP to WebSocket" prove
  show_urls
  [ "$1" = stay ] || return 0
  say "" && say "Ctrl-C stops everything; the data stays in its volume."
  "${compose[@]}" logs --follow --since 1s
}

run_tests() {
  need_go
  local race=
  if [ "$(go env CGO_ENABLED)" = 1 ] && command -v "$(go env CC)" >/dev/null; then
    race=-race
  else
    say "no C compiler: the tests run without the race detector"
  fi
  go vet ./...
  # shellcheck disable=SC2086 # empty where there is no C compiler
  go test $race ./...
}

mode=local until=stay
for arg in "$@"; do
  case $arg in
    --check) until=check ;;
    --docker) mode=docker ;;
    --cluster) mode=docker compose+=(-f deploy/docker-compose.cluster.yml) ;;
    test) mode=tests ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) printf 'run_all.sh: %s is unknown; --help shows what is known\n' "$arg" >&2 && exit 2 ;;
  esac
done
case $mode in
  local) run_local "$until" ;;
  docker) run_docker "$until" ;;
  tests) run_tests ;;
esac
