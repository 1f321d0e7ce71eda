/* What user space is told about cgroups of the unified hierarchy, and the map it writes: mirrored by agent/groups/layout.py, as
 * event.h is. */
#ifndef CHAPERONE_GROUP_EVENT_H
#define CHAPERONE_GROUP_EVENT_H

#include "event.h"

enum group_kind { KIND_GROUP_MADE = 64, KIND_GROUP_ENTERED, KIND_GROUP_GONE };

#define GROUP_PATH_LIMIT 1024 /* bytes of a cgroup's path, its closing 0 included: TRACE_CGROUP_PATH_LEN of the kernel */
#define AREA 0xfffe           /* holds pods: whoever is met in a cgroup of it gets a slot of its own */
#define IGNORED 0xffff        /* one in such an area that is not governed */

/* What is done about those in a cgroup. A cgroup that is made in it begins with the same. */
struct group {
  __u32 slot;   /* of its workload, or AREA, or IGNORED */
  __u32 is_top; /* 1: decided about this one; 0: taken over from the cgroup it was made in */
};

/* One with a decision of its own (or an AREA) got its first process, or is gone. */
struct group_seen {
  struct head head;
  __u64 id;
};

/* One was made in an area. */
struct group_made {
  struct group_seen seen;
  char path[GROUP_PATH_LIMIT];
};

#endif
