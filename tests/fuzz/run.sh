#!/usr/bin/env bash
# Runs the fuzzers of a build, each on its corpus for so many seconds. Inputs
# that reach new code gather in FOUND_FOLDER/<fuzzer>/corpus and are used again
# the next time; those that a fuzzer stops at lie in FOUND_FOLDER/<fuzzer>, and
# fail the run.
#
#   tests/fuzz/run.sh BIN_FOLDER FOUND_FOLDER SECONDS
set -euo pipefail
export bin=$1 found=$2 seconds=$3
corpora=$(dirname "$0")/corpus
export corpora
export UBSAN_OPTIONS=print_stacktrace=1

fuzz() {
  local name=$1 folder=$found/$1
  mkdir -p "$folder/corpus"
  if "$bin/fuzz_$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
    -rss_limit_mb=2048 -artifact_prefix="$folder/" "$folder/corpus" \
    "$corpora/$name" >"$folder/log" 2>&1; then
    printf '%-20s %s\n' "$name" "$(tail -n 1 "$folder/log")"
  else
    tail -n 50 "$folder/log"
    printf '%-20s failed, see %s\n' "$name" "$folder/log"
    return 1
  fi
}
export -f fuzz

find "$corpora" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort |
  xargs -P "$(nproc)" -I {} bash -c 'fuzz {}'
