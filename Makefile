# The one-command doors. Each target installs the Debian packages it lacks.
#
#   make build   poe-server and poe, in build/release/bin
#   make demo    trains on real images through a server and shows the results
#   make test    builds everything and runs all tests; with PRESET=asan under
#                AddressSanitizer and UndefinedBehaviorSanitizer
#   make test-threads  runs the tests of code that shares work among threads
#                under ThreadSanitizer
#   make fuzz    runs the fuzzers of all decoders, each for FUZZ_SECONDS (10)
#   make soak    the server under stress for minutes; figures also in
#                build/soak.json
#   make bench   measures speed; figures also in build/bench.json
#   make check-deploy  checks the files in docker/ against the schemas of those
#                who read them, and tries the alerts
#   make image   builds the container image and prints its size
#   make format  formats the C++ sources
#   make lint    checks format and clang-tidy's advice
#   make clean   removes build/

BUILD := build/release
INSTALL := cmake/install_dependencies.sh
FUZZ_SECONDS ?= 10
PRESET ?= release
DEPLOY := build/deploy/node_modules
SOURCES = $(shell find core server client tests -name '*.h' -o -name '*.cc')

.DEFAULT_GOAL := build
.PHONY: build demo test test-threads fuzz soak bench check-deploy image \
  format lint clean

build:
	$(INSTALL) build
	cmake --preset release
	cmake --build --preset release --target poe-server poe

demo: build
	$(INSTALL) demo
	docs/demo.sh $(BUILD)/bin build/demo

test:
	$(INSTALL) build $(if $(filter-out release,$(PRESET)),sanitize)
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET)
	ctest --preset $(PRESET) -j $(shell nproc)

test-threads:
	$(INSTALL) build sanitize
	cmake --preset tsan
	cmake --build --preset tsan
	ctest --preset tsan -j $(shell nproc)

fuzz: PRESET = asan
fuzz:
	$(INSTALL) build sanitize
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --target fuzzers
	tests/fuzz/run.sh build/$(PRESET)/bin build/$(PRESET)/found $(FUZZ_SECONDS)

soak:
	$(INSTALL) build soak
	cmake --preset release
	cmake --build --preset release --target poe-server soak_test
	POE_SOAK=1 POE_SOAK_JSON=build/soak.json $(BUILD)/bin/soak_test

bench:
	$(INSTALL) build bench
	cmake --preset bench
	cmake --build --preset bench
	tests/bench/run.sh $(BUILD)/bin build/bench.json

check-deploy: $(DEPLOY)
	$(INSTALL) deploy
	tests/deploy/check.sh $(DEPLOY)

$(DEPLOY): tests/deploy/package.json tests/deploy/package-lock.json
	$(INSTALL) deploy
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --no-audit --no-fund --silent
	touch $@

image:
	docker/build_image.sh

format:
	$(INSTALL) format
	clang-format -i $(SOURCES)

lint:
	$(INSTALL) build bench lint
	clang-format --dry-run -Werror $(SOURCES)
	cmake --preset dev
	cmake --build --preset dev --target poe_proto
	run-clang-tidy -quiet -p build/dev $(abspath $(filter %.cc,$(SOURCES)))

clean:
	rm -rf build
