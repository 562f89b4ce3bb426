#!/usr/bin/env bash
# Runs the benchmarks of a build and joins their figures.
#
#   tests/bench/run.sh BIN_FOLDER JSON_FILE
set -euo pipefail
bin=$1
json=$2
"$bin/bench_contrastive_divergence" --json="$json.training"
"$bin/bench_annealed_importance" --json="$json.annealed_importance"
"$bin/bench_kinds" --json="$json.kinds"
"$bin/bench_score" --server_binary="$bin/poe-server" --json="$json.scoring"
{
  printf '{"training": '
  cat "$json.training"
  printf ', "annealed_importance": '
  cat "$json.annealed_importance"
  printf ', "kinds": '
  cat "$json.kinds"
  printf ', "scoring": '
  cat "$json.scoring"
  printf '}\n'
} >"$json"
rm "$json.training" "$json.annealed_importance" "$json.kinds" "$json.scoring"
echo "Figures: $json"
