#!/usr/bin/env bash
# Checks the files in docker/ against what their readers take: Kubernetes,
# Prometheus, Compose and Grafana.
#
#   tests/deploy/check.sh MODULES
#
# MODULES is where npm has installed what package.json beside this file names;
# `make check-deploy` sees to that.
set -euo pipefail
modules=$(realpath "$1")
cd "$(dirname "$0")/../.."

NODE_PATH=$modules node tests/deploy/check_manifests.cjs docker/kubernetes/*.yaml

promtool check config docker/monitoring/prometheus.yml
# Without its files, which are on a cluster alone, and without finding the pods,
# which Debian's Prometheus is built without.
sed '/kubernetes_sd_configs:/,+1d' docker/monitoring/prometheus-kubernetes.yml |
  promtool check config --syntax-only /dev/stdin
promtool test rules tests/deploy/alerts_test.yml

docker-compose -f docker/compose.yaml --profile monitoring config -q

# Grafana's schema is a type of TypeScript.
dashboard=$modules/../dashboard.ts
{
  echo 'import type { Dashboard } from "@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen";'
  echo 'export const dashboard: Dashboard ='
  cat docker/monitoring/dashboard.json
} >"$dashboard"
"$modules/.bin/tsc" --noEmit --strict --skipLibCheck --module esnext \
  --moduleResolution bundler "$dashboard"
echo "docker/ has no mistakes"
