/* bcc includes this before every program; it insists on one option. */
#define CONFIG_BPF_SYSCALL 1
