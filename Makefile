# pg_nlp --- build, install, try and test.
#
#   make, make install, make installcheck      the habits of PGXS; PG_CONFIG=… picks the server
#   make demo        a private server with a real model and articles in it, from nothing
#   make stop        stop that server
#   make check       every test, on servers of its own; ends with "N passed, N failed"
#   make models      fetch the public model (checked by sha256)
#   make bench       speed, beside llama.cpp built from its source package
#   make fuzz        libFuzzer targets, FUZZ_SECONDS each;  make soak: the long campaigns
#   make check-engine  the engine compiles with no server header in reach
#
# Everything built goes under BUILD (default: build); two BUILDs do not disturb each other.

BUILD ?= build
PG_CONFIG ?= pg_config
MODELS_DIR ?= /var/tmp/pg_nlp-$(shell id -u)/models
export MODELS_DIR PG_CONFIG BUILD

EXTENSION = pg_nlp bridge/pg_nlp_vector
MODULES = $(BUILD)/pg_nlp
DATA = bridge/pg_nlp_vector--1.0.sql
DATA_built = $(BUILD)/pg_nlp--1.0.sql
REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --inputdir=. --outputdir=$(BUILD)/regress
EXTRA_CLEAN = $(BUILD)

# These are scripts that install what is missing and call make again, so the server's
# headers need not be here yet. PGXS claims the name "check" for itself: another reason.
SCRIPT_GOALS := demo stop models check soak bench fuzz help
ifneq (,$(filter $(SCRIPT_GOALS),$(MAKECMDGOALS)))

.PHONY: $(SCRIPT_GOALS)
demo:
	@tools/demo.sh
stop:
	@tools/demo.sh stop
models:
	@tools/get_models.sh "$(MODELS_DIR)" smollm2
check:
	@tools/check.sh
soak:
	@test/soak/run.sh
bench:
	@tools/bench.sh
fuzz:
	@tools/fuzz.sh
help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

else

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error $(PG_CONFIG) finds no server headers: install postgresql-server-dev-NN, or name another PG_CONFIG)
endif
# Bitcode for the server's JIT would be built without our flags per file, and gain nothing.
override with_llvm := no
include $(PGXS)

include engine.mk

# ---- the server side ----
PG_SRCS := $(sort $(wildcard src/pg/*.c))
PG_OBJS := $(PG_SRCS:%.c=$(BUILD)/%.o)
SQL_SRCS := $(sort $(wildcard src/sql/*.sql))
# Debian's server flags refuse declarations after statements; C11 code of our own does not.
PG_NLP_CFLAGS := -Wno-declaration-after-statement

$(BUILD)/src/pg/%.o: src/pg/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PG_NLP_CFLAGS) -Isrc/engine -Isrc/pg $(CPPFLAGS) -MMD -MP -c -o $@ $<

# Only what the server looks up by name leaves the library: each PG_FUNCTION_INFO_V1
# function with its info record, the magic block, _PG_init, and *_main of background workers.
$(BUILD)/exports.map: $(PG_SRCS) Makefile
	@mkdir -p $(@D)
	@{ echo '{ global: Pg_magic_func; _PG_init; pg_nlp_*_main;'; \
	   sed -n 's/^PG_FUNCTION_INFO_V1(\([a-z0-9_]*\)).*/\1; pg_finfo_\1;/p' $(PG_SRCS) /dev/null; \
	   echo 'local: *; };'; } > $@

$(BUILD)/pg_nlp.so: $(PG_OBJS) $(ENGINE_OBJS) $(BUILD)/exports.map
	$(CC) $(CFLAGS) -shared -o $@ $(PG_OBJS) $(ENGINE_OBJS) -Wl,--version-script=$(BUILD)/exports.map \
		$(LDFLAGS) $(LDFLAGS_SL) $(ENGINE_LIBS)

$(BUILD)/pg_nlp--1.0.sql: $(SQL_SRCS) Makefile
	@mkdir -p $(@D)
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION pg_nlp" to load this file. \quit'; \
	   for f in $(SQL_SRCS); do printf '\n'; cat $$f; done; } > $@

-include $(PG_OBJS:.o=.d)

# ---- models shipped with the extension: models/NAME.gguf is installed as NAME-VERSION.gguf,
# its card beside it, with an index of what each is, so that no query has to read them to know ----
MODEL_FILES := $(sort $(wildcard models/*.gguf))
MODEL_CARDS := $(MODEL_FILES:.gguf=.md)
model_dir = $(DESTDIR)$(datadir)/extension/pg_nlp_models
SHA256 := $(if $(shell command -v sha256sum),sha256sum,shasum -a 256)

$(BUILD)/models.list: $(MODEL_FILES) $(MODEL_CARDS) $(BUILD)/tools/model_list
	@rm -rf $(BUILD)/models.list.new $(BUILD)/shipped && mkdir -p $(BUILD)/shipped
	@for f in $(MODEL_FILES); do \
	   line=$$($(BUILD)/tools/model_list $$f $$($(SHA256) < $$f | cut -c 1-64)) && \
	   to=$(BUILD)/shipped/$$(printf '%s' "$$line" | cut -f 2) && cp $$f $$to && \
	   cp $${f%.gguf}.md $${to%.gguf}.md && \
	   printf '%s\n' "$$line" >> $(BUILD)/models.list.new || exit 1; done
	@touch $(BUILD)/models.list.new && mv $(BUILD)/models.list.new $@

.PHONY: install-models uninstall-models
all: $(BUILD)/models.list
install: install-models
uninstall: uninstall-models
# Files of other versions stay: running backends may know them. The index goes last.
install-models: $(BUILD)/models.list
	$(MKDIR_P) '$(model_dir)'
	@for f in $(BUILD)/shipped/*; do [ ! -e $$f ] || $(INSTALL_DATA) $$f '$(model_dir)/' || exit 1; done
	$(INSTALL_DATA) $(BUILD)/models.list '$(model_dir)/models.list.new'
	mv '$(model_dir)/models.list.new' '$(model_dir)/models.list'
uninstall-models:
	rm -rf '$(model_dir)'

.PHONY: check-engine check-exports clean-pg
clean-pg:	# what depends on the server's version
	rm -rf $(BUILD)/src/pg $(BUILD)/pg_nlp.so
check-engine: engine-only
	tools/check_arrows.sh

check-exports: $(BUILD)/pg_nlp.so
	tools/check_exports.sh $(BUILD)/pg_nlp.so $(BUILD)/exports.map $(bindir)/postgres

endif
