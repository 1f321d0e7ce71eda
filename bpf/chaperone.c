/* The text that is loaded: everything the agent runs in the kernel. agent/trace/flatten.py inlines the "…" includes. */
#include <uapi/linux/ptrace.h>

#include "event.h"
#include "socket_event.h"
#include "gate_event.h"
#include "call.h"
#include "maps.h"
#include "filter.h"
#include "gate.h"
#include "copy.h"
#include "account.h"
#include "tie.h"
#include "openssl.c"
#include "gnutls.c"
#include "go.c"
#include "process.c"
#include "sockets.c"
