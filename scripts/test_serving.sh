#!/usr/bin/env bash
# Holds the pictures of a real TensorFlow Serving, in Docker, over gRPC against those over REST.
#
#   EXPORT_DIR  folder of the version folders (default: exports/digits)
#   SAMPLE      the client (default: gan-keras-sample)
#
# Without a Docker engine nothing is tested, and the status is 0.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sample=${SAMPLE:-gan-keras-sample}
patience=120 # seconds; the image is there by then, and the model is small

fail() {
  echo "test_serving: $1" >&2
  exit 1
}

if ! command -v docker >/dev/null; then
  echo "test_serving: not run: there is no docker command here"
  exit 0
fi
if ! docker info >/dev/null 2>&1; then
  echo "test_serving: not run: no Docker engine answers (docker info)"
  exit 0
fi
if ! docker compose version >/dev/null 2>&1; then
  echo "test_serving: not run: docker has no compose plugin (docker compose version)"
  exit 0
fi

given=${EXPORT_DIR:-$root/exports/digits}
EXPORT_DIR=$(cd "$given" 2>/dev/null && pwd) ||
  fail "EXPORT_DIR=$given does not exist; make it with gan-keras-export"
export EXPORT_DIR
compgen -G "$EXPORT_DIR/[0-9]*" >/dev/null ||
  fail "EXPORT_DIR=$EXPORT_DIR holds no version; make one with gan-keras-export"
command -v "$sample" >/dev/null || fail "$sample: no such command; install the package first"

pictures=$(mktemp -d)
compose() {
  docker compose --project-name gan-keras-test --file "$root/serving/docker-compose.yml" "$@"
}
clean_up() {
  status=$?
  if ((status)); then compose logs --tail 50 serving >&2 || true; fi
  compose down --timeout 5 >/dev/null 2>&1 || true
  rm -rf "$pictures"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

available() {
  (
    exec 3<>/dev/tcp/127.0.0.1/8501
    printf 'GET /v1/models/generator HTTP/1.0\r\n\r\n' >&3
    grep -q '"AVAILABLE"' <&3
  ) 2>/dev/null
}

compose up --detach serving
deadline=$((SECONDS + patience))
until available; do
  ((SECONDS < deadline)) || fail "the model was not AVAILABLE after $patience s"
  sleep 1
done

for transport in grpc rest; do
  "$sample" --transport="$transport" --count=64 --seed=0 --output="$pictures/$transport.png"
done
cmp "$pictures/grpc.png" "$pictures/rest.png" || fail "gRPC and REST gave different pictures"
echo "test_serving: gRPC and REST gave the same 64 pictures"
