#!/usr/bin/env bash
# Installs the Debian packages that this project needs, if they are missing, as
# root or by sudo. The lists below are the only ones in the repository.
#
#   cmake/install_dependencies.sh GROUP...
#     build    to build everything and run the tests
#     demo     the images that the demo trains on
#     bench    what the benchmarks measure with and against
#     deploy   to check the files in docker/ and run the tests of them
#     image    to build the container image without a Docker engine
#     runtime  what a machine that only runs the programs needs
#     sanitize what the sanitizers and the fuzzers need besides
#     soak     what sets the clock in the stress test
#     format, lint
set -euo pipefail

packages_of() {
  case "$1" in
    build)
      echo clang cmake g++ lld ninja-build pkg-config
      echo libabsl-dev libboost-dev libeigen3-dev libhwy-dev liblinear-dev \
        librandom123-dev libsvm-dev
      echo libgrpc++-dev libprotobuf-dev protobuf-compiler \
        protobuf-compiler-grpc libspdlog-dev libssl-dev
      echo libcli11-dev libcpp-httplib-dev libpng-dev nlohmann-json3-dev \
        prometheus-cpp-dev zlib1g-dev
      echo libgmock-dev libgtest-dev python3-grpcio
      ;;
    demo) echo dataset-fashion-mnist ;;
    bench) echo libbenchmark-dev libdnnl-dev libomp-dev libopenblas-pthread-dev ;;
    deploy)
      echo docker-compose openssl prometheus python3 python3-yaml
      # From elsewhere they come in one package, which Debian's contradicts.
      command -v npm >/dev/null || echo nodejs npm
      ;;
    image) echo buildah ;;
    runtime)
      echo libabsl20220623 libcpp-httplib0.11 libgrpc++1.51 libhwy1 liblinear4 \
        libpng16-16 libprometheus-cpp-core1.0 libprotobuf32 libspdlog1.10 \
        libssl3 libsvm3 zlib1g
      # The smallest library that liblinear is content with.
      echo libblas3
      ;;
    sanitize) echo libclang-rt-14-dev ;;
    soak) echo libfaketime ;;
    format) echo clang-format ;;
    lint) echo clang-format clang-tidy ;;
    *)
      sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
}

if [ $# -eq 0 ]; then
  packages_of help
fi
if ! command -v apt-get >/dev/null; then
  echo "apt-get is not here: install what $0 lists by other means" >&2
  exit 1
fi

missing=()
for group in "$@"; do
  packages=$(packages_of "$group")
  for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
      true
    if [ "$status" != installed ]; then
      missing+=("$package")
    fi
  done
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing Debian packages: ${missing[*]}" >&2
    echo "Install them as root; sudo is not here." >&2
    exit 1
  fi
  as_root=(sudo)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive)
echo "Installing Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >/dev/null </dev/null
