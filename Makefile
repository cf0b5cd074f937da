# reeve - `make help` lists the targets
#
# One static library a folder, sources found by wildcard, everything below build/<profile>/. Nothing here asks
# pkg-config or the compiler for anything until a recipe needs it, since `make demo` and `make check` first install
# what is missing.
#
# PROFILE=debug|release|asan|tsan|cov|fuzz|planted   V=1: show commands   CFLAGS=, LDFLAGS=: added at the end   STATIC=0: shared libraries

PROFILES := debug release asan tsan cov fuzz planted
PROFILE ?=
BUILD_PROFILE := $(or $(PROFILE),release)
TEST_PROFILE := $(or $(PROFILE),debug)
ifneq ($(filter-out $(PROFILES),$(PROFILE)),)
$(error PROFILE=$(PROFILE) is none of: $(PROFILES))
endif

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
PREFIX ?= /usr/local
DESTDIR ?=
STATIC ?= 1
SECONDS ?= 15
SEEDS ?=
TIMEOUT ?= $(if $(filter asan tsan cov,$(PROFILE)),400,150)
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
Q := $(if $(V),,@)
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(or $(V),$(silent)),@:,@printf '  %-5s %s\n' $(1) $(2))
# The wrappers below build with all processors unless the caller chose a number of jobs.
submake = $(MAKE) $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

# ---- flags ----

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
BASE_CFLAGS := -std=c17 -D_GNU_SOURCE -I. -g -pthread $(WARNINGS)
BASE_LDFLAGS := -pthread -Wl,--as-needed

cc.debug = $(CC)
cc.release = $(CC)
cc.asan = $(CC)
cc.tsan = $(CC)
cc.cov = $(CC)
cc.planted = $(CC)
cc.fuzz = $(CLANG)
cflags.debug := -O1 -fno-omit-frame-pointer -Werror
cflags.release := -O2
cflags.asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -Werror
cflags.tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread -Werror
cflags.cov := -O0 --coverage
cflags.planted := -O1 -fno-omit-frame-pointer -DRV_PLANTED -Werror
cflags.fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ldflags.asan := -fsanitize=address,undefined
ldflags.tsan := -fsanitize=thread
ldflags.cov := --coverage
ldflags.fuzz := -fsanitize=fuzzer,address,undefined

# Libraries, asked for once and only when something is compiled.
PACKAGES = libzmq libczmq $(MSGPACK) libsodium sqlite3 jansson libfyaml ncursesw
MSGPACK = $(eval MSGPACK := $(shell pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack))$(MSGPACK)
pkg = $(shell pkg-config $(1) || echo :pkg-config:)
PKG_CFLAGS = $(eval PKG_CFLAGS := $(call need,$(call pkg,--cflags $(PACKAGES))))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(call need,$(call pkg,--libs $(PACKAGES))) -lm)$(PKG_LIBS)
TEST_CFLAGS = $(eval TEST_CFLAGS := $(call need,$(call pkg,--cflags cmocka)))$(TEST_CFLAGS)
TEST_LIBS = $(eval TEST_LIBS := $(call need,$(call pkg,--libs cmocka)))$(TEST_LIBS)
# The release program takes all but libc and libm from static libraries, which spares it 2 ms of loading thirty shared ones
# before its first unit (docs/performance.md, "Start-up"). Where that does not link, the shared ones are taken.
STATIC_STUBS := cli/static/unused.c
STATIC_LIBS = -static-libgcc -Wl,-Bstatic -lczmq -lzmq $(shell pkg-config --libs-only-l $(MSGPACK)) -lsodium -lsqlite3 -ljansson \
	-lfyaml -lncursesw -ltinfo -lstdc++ -luuid -lbsd -lmd -Wl,-Bdynamic -lm
need = $(if $(findstring :pkg-config:,$(1)),$(error a library is missing; `make setup` installs what reeve needs),$(1))

# ---- folders ----

# Lower floors first; a folder that is not there yet is left out. common/os becomes libcommon-os.a.
FOLDERS := common common/os common/net common/http common/plan proto coordinator/core coordinator/journal \
	coordinator node/core node/warden node cli
PARTS.node := node/workspace node/agents
PARTS.coordinator := coordinator/clients
PARTS.cli := cli/export cli/view
MAIN := cli/main.c
sources = $(filter-out $(MAIN),$(wildcard $(addsuffix /*.c,$(1) $(PARTS.$(1)))))
LIBRARIES := $(foreach f,$(FOLDERS),$(if $(call sources,$(f)),$(f)))
lib = $(2)/lib$(subst /,-,$(1)).a

UNIT_TESTS := $(patsubst %.c,%,$(wildcard tests/unit/test_*.c))
CORE_TESTS := $(patsubst %.c,%,$(wildcard tests/core/test_*.c))
HELPERS := $(patsubst %.c,%,$(wildcard tests/helpers/*.c))
BENCHES := $(patsubst %.c,%,$(wildcard bench/coord_*.c bench/journal_*.c))
FUZZERS := $(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c))
# Minutes, and a base image that has to be made first: `make containers`, in CI a stage of its own.
CONTAINER_SCRIPTS := $(wildcard tests/integration/t90-*.sh)
# Real agents from npm, 800 MB: `make agents-check`.
AGENT_SCRIPTS := $(wildcard tests/integration/t91-*.sh)
SCRIPTS := $(filter-out $(CONTAINER_SCRIPTS) $(AGENT_SCRIPTS),$(sort $(wildcard tests/integration/t[0-9]*-*.sh)))
SIM_SOURCES := $(wildcard tests/sim/*.c)
TEST_LIB_SOURCES := $(wildcard tests/lib/*.c)
# The simulator without its main, so that tests/core may drive worlds too.
SIM_LIB_SOURCES := $(filter-out tests/sim/main.c,$(SIM_SOURCES))

ALL_SOURCES := $(STATIC_STUBS) $(foreach f,$(FOLDERS),$(call sources,$(f))) $(wildcard $(MAIN)) $(TEST_LIB_SOURCES) $(SIM_SOURCES) \
	$(addsuffix .c,$(UNIT_TESTS) $(CORE_TESTS) $(HELPERS) $(BENCHES) $(FUZZERS))
HEADERS := $(foreach f,$(FOLDERS) $(PARTS.node) $(PARTS.coordinator) $(PARTS.cli) tests/lib tests/sim,$(wildcard $(f)/*.h))

program.release := build/reeve
$(foreach p,$(filter-out release,$(PROFILES)),$(eval program.$(p) := build/$(p)/reeve))
program = $(if $(wildcard $(MAIN)),$(program.$(1)))
sim = $(if $(wildcard tests/sim/main.c),build/$(1)/tests/sim/sim)

# Test programs see reeve's allocations, so that a step of a core can be shown to make none (tests/lib/noalloc.h).
WRAPPED := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
static.release := $(if $(filter 1,$(STATIC)),build/release/$(STATIC_STUBS:.c=.o))
no_static = echo 'reeve: static libraries do not link (build/release/static-link.log); taking shared ones' >&2
link_static.release = $(cc.release) -o $@ $< $(static.release) $(BASE_LDFLAGS) \
	-Wl,--start-group $(libs.release) $(STATIC_LIBS) -Wl,--end-group $(LDFLAGS)

# ---- rules, the same for each profile ----

# $(1): profile
define profile_rules
objects.$(1) := $$(addprefix build/$(1)/,$$(ALL_SOURCES:.c=.o))
libs.$(1) := $$(foreach f,$$(LIBRARIES),$$(call lib,$$(f),build/$(1)))
testlibs.$(1) := $$(if $$(TEST_LIB_SOURCES),build/$(1)/libtests.a) $$(if $$(SIM_LIB_SOURCES),build/$(1)/libtests-sim.a)

build/$(1)/flags: FORCE
	$$(Q)mkdir -p $$(@D)
	$$(Q)printf '%s\n' '$$(cc.$(1)) $$(BASE_CFLAGS) $$(cflags.$(1)) $$(PKG_CFLAGS) $$(CFLAGS)' >$$@.new
	$$(Q)cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

build/$(1)/link-flags: FORCE
	$$(Q)mkdir -p $$(@D)
	$$(Q)printf '%s\n' '$$(BASE_LDFLAGS) $$(ldflags.$(1)) $$(PKG_LIBS) $$(LDFLAGS) $$(static.$(1))' >$$@.new
	$$(Q)cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

# A source that was deleted must leave its library too.
build/$(1)/sources: FORCE
	$$(Q)mkdir -p $$(@D)
	$$(Q)printf '%s\n' $$(ALL_SOURCES) >$$@.new
	$$(Q)cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

build/$(1)/tests/%.o: tests/%.c build/$(1)/flags
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(BASE_CFLAGS) $$(cflags.$(1)) $$(PKG_CFLAGS) $$(TEST_CFLAGS) $$(CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/%.o: %.c build/$(1)/flags
	$$(call say,CC,$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(cc.$(1)) $$(BASE_CFLAGS) $$(cflags.$(1)) $$(PKG_CFLAGS) $$(CFLAGS) -MMD -MP -c -o $$@ $$<

$$(foreach f,$$(LIBRARIES),$$(eval $$(call library_rule,$$(call lib,$$(f),build/$(1)),$$(call sources,$$(f)),$(1))))
$$(eval $$(call library_rule,build/$(1)/libtests.a,$$(TEST_LIB_SOURCES),$(1)))
$$(eval $$(call library_rule,build/$(1)/libtests-sim.a,$$(SIM_LIB_SOURCES),$(1)))

link.$(1) = $$(cc.$(1)) -o $$@ $$< $$(BASE_LDFLAGS) $$(filter-out -fsanitize=fuzzer%,$$(ldflags.$(1))) \
		-Wl,--start-group $$(libs.$(1)) -Wl,--end-group $$(PKG_LIBS) $$(LDFLAGS)

$$(program.$(1)): build/$(1)/cli/main.o $$(static.$(1)) $$(libs.$(1)) build/$(1)/link-flags
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(if $$(static.$(1)),$$(link_static.$(1)) 2>build/$(1)/static-link.log || { $$(no_static); $$(link.$(1)); },$$(link.$(1)))

$$(addprefix build/$(1)/,$$(UNIT_TESTS) $$(CORE_TESTS) $$(HELPERS) $$(BENCHES) $$(FUZZERS)): build/$(1)/%: \
		build/$(1)/%.o $$(testlibs.$(1)) $$(libs.$(1)) build/$(1)/link-flags
	$$(call say,LD,$$@)
	$$(Q)$$(cc.$(1)) -o $$@ $$< $$(BASE_LDFLAGS) $$(ldflags.$(1)) \
		$$(WRAPPED) -Wl,--start-group $$(testlibs.$(1)) $$(libs.$(1)) -Wl,--end-group $$(PKG_LIBS) $$(TEST_LIBS) $$(LDFLAGS)

build/$(1)/tests/sim/sim: build/$(1)/tests/sim/main.o $$(testlibs.$(1)) $$(libs.$(1)) build/$(1)/link-flags
	$$(call say,LD,$$@)
	$$(Q)$$(cc.$(1)) -o $$@ $$< $$(BASE_LDFLAGS) $$(ldflags.$(1)) \
		$$(WRAPPED) -Wl,--start-group $$(testlibs.$(1)) $$(libs.$(1)) -Wl,--end-group $$(PKG_LIBS) $$(TEST_LIBS) $$(LDFLAGS)

$$(if $$(wildcard build/$(1)),$$(eval -include $$(wildcard $$(objects.$(1):.o=.d))))
endef

# $(1): archive, $(2): sources, $(3): profile
define library_rule
$(1): $(patsubst %.c,build/$(3)/%.o,$(2)) build/$(3)/sources
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar qcs $$@ $$(filter %.o,$$^)
endef

$(foreach p,$(PROFILES),$(eval $(call profile_rules,$(p))))

.PHONY: FORCE
.SECONDARY:

# ---- what people type ----

.PHONY: build demo check ci setup install clean help
build: $(call program,$(BUILD_PROFILE)) ## build the program: build/reeve (PROFILE=asan: build/asan/reeve)
ifeq ($(wildcard $(MAIN)),)
build: $(libs.$(BUILD_PROFILE))
endif

demo: ## install what is missing, build, run the example plan
	@sh scripts/setup.sh
	@$(submake) build
	@echo "\$$ reeve run -j 4 --show all examples/hello.yaml"; $(program.$(BUILD_PROFILE)) run -j 4 --show all examples/hello.yaml

check: ## install what is missing, build and run the tests; the last line counts them
	@sh scripts/setup.sh
	@$(submake) test-programs
	@$(call run_tests,--simulation "$(sim_quick)" $(test_programs) $(SCRIPTS))

ci: ## what CI runs after `make check`: guards, sanitizers, simulation, fuzzing (see .ci/run)
	@env -u MAKEFLAGS -u MFLAGS bash .ci/stages

setup: ## install the Debian packages that reeve needs
	@sh scripts/setup.sh

install: build ## install below PREFIX=/usr/local (DESTDIR= for packagers)
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 $(program.$(BUILD_PROFILE)) '$(DESTDIR)$(PREFIX)/bin/reeve'
	install -d $(addprefix '$(DESTDIR)$(PREFIX)/share/,$(addsuffix ',man/man1 man/man5 bash-completion/completions zsh/site-functions fish/vendor_completions.d))
	$(program.$(BUILD_PROFILE)) help --man reeve >'$(DESTDIR)$(PREFIX)/share/man/man1/reeve.1'
	$(program.$(BUILD_PROFILE)) help --man reeve-plan >'$(DESTDIR)$(PREFIX)/share/man/man5/reeve-plan.5'
	$(program.$(BUILD_PROFILE)) completion bash >'$(DESTDIR)$(PREFIX)/share/bash-completion/completions/reeve'
	$(program.$(BUILD_PROFILE)) completion zsh >'$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_reeve'
	$(program.$(BUILD_PROFILE)) completion fish >'$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/reeve.fish'

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@echo; sed -n 's/^# \(PROFILE=.*\)/  \1/p' $(firstword $(MAKEFILE_LIST))

# ---- tests ----

T ?=
chosen = $(if $(T),$(filter %/$(T),$(1)),$(1))
test_programs = $(addprefix build/$(TEST_PROFILE)/,$(UNIT_TESTS) $(CORE_TESTS))
sim_quick = $(if $(call sim,$(TEST_PROFILE)),$(call sim,$(TEST_PROFILE)) --seeds $(or $(SEEDS),100))
sim_full = $(if $(call sim,$(TEST_PROFILE)),$(call sim,$(TEST_PROFILE)) --seeds $(or $(SEEDS),2000))
run_tests = REEVE='$(abspath $(call program,$(TEST_PROFILE)))' HELPERS='$(abspath build/$(TEST_PROFILE)/tests/helpers)' \
	CONTAINERS='$(abspath build/containers)' \
	python3 tests/run.py -j 2 --timeout $(TIMEOUT) $(1)

.PHONY: test-programs unit core sim sim-planted integration containers fuzz
test-programs: $(test_programs) $(addprefix build/$(TEST_PROFILE)/,$(HELPERS)) $(call program,$(TEST_PROFILE)) \
	$(call sim,$(TEST_PROFILE))

unit: $(addprefix build/$(TEST_PROFILE)/,$(call chosen,$(UNIT_TESTS)) $(HELPERS)) $(call program,$(TEST_PROFILE)) ## unit tests (T=test_x: one program)
	@$(call run_tests,$(addprefix build/$(TEST_PROFILE)/,$(call chosen,$(UNIT_TESTS))))

core: $(addprefix build/$(TEST_PROFILE)/,$(call chosen,$(CORE_TESTS))) ## tests of the two cores (T=test_x: one program)
	@$(call run_tests,$(addprefix build/$(TEST_PROFILE)/,$(call chosen,$(CORE_TESTS))))

sim: $(call sim,$(TEST_PROFILE)) ## simulation (SEEDS=2000)
	@$(call run_tests,--simulation "$(sim_full)")

sim-planted: build/planted/tests/sim/sim ## how many seeds the simulator needs to find each planted bug (common/plant.h)
	@build/planted/tests/sim/sim --planted all

integration: $(call program,$(TEST_PROFILE)) $(addprefix build/$(TEST_PROFILE)/,$(HELPERS)) ## the real program, script by script (T=t01-x: one)
	@$(call run_tests,$(if $(T),$(filter %/$(T) %/$(T).sh,$(SCRIPTS)),$(SCRIPTS)))

containers: ## docker/: image and compose file, with podman (root; makes a base image first, 1 to 4 minutes)
	@if command -v podman >/dev/null && command -v debootstrap >/dev/null && [ "$$(id -u)" = 0 ]; then \
		bash scripts/base-image.sh build/containers/base.tar.gz; fi
	@$(call run_tests,--timeout 600 $(CONTAINER_SCRIPTS))

.PHONY: agents-demo
agents-demo: build ## three real agents (from npm, below build/) in one repository, against a provider of our own; ends by itself
	@scripts/agents-install.sh build/agents
	@bash scripts/agents-demo.sh $(program.$(BUILD_PROFILE)) build/agents

.PHONY: agents-check
agents-check: $(call program,$(TEST_PROFILE)) $(addprefix build/$(TEST_PROFILE)/,$(HELPERS)) ## real claude and codex (from npm, below build/) against a provider of our own
	@scripts/agents-install.sh build/agents
	@AGENTS='$(abspath build/agents)' $(call run_tests,--timeout 600 $(AGENT_SCRIPTS))

fuzz: $(addprefix build/fuzz/,$(call chosen,$(FUZZERS))) ## every fuzz target for SECONDS=15 (T=fuzz_x: one; needs clang)
	@python3 tests/run.py -j 2 --fuzz-seconds $(SECONDS) $(addprefix build/fuzz/,$(call chosen,$(FUZZERS)))

.PHONY: coverage
coverage: ## line coverage of unit and core tests, a file a line (T=common/map: with the lines that are missing)
	@mkdir -p build; find build/cov -name '*.gcda' -delete 2>/dev/null || true
	@$(submake) PROFILE=cov unit core T= >build/coverage.log || { tail -n 30 build/coverage.log; exit 1; }
	@python3 scripts/coverage.py build/cov $(T)

# ---- guards ----

.PHONY: check-headers check-floors check-pure check-docs guards
guards: check-floors check-headers check-pure check-docs ## all of the checks below

check-floors: ## includes go downwards only
	@python3 scripts/check-floors.py

check-headers: $(addprefix build/$(TEST_PROFILE)/headers/,$(HEADERS:.h=.ok)) ## each header compiles alone
	@echo 'check-headers: $(words $(HEADERS)) headers compile alone'

build/$(TEST_PROFILE)/headers/%.ok: %.h build/$(TEST_PROFILE)/flags
	$(Q)mkdir -p $(@D)
	$(Q)$(cc.$(TEST_PROFILE)) $(BASE_CFLAGS) $(cflags.$(TEST_PROFILE)) $(PKG_CFLAGS) $(TEST_CFLAGS) $(CFLAGS) \
		-MMD -MP -MT $@ -MF $(@:.ok=.d) -include $< -fsyntax-only -x c /dev/null
	$(Q)touch $@

-include $(wildcard $(addprefix build/$(TEST_PROFILE)/headers/,$(HEADERS:.h=.d)))

check-docs: ## the docs name tests, targets, files and audits that exist
	@python3 scripts/check-docs.py

check-pure: $(libs.$(TEST_PROFILE)) ## the cores need no clock, socket, file or allocator
	@python3 scripts/check-pure.py build/$(TEST_PROFILE)
