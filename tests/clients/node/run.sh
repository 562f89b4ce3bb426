#!/usr/bin/env bash
# Installs what the test of Node's client needs into a folder, and runs it.
#
#   run.sh FOLDER POE_SERVER PROTO_FOLDER
#
# Exits with 77, which ctest takes for skipped, without node and npm, and where
# the packages cannot be had.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
shift

skip() {
  echo "skipped: $*"
  exit 77
}

for program in node npm; do
  command -v "$program" >/dev/null || skip "$program is not here"
done
mkdir -p "$folder"
if ! cmp -s "$here/package-lock.json" "$folder/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$folder"
  (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund) ||
    skip "npm ci failed"
  cp "$here/package-lock.json" "$folder/installed-lock.json"
fi
cp "$here/open_inference_test.mjs" "$folder"
exec node "$folder/open_inference_test.mjs" "$@"
