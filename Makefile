# `make` alone lists what there is to remember. Everything built lands in target/ (Cargo's) and build/.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DOCDIR     ?= $(PREFIX)/share/doc/flagstore
BINDIR     ?= $(PREFIX)/bin
DESTDIR    ?=
CARGO      ?= cargo
CC         := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX        := $(if $(filter default,$(origin CXX)),g++,$(CXX))
PYTHON     ?= python3
NPM        ?= npm
STRIP      ?= strip

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
SONAME  := libflagstore.so.$(shell sed -n 's/^const ABI_MAJOR: u32 = \(.*\);/\1/p' build.rs)

# What goes with the library wherever it goes.
PAPERS := LICENSE THIRD-PARTY-NOTICES supply-chain/flagstore.cdx.json

# Set where CARGO_TARGET_DIR moves Cargo's output.
TARGET   := $(or $(CARGO_TARGET_DIR),target)
RELEASE  := $(TARGET)/release
# What is installed, staged and packed; a release sets it to the file of build/platforms.
LIBRARY  ?= $(RELEASE)/libflagstore.so
ARCHIVE  ?= $(RELEASE)/libflagstore.a
LOCAL    := $(RELEASE)/flagstore-local
# What `make install` installs beside the library; empty for nothing.
PROGRAM  ?= $(TARGET)/cli/local/flagstore
STAGE    := build/stage
VENV     := build/venv
PY_TESTS := bindings/python/requirements-test.txt
PY_NATIVE := bindings/python/src/flagstore/_native.abi3.so
RB_NATIVE  = bindings/ruby/lib/flagstore/$(shell ruby -e 'print RUBY_VERSION[/\d+\.\d+/]' 2> /dev/null)/hits.so
C_PROGRAMS  := store async completions misuse threads fork process completions_process
C_SANITIZED := store async completions misuse threads
C_MATRIX    := build/c/shared/matrix build/c/static/matrix build/c/sanitized/matrix
EXAMPLES    := read_flags async_get
SCRIPTS     := examples/demo tests/run tests/documented tests/documented_otherwise.py tests/shown/run tests/installed/here tests/stand_ins/aws tests/moto/start tests/faults tests/faults/endpoint tests/faults/compare tests/versions tests/away tests/away/run tests/away/newborn tests/proxies tests/proxies/run tests/layers supply-chain/lambda \
               tests/c/misuse_matrix tests/soak tests/soak/run fuzz/run bindings/ruby/spec/python_peer.py \
               bindings/node/test/peer.py bindings/java/src/test/python/native_store.py \
               bindings/dotnet/tests/native_store.py bindings/dotnet/tests/nupkg.py bindings/dotnet/tests/net8/assemblies \
               benches benches/run benches/versus benches/cost benches/fleet benches/documents benches/size_budget supply-chain/generate supply-chain/release supply-chain/platforms supply-chain/native.py \
               supply-chain/platform_targets.py supply-chain/platform_compiler.py supply-chain/platform_places.py supply-chain/platform_bindings.py supply-chain/platform_runs.py supply-chain/platform_packages.py supply-chain/platform_tables.py supply-chain/npm_registry.py tests/installed tests/papers tests/artefacts tests/packages
SHELLS      := .ci/run .ci/install supply-chain/reproducible tests/c/installed bindings/php/package bindings/node/build bindings/node/native/compile \
               bindings/go/package bindings/java/package bindings/java/src/main/c/build bindings/java/src/main/c/bridges \
               bindings/dotnet/package bindings/dotnet/tests/run bindings/dotnet/tests/compile bindings/dotnet/tests/net8/get bindings/dotnet/tests/net8/compile bindings/dotnet/tests/sdk/build

# Where the tests, the demo and the bindings find what was built.
export FLAGSTORE_LOCAL   = $(abspath $(LOCAL))
export FLAGSTORE_LIBRARY = $(abspath $(STAGE))/shared/lib/libflagstore.so.1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-build test test-rust test-aws test-c test-python test-ruby test-ruby-sdk test-php test-php-sdk \
        test-node test-go test-java test-dotnet test-dotnet-sdk test-proxies test-platforms soak away lint fuzz miri bench documents packages \
        packages-python packages-ruby packages-php ruby-native \
        packages-node packages-go packages-java packages-dotnet packages-lambda node headers library local cli install uninstall clean stage stage-portable \
        papers advisories reproducible release release-of archive platforms c-programs examples venv

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# A quick build of its own, unless it is to show the released library: that one takes eight times as long to compile.
DEMO := build/demo
demo: ## evaluate 720 flags with the official LaunchDarkly Python SDK out of a local DynamoDB; RELEASED=1 with the released build
	@.ci/install demo
	@$(MAKE) --no-print-directory $(if $(RELEASED),library local,demo-build) venv
	@mkdir -p $(DEMO)
	@cp -p $(if $(RELEASED),$(LIBRARY),$(TARGET)/demo/libflagstore.so) $(DEMO)/$(SONAME)
	@cp -p $(if $(RELEASED),$(LOCAL),$(TARGET)/demo/flagstore-local) $(DEMO)/flagstore-local
	@$(CC) -Wall -Wextra -pthread -Iinclude -o $(DEMO)/read_flags examples/c/read_flags.c $(DEMO)/$(SONAME) -Wl,-rpath,'$$ORIGIN'
	@FLAGSTORE_LIBRARY=$(abspath $(DEMO)/$(SONAME)) FLAGSTORE_LOCAL=$(abspath $(DEMO)/flagstore-local) examples/demo
	@$(if $(RELEASED),,echo 'The library was built in a hurry for this: make demo RELEASED=1 shows the times of the released one.')

demo-build:
	$(CARGO) build --locked --profile demo --features local --lib --bin flagstore-local

test: library local c-programs examples venv node $(PY_NATIVE) ruby-native ## run every test; closes with the sum over all parts
	@tests/run rust c python ruby php node go java dotnet proxies documents papers platforms artefacts miri

test-rust: local ## run the Rust tests, those of the binding for LaunchDarkly's Rust SDK too
	@tests/run rust

test-aws: ## run the store's tests on a real table of yours, with your credentials and region; TABLE=its name
	@$(if $(TABLE),FLAGSTORE_AWS_TABLE='$(TABLE)' $(CARGO) test --locked --test store,echo 'say which table: make test-aws TABLE=name' >&2; exit 2)

test-c: library local c-programs examples ## run the C tests: shared, static, sanitizers, valgrind, what is installed
	@tests/run c

test-python: library local venv $(PY_NATIVE) ## run the tests of the Python binding
	@tests/run python

test-ruby: stage local venv ruby-native ## run the tests of the Ruby binding, Puma included
	@tests/run ruby

test-ruby-sdk: stage local venv ruby-native ## the same with the LaunchDarkly Ruby SDK itself; SDK=its checkout[:checkouts of its gems]
	@$(if $(SDK),FLAGSTORE_SDK='$(SDK)' tests/run ruby,echo 'say where the SDK is: make test-ruby-sdk SDK=/path' >&2; exit 2)

test-php: stage local venv ## run the tests of the PHP binding, by extension and by FFI
	@tests/run php

test-php-sdk: stage local ## evaluate 720 flags with the LaunchDarkly PHP SDK itself; SDK=folder where Composer installed it
	@bindings/php/tests/run --sdk '$(SDK)'

test-node: stage local venv node ## run the tests of the Node.js binding
	@tests/run node

test-go: stage local venv ## run the tests of the Go binding, also under the race detector
	@tests/run go

test-java: stage local venv ## run the tests of the Java binding
	@tests/run java

test-dotnet: stage local venv ## run the tests of the .NET binding, under Mono and what .NET there is
	@tests/run dotnet

test-dotnet-sdk: stage local venv ## the same with the LaunchDarkly .NET SDK; SDK=its folder, or dotnet-core:dotnet-eventsource:dotnet-logging:dotnet-cache
	@$(if $(SDK),FLAGSTORE_SDK='$(SDK)' tests/run dotnet,echo 'say where the SDK is: make test-dotnet-sdk SDK=/path' >&2; exit 2)

soak: library local c-programs ## use it from 16 threads among faults and watch what it holds; TIME=3600 seconds
	tests/soak/run --seconds $(or $(TIME),3600)

away: library local venv node ## cut DynamoDB off in five ways under the load of LaunchDarkly SDKs; TIME=60 seconds each, ONLY=python one of them
	tests/away/run --seconds $(or $(TIME),60) $(ONLY:%=--language %)
	tests/away/newborn
	FLAGSTORE_LONG=1 $(CARGO) test --locked --test host killed -- --nocapture
	FLAGSTORE_LONG=1 $(CARGO) test --locked --test survival writers -- --nocapture

fuzz: ## fuzz for TIME seconds in all (default 60); needs a nightly toolchain, see fuzz/README.md
	fuzz/run $(or $(TIME),60)

test-proxies: stage venv node ## send a call of every language through a proxy that wants a password
	@tests/run proxies

test-platforms: library local ## run the short form of `make platforms`: what needs no emulated processor, unoptimised
	@tests/run platforms

miri: ## run the unit tests that need no system under Miri; needs a nightly toolchain
	@tests/run miri

packages: local packages-python packages-ruby packages-php packages-node packages-go packages-java packages-dotnet ## make the package of every language, with the library in it, in build/packages
	@tests/packages build/packages
	@tests/papers build/packages
	@supply-chain/platforms install

$(PY_NATIVE): bindings/python/src/flagstore/_native.c bindings/python/compile include/flagstore.h | venv
	$(VENV)/bin/python bindings/python/compile

# Where the headers of Ruby are; without it Ruby goes by ffi alone.
ruby-native:
	@$(if $(shell ruby -rrbconfig -e 'print File.file?(RbConfig::CONFIG["rubyhdrdir"] + "/ruby.h") || nil' 2> /dev/null),\
	  $(MAKE) --no-print-directory -s $(RB_NATIVE),echo 'Ruby reads out of the cache by ffi: its headers are not installed (ruby-dev)')

$(RB_NATIVE): bindings/ruby/ext/flagstore/hits.c bindings/ruby/compile include/flagstore.h
	bindings/ruby/compile

packages-python: stage-portable venv ## make the wheel and the source distribution of the Python binding
	$(VENV)/bin/python bindings/python/package

packages-ruby: stage-portable ## make the gem of the Ruby binding
	bindings/ruby/package $(FLAGSTORE_LIBRARY)

packages-php: stage-portable ## make the Composer package of the PHP binding
	bindings/php/package

packages-node: stage-portable node ## make the npm package of the Node.js binding
	bindings/node/package $(abspath build/packages)

packages-go: stage-portable ## make a folder that serves as GOPROXY, with the Go module in it
	bindings/go/package $(FLAGSTORE_LIBRARY) $(abspath build/packages/go)

packages-java: stage-portable ## make the jars of the Java binding
	bindings/java/package $(abspath build/packages)

packages-dotnet: stage-portable ## make the NuGet packages of the .NET binding
	bindings/dotnet/package $(abspath build/packages)

packages-lambda: packages-python packages-ruby packages-node packages-java ## make layers of AWS Lambda out of the packages, in build/packages/lambda, and try them
	supply-chain/lambda build/packages build/packages/lambda
	FLAGSTORE_LIBRARY= tests/layers build/packages/lambda

lint: venv node ## check formatting, lints, documentation, headers, scripts and types
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) fmt --manifest-path bindings/rust/Cargo.toml --check
	$(CARGO) clippy --locked --all-targets --features cli -- -D warnings
	$(CARGO) clippy $(LOCAL_BUILD) -- -D warnings
	$(CARGO) clippy --locked --manifest-path bindings/rust/Cargo.toml --target-dir $(TARGET) --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps
	$(CC) -std=c99 -Wall -Wextra -Werror -pedantic -fsyntax-only -x c include/flagstore.h
	$(CC) -std=c11 -Wall -Wextra -Werror -pedantic -fsyntax-only -x c include/flagstore.h
	$(CXX) -std=c++17 -Wall -Wextra -Werror -pedantic -fsyntax-only -x c++ include/flagstore.h
	cd bindings/python && ../../$(VENV)/bin/ruff check . && ../../$(VENV)/bin/ruff format --check . && \
	  ../../$(VENV)/bin/mypy
	$(VENV)/bin/ruff check --line-length 120 $(SCRIPTS)
	$(VENV)/bin/ruff format --check --line-length 120 $(SCRIPTS)
	$(if $(shell command -v rubocop),cd bindings/ruby && rubocop --format quiet,@echo 'skipped: rubocop is not installed')
	cd bindings/node && $(NPM) run --silent lint
	$(NODE)/node_modules/.bin/prettier --config $(NODE)/.prettierrc.json --print-width 120 --parser babel --check tests/dynalite/start
	$(if $(shell command -v go),cd bindings/go && test -z "$$(gofmt -l .)" && go vet ./... && (cd awssdk && go vet ./...) && \
	  go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./... && \
	  cd ../../benches/clients/go && go vet ./... && test -z "$$(gofmt -l .)" && \
	  cd ../../.. && go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 .github/workflows/*.yml,@echo 'skipped: go is not installed')
	$(if $(shell command -v mvn),cd bindings/java && mvn -B -q test-compile javadoc:javadoc,@echo 'skipped: mvn is not installed')
	$(if $(shell command -v mcs),bindings/dotnet/tests/compile build/dotnet/lint tests,@echo 'skipped: mcs is not installed')
	find bindings/php benches -name '*.php' -print0 | xargs -0 -n 1 php -l > /dev/null
	php -l bindings/php/tests/run > /dev/null
	$(if $(shell command -v cargo-deny),$(DENY) check licenses bans sources,\
	  @echo 'skipped: cargo-deny is not installed: cargo install --locked cargo-deny')
	$(if $(shell command -v shellcheck),shellcheck $(SHELLS),@echo 'skipped: shellcheck is not installed')

DENY = $(CARGO) deny --locked --config supply-chain/deny.toml

advisories: ## ask RustSec's database, fetched from GitHub, for known vulnerabilities and withdrawn versions; needs cargo-deny
	$(DENY) check advisories

bench: venv $(PY_NATIVE) ruby-native ## measure against the targets, about a quarter of an hour; ONLY=S3 measures one row, benches/run --help lists them
	$(BUILDERS_FLAGS) $(CARGO) build --locked --release $(REMAPPED) --example plain_sdk
	@$(MAKE) --no-print-directory library local $(if $(shell command -v $(NPM)),node)
	FLAGSTORE_LIBRARY=$(abspath $(LIBRARY)) benches/run $(ONLY:%=--only %)

documents: ## write the tables and the plot of docs/ and README.md anew from their commands
	benches/documents --write docs/cost.md docs/fleet.md docs/speed.md
	benches/fleet --svg docs/fleet.svg > /dev/null

papers: ## write THIRD-PARTY-NOTICES and the bill of materials anew from Cargo.lock; says which tools it takes
	supply-chain/generate

reproducible: library ## build what is committed once more in another folder and compare, bit for bit; as long as a release build
	supply-chain/reproducible

release: ## write what is published, every platform and every package, into build/release; REHEARSAL=1 before a commit
	@.ci/install test
	@.ci/install packages
	@$(MAKE) --no-print-directory local venv node
	supply-chain/platforms all --release
	@$(MAKE) --no-print-directory release-of LIBRARY='$(abspath build/platforms/$(HOST)/libflagstore.so)'

release-of: stage
	supply-chain/release $(if $(REHEARSAL),--rehearsal) build/release
	@tests/packages build/packages
	@tests/papers build/release
	@supply-chain/platforms install

headers: ## write include/flagstore.h and include/flagstore_cdef.h anew from the sources
	UPDATE_HEADERS=1 $(CARGO) test --locked --test headers

# What is published names no folder of whoever built it: the compilers write these in their place. Below `cargo` a path
# stays as it is, so that the place of a panic still says which crate it is in. As a table for every target, since Cargo
# joins it with what a user's configuration has for one; RUSTFLAGS would take its place, and is passed on in it.
# SOURCE_DATE_EPOCH is for packages: no time is in the library, and a crate that asks for it would be built anew.
CARGO_FOLDER   := $(abspath $(or $(CARGO_HOME),$(HOME)/.cargo))
TOOLCHAIN      := $(shell rustc --print sysroot 2> /dev/null)
HOST           := $(shell rustc -vV 2> /dev/null | sed -n 's/^host: //p')
# Behind a link too: compilers of C say where they stood by the folder's own path.
REGISTRY        = $(filter-out $(CARGO_FOLDER)/registry,$(realpath $(CARGO_FOLDER)/registry))
REMAP           = $(CURDIR)=. $(abspath $(TARGET))=target $(CARGO_FOLDER)=cargo $(REGISTRY:%=%=cargo/registry) $(TOOLCHAIN)=rust
comma          := ,
space          := $(subst ,, )
REMAPPED        = --config 'target."cfg(all())".rustflags=[$(subst $(space),$(comma),$(foreach pair,$(REMAP),"--remap-path-prefix=$(pair)") $(foreach flag,$(RUSTFLAGS),"$(flag)"))]'
BUILDERS_FLAGS  = env -u RUSTFLAGS -u SOURCE_DATE_EPOCH CFLAGS='$(strip $(foreach pair,$(REMAP),-ffile-prefix-map=$(pair)) $(CFLAGS))'

# Without the Rust library, which `cargo build` adds: with it in the same run the compiler optimises no whole program.
library: ## build libflagstore.so and libflagstore.a
	$(BUILDERS_FLAGS) $(CARGO) rustc --locked --release $(REMAPPED) --lib --crate-type cdylib,staticlib

# The archive of another platform. supply-chain/platforms calls this, and says what compiles C for it.
archive:
	$(BUILDERS_FLAGS) $(CARGO) rustc --locked --profile $(PROFILE) $(REMAPPED) --lib --crate-type staticlib --target $(TRIPLE)

platforms: local ## build, check and run every platform that this machine can, into build/platforms; RELEASE=1 as published
	@supply-chain/platforms all $(if $(RELEASE),--release)

# In a folder of its own: Cargo keeps one libflagstore.so a folder, and would build it anew at each change of features.
LOCAL_BUILD = --locked --profile local --target-dir $(TARGET)/local --no-default-features --features local --bin flagstore-local

local: ## build the local DynamoDB endpoint, target/release/flagstore-local
	$(CARGO) build $(LOCAL_BUILD)
	@mkdir -p $(RELEASE)
	@ln -f $(TARGET)/local/local/flagstore-local $(LOCAL)

# In a folder of its own for the same reason. It is run by people, and so built as fast as the endpoint is.
CLI_BUILD = --locked --profile local --target-dir $(TARGET)/cli --features cli --bin flagstore

cli: ## build the program flagstore (doctor, ls, get, diff), target/cli/local/flagstore
	$(BUILDERS_FLAGS) $(CARGO) build $(CLI_BUILD) $(REMAPPED)

$(LIBRARY):
	$(MAKE) library

$(TARGET)/cli/local/flagstore:
	$(MAKE) cli

# Paths in flagstore.pc are relative to its folder, wherever LIBDIR and INCLUDEDIR lie.
from_pkgconfig = $(shell realpath -m -s --relative-to='$(LIBDIR)/pkgconfig' '$(1)')

# -p keeps the time of the build, so that what links against a staged copy is not built again without need.
install: $(LIBRARY) $(PROGRAM) ## install library, headers, flagstore.pc and the program flagstore below PREFIX (default /usr/local; DESTDIR works)
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(DOCDIR)'
	install -p -m 755 $(LIBRARY) '$(DESTDIR)$(LIBDIR)/libflagstore.so.$(VERSION)'
	$(STRIP) -p --strip-unneeded '$(DESTDIR)$(LIBDIR)/libflagstore.so.$(VERSION)'
	ln -sf libflagstore.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libflagstore.so'
	install -p -m 644 $(ARCHIVE) '$(DESTDIR)$(LIBDIR)'
	install -p -m 644 include/flagstore.h include/flagstore_cdef.h '$(DESTDIR)$(INCLUDEDIR)'
	install -p -m 644 $(PAPERS) '$(DESTDIR)$(DOCDIR)'
	$(if $(PROGRAM),install -d '$(DESTDIR)$(BINDIR)' && install -p -m 755 $(PROGRAM) '$(DESTDIR)$(BINDIR)/flagstore' && \
	  $(STRIP) -p '$(DESTDIR)$(BINDIR)/flagstore')
	sed -e 's|@PREFIX_FROM_HERE@|$(call from_pkgconfig,$(PREFIX))|' \
	  -e 's|@INCLUDEDIR_FROM_HERE@|$(call from_pkgconfig,$(INCLUDEDIR))|' -e 's|@VERSION@|$(VERSION)|' \
	  flagstore.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/flagstore.pc'

uninstall: ## remove what install put there
	rm -f '$(DESTDIR)$(LIBDIR)'/libflagstore.so '$(DESTDIR)$(LIBDIR)'/$(SONAME) \
	  '$(DESTDIR)$(LIBDIR)'/libflagstore.so.$(VERSION) '$(DESTDIR)$(LIBDIR)'/libflagstore.a \
	  '$(DESTDIR)$(LIBDIR)'/pkgconfig/flagstore.pc '$(DESTDIR)$(BINDIR)'/flagstore \
	  '$(DESTDIR)$(INCLUDEDIR)'/flagstore.h '$(DESTDIR)$(INCLUDEDIR)'/flagstore_cdef.h \
	  $(foreach paper,$(notdir $(PAPERS)),'$(DESTDIR)$(DOCDIR)'/$(paper))

clean: ## remove everything that was built
	rm -rf build bindings/node/dist bindings/node/lib bindings/node/node_modules $(patsubst %,bindings/node/test/%/node_modules,native bundlers runtimes) bindings/java/target
	$(CARGO) clean

# The C tests and examples are built as users build: with pkg-config, against an installed tree. A second tree without
# the shared library is what makes -lflagstore link statically.
stage: library
	@$(MAKE) --no-print-directory -s install PREFIX='$(abspath $(STAGE))/shared' STRIP='$(STRIP)' PROGRAM=
	@$(MAKE) --no-print-directory -s install PREFIX='$(abspath $(STAGE))/static' STRIP=: PROGRAM=
	@rm -f $(STAGE)/static/lib/libflagstore.so*

# For packages: the library as it is released, for old C libraries too, where zig is there to link it.
stage-portable: library
	@library=$$(supply-chain/platforms portable '$(LIBRARY)') && $(MAKE) --no-print-directory -s stage LIBRARY="$$library"

pkg_config = PKG_CONFIG_PATH=$(abspath $(STAGE))/$(1)/lib/pkgconfig pkg-config
SHARED     = $(shell $(call pkg_config,shared) --cflags --libs flagstore) -Wl,-rpath,$(abspath $(STAGE))/shared/lib
STATIC     = $(shell $(call pkg_config,static) --cflags --libs --static flagstore)
STRICT     = -std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -pedantic -pthread
HARNESS    = $(addprefix tests/c/,check.c runner.c endpoint.c servers.c)
HARNESS_H  = tests/c/check.h tests/c/endpoint.h tests/c/queue.h include/flagstore.h
TEST_FLAGS = $(STRICT) -O1 -Itests/c -DPACKAGE_VERSION='"$(VERSION)"'

c-programs: stage
	@$(MAKE) --no-print-directory -s $(C_PROGRAMS:%=build/c/shared/%) $(C_PROGRAMS:%=build/c/static/%) \
	  $(C_SANITIZED:%=build/c/sanitized/%) $(C_MATRIX) build/c/reload build/soak/load

examples: stage
	@$(MAKE) --no-print-directory -s $(EXAMPLES:%=build/examples/%)

build/c/shared/%: tests/c/%.c $(HARNESS) $(HARNESS_H)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -o $@ $< $(CELLS) $(HARNESS) $(SHARED)

build/c/static/%: tests/c/%.c $(HARNESS) $(HARNESS_H) $(RELEASE)/libflagstore.a
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -o $@ $< $(CELLS) $(HARNESS) $(STATIC)

build/c/sanitized/%: tests/c/%.c $(HARNESS) $(HARNESS_H)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $< $(CELLS) $(HARNESS) $(SHARED)

# The misuse matrix is written from the header: a function that it does not know stops the build.
build/c/matrix_cells.c: tests/c/misuse_matrix include/flagstore_cdef.h include/flagstore.h
	@mkdir -p $(@D)
	$(PYTHON) $^ > $@

$(C_MATRIX): build/c/matrix_cells.c tests/c/matrix.h
$(C_MATRIX): CELLS = build/c/matrix_cells.c

SOAK = $(addprefix tests/soak/,load.c worker.c data_sets.c samples.c)
build/soak/load: $(SOAK) tests/soak/worker.h tests/soak/samples.h $(HARNESS) $(HARNESS_H)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -o $@ $(SOAK) $(HARNESS) $(SHARED)

# Loads the library itself, hence only the header.
build/c/reload: tests/c/reload.c include/flagstore.h
	@mkdir -p $(@D)
	$(CC) $(STRICT) -Iinclude -o $@ $<

build/examples/%: examples/c/%.c include/flagstore.h
	@mkdir -p $(@D)
	$(CC) -Wall -Wextra -Werror -pedantic -pthread -o $@ $< $(SHARED)

NODE := bindings/node

# The npm packages that are pinned, anew when the lock changes; then the native part and the compiled TypeScript. The
# integration that the tests share a table with is for another SDK, hence packages of its own; so have the bundlers and the
# runtimes that the package is tested with.
pinned = $(1)/node_modules/.made-for-$(shell sha256sum $(1)/package-lock.json | cut -c1-12)

node: $(foreach folder,$(NODE) $(NODE)/test/native $(NODE)/test/bundlers $(NODE)/test/runtimes,$(call pinned,$(folder)))
	@$(NODE)/build

$(NODE)/node_modules/.made-for-% $(NODE)/test/native/node_modules/.made-for-% \
$(NODE)/test/bundlers/node_modules/.made-for-% $(NODE)/test/runtimes/node_modules/.made-for-%:
	cd $(@D)/.. && $(NPM) ci --no-audit --no-fund --ignore-scripts --silent
	touch $@

# Made anew when the pinned packages change.
venv: $(VENV)/.made-for-$(shell sha256sum $(PY_TESTS) | cut -c1-12)

$(VENV)/.made-for-%: $(PY_TESTS)
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r $(PY_TESTS)
	touch $@
