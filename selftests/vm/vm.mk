# SPDX-License-Identifier: GPL-2.0
#
# Included by the top Makefile.
#
#   make vm RUN='COMMAND'	run COMMAND in a virtual machine; fails as it does
#   make vm-shell		interactive shell in one
#   make rootfs			only make sure of the root file system
#
# selftests/vm/run.sh --help tells the VM_* knobs, to be given on the command
# line or in the environment.

VM_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

export VM_KERNEL VM_MODULES VM_SHARE VM_CPUS VM_MEM VM_APPEND VM_QEMU
export VM_TIMEOUT VM_ACCEL DAQ_CACHE

# Through the environment, where no quoting can go wrong.
# Make would expand it in passing it on.
unexport RUN

vm: export VM_RUN = $(value RUN)
vm:
	$(if $(value RUN),,$(error vm: say what to run: make vm RUN='COMMAND'))
	@$(VM_DIR)/run.sh "$$VM_RUN"

vm-shell:
	@$(VM_DIR)/run.sh --shell

rootfs:
	@$(VM_DIR)/rootfs.sh

.PHONY: vm vm-shell rootfs
