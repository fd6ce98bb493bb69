# SPDX-License-Identifier: GPL-2.0
#
# make              build everything for the running kernel
# make install      install it (as root; DESTDIR= and PREFIX= work)
# make demo         run the main job in a virtual machine and show the result
# make test         run every test
# make test-kinds   run those of cards on both back ends and all personalities
# make test-debug   run them on a kernel with all detectors
# make bench        measure this way to receive, and others (NATIVE=1: on this machine)
# make conformance  run the kernel's own network tests on software cards
# make check        static checks
# make vm RUN=...   run a command in a virtual machine, see selftests/vm/run.sh

O	?= build
KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
PREFIX	?= /usr

out	:= $(abspath $(O))
module	:= $(out)/module-$(KVER)
sources	:= $(wildcard drivers/net/daq/*.[ch] drivers/net/daq/Kbuild)
user	:= bpf lib tools/daq samples selftests

override DESTDIR := $(if $(DESTDIR),$(abspath $(DESTDIR)))
export PREFIX DESTDIR

# Pass variables on in the environment: Kbuild has its own meaning for O=.
MAKEOVERRIDES :=

all: modules $(user)

# Kbuild puts its files beside the sources, so it gets a copy of them.
kbuild = $(MAKE) -C $(KDIR) M=$(module) CONFIG_DAQ=m \
	 DAQ_CFLAGS=-I$(CURDIR)/include/uapi $(if $(W),W=$(W)) $(if $(C),C=$(C))

$(module)/.sources: $(sources) include/uapi/linux/daq.h
	@mkdir -p $(module)
	@cp -u $(sources) $(module)
	@touch $@

modules: $(module)/.sources
	@$(kbuild) modules

$(user):
	@$(MAKE) -C $@ O=$(out) all

lib: bpf
tools/daq samples selftests: lib

# The bench's own module, see selftests/bench.
bench_module := $(out)/bench-module-$(KVER)
bench_sources := $(wildcard selftests/bench/bench_*.c) selftests/bench/bench.h \
		 selftests/bench/daq_bench.h selftests/bench/Kbuild \
		 $(addprefix drivers/net/daq/,daq_model.c daq_model.h daq_hw.h daq_wire.h)

bench-module:
	@mkdir -p $(bench_module)
	@cp -u $(bench_sources) $(bench_module)
	@$(MAKE) -C $(KDIR) M=$(bench_module) DAQ_CFLAGS=-I$(CURDIR)/include/uapi \
		$(if $(W),W=$(W)) $(if $(C),C=$(C)) modules

install: all
	@for dir in bpf lib tools/daq tools/wireshark samples; do \
		$(MAKE) -C $$dir O=$(out) install || exit; done
	install -D -m 644 $(module)/daq.ko \
		$(DESTDIR)/lib/modules/$(KVER)/updates/daq.ko
	$(if $(DESTDIR),,depmod $(KVER))

demo:
	@selftests/demo/run.sh

test:
	@selftests/run.sh

test-kinds:
	@failed=; for backend in soft pci; do for kind in interrupt polled kicked; do \
		TEST_BACKEND=$$backend TEST_PERSONALITY=$$kind selftests/run.sh || \
			failed="$$failed $$backend:$$kind"; \
	done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

test-debug:
	@selftests/run.sh --debug

bench:
	@selftests/bench/run.sh

check:
	@selftests/vm/chroot.sh selftests/check.sh

conformance:
	@selftests/conformance/run.sh $(JOBS)

clean:
	rm -rf $(out)

include selftests/vm/vm.mk

.PHONY: all modules $(user) install demo test test-kinds test-debug bench bench-module check conformance clean
