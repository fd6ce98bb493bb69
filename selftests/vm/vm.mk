# SPDX-License-Identifier: GPL-2.0
#
# Included by the top Makefile.
#
#   make vm RUN='COMMAND'	run COMMAND in a virtual machine; fails as it does
#   make vm-shell		an interactive shell in one
#   make rootfs			only make the root file system, if need be
#
# "selftests/vm/run.sh --help" tells the VM_* knobs, to be given on make's command
# line or in the environment.

VM_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

export VM_KERNEL VM_MODULES VM_SHARE VM_CPUS VM_MEM VM_APPEND VM_QEMU VM_CARDS
export VM_MONITOR VM_TIMEOUT VM_ACCEL DAQ_CACHE

# The command goes through the environment, as it is: no quoting or expanding by
# make can spoil it.
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
