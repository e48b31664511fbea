# engine.mk --- the engine alone: a static library, unit programs, fuzzers, benches.
# Used by the Makefile and by itself:  make -f engine.mk unit BUILD=/tmp/x
# No server include path exists here, so postgres.h cannot be reached.
BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
ENGINE_SRCS := $(sort $(wildcard src/engine/*/*.c))
ENGINE_CPPFLAGS := -Isrc/engine
ENGINE_CFLAGS := -std=gnu11 -O3 -g -fPIC -Wall -Wextra -Wno-unused-parameter \
	-ffp-contract=off -fno-math-errno -fno-trapping-math -fvisibility=hidden
# More flags for a whole build (sanitizers). The kernels may have others: their vectors take
# minutes to compile under UBSAN, and no stranger's byte reaches them unchecked.
KERNEL_EXTRA ?= $(ENGINE_EXTRA)
extra_flags = $(if $(findstring src/engine/kernel/,$1),$(KERNEL_EXTRA),$(ENGINE_EXTRA))
ENGINE_LIBS := -lutf8proc -ljansson -lpthread -lm

ARCH := $(shell uname -m)
ifeq ($(ARCH),x86_64)
ISA_avx2 := -mavx2 -mfma -mf16c
ISA_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mprefer-vector-width=512
else ifeq ($(ARCH),aarch64)
ISA_neon := -march=armv8.2-a+dotprod+fp16
endif
# Flags of one source file: <kernel>_<isa>.c is built for that instruction set; on a
# machine of another architecture the file is empty by its own #if.
isa_flags = $(if $(findstring _avx512.c,$1),$(ISA_avx512),$(if $(findstring _avx2.c,$1),$(ISA_avx2),$(if $(findstring _neon.c,$1),$(ISA_neon))))

ENGINE_OBJS := $(ENGINE_SRCS:%.c=$(BUILD)/%.o)
UNIT_SRCS := $(sort $(wildcard test/unit/*_test.c))
UNIT_BINS := $(UNIT_SRCS:test/unit/%.c=$(BUILD)/unit/%)
BENCH_SRCS := $(sort $(wildcard test/bench/*_bench.c))
BENCH_BINS := $(BENCH_SRCS:test/bench/%.c=$(BUILD)/bench/%)
TOOL_SRCS := $(sort $(wildcard tools/*.c))
TOOL_BINS := $(TOOL_SRCS:tools/%.c=$(BUILD)/tools/%)

$(BUILD)/src/engine/%.o: src/engine/%.c
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) $(call extra_flags,$<) $(call isa_flags,$<) $(ENGINE_CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libnlp_engine.a: $(ENGINE_OBJS)
	rm -f $@
	ar rcs $@ $^

$(BUILD)/unit/%: test/unit/%.c test/unit/check.h $(BUILD)/libnlp_engine.a
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) $(ENGINE_EXTRA) $(ENGINE_CPPFLAGS) -Itest/unit -o $@ $< $(BUILD)/libnlp_engine.a $(ENGINE_LIBS)

$(BUILD)/bench/%: test/bench/%.c $(BUILD)/libnlp_engine.a
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) $(ENGINE_EXTRA) $(ENGINE_CPPFLAGS) -o $@ $< $(BUILD)/libnlp_engine.a $(ENGINE_LIBS)

$(BUILD)/tools/%: tools/%.c $(BUILD)/libnlp_engine.a
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) $(ENGINE_EXTRA) $(ENGINE_CPPFLAGS) -o $@ $< $(BUILD)/libnlp_engine.a $(ENGINE_LIBS)

# The proof of the header's second line: every engine file compiles, warnings being
# errors, and no file it reads lies in a server's include directory.
ENGINE_ONLY := $(ENGINE_SRCS:%.c=$(BUILD)/engine-only/%.ok)
$(BUILD)/engine-only/%.ok: %.c
	@mkdir -p $(@D)
	$(CC) $(ENGINE_CFLAGS) -Werror -Wpointer-arith $(call isa_flags,$<) $(ENGINE_CPPFLAGS) -fsyntax-only $<
	@$(CC) $(ENGINE_CFLAGS) $(call isa_flags,$<) $(ENGINE_CPPFLAGS) -M $< > $@.d
	@! grep -i -e postgresql -e 'server/' $@.d || { echo "$<: reads a server header"; exit 1; }
	@grep -q '^#include "engine_only.h"' $< || { echo "$<: does not end its includes with engine_only.h"; exit 1; }
	@touch $@

.PHONY: engine unit engine-tools engine-bench engine-only
engine-only: $(ENGINE_ONLY)
engine: $(BUILD)/libnlp_engine.a
unit: $(UNIT_BINS)
engine-tools: $(TOOL_BINS)
engine-bench: $(BENCH_BINS)

-include $(ENGINE_OBJS:.o=.d)
