#!/usr/bin/env bash
# Builds the container image, with Docker if it runs here, else with buildah,
# and prints how much it adds to its base.
#
#   docker/build_image.sh [TAG]
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-poe:dev}
base=debian:bookworm-slim

if docker info >/dev/null 2>&1; then
  docker build -f docker/Dockerfile -t "$tag" .
  bytes() { docker image inspect -f '{{.Size}}' "$1"; }
else
  cmake/install_dependencies.sh image
  # The other format has no health check.
  buildah build --format docker -f docker/Dockerfile -t "$tag" .
  bytes() {
    local container
    container=$(buildah from --pull-never "$1")
    du -sb "$(buildah mount "$container")" | cut -f1
    buildah rm "$container" >/dev/null
  }
fi

awk -v tag="$tag" -v base="$base" -v all="$(bytes "$tag")" \
  -v below="$(bytes "$base")" 'BEGIN {
    printf "%s: %.1f MB, %.1f MB above %s\n", tag, all / 1e6,
           (all - below) / 1e6, base
  }'
