/* bcc brings a whole eBPF header of its own. */
#include <bcc/bpf.h>
