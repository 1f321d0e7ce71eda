"""The kernel's struct offsets that the BPF programs need, as -D flags: bpf/filter.h and process.c name them so; and which pid namespace
they count in (bpf/numbers.h).
"""

from pathlib import Path

from chaperone.agent.trace.btf import Btf

MACHINES = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h: the pid namespace that the kernel counts in

# flag → struct, and its member in the spellings of the kernels from 5.10 on
MEMBERS = {
    "TASK_GROUP_LEADER": ("task_struct", "group_leader"),
    "TASK_START_BOOTTIME": ("task_struct", "start_boottime", "real_start_time"),
    "TASK_PID": ("task_struct", "pid"),
    "TASK_TGID": ("task_struct", "tgid"),
    "TASK_THREAD_PID": ("task_struct", "thread_pid"),
    "PID_LEVEL": ("pid", "level"),
    "PID_NUMBERS": ("pid", "numbers"),
    "UPID_NR": ("upid", "nr"),
    "UPID_NS": ("upid", "ns"),
    "PID_NAMESPACE_NS": ("pid_namespace", "ns"),
    "NS_COMMON_INUM": ("ns_common", "inum"),
    "TASK_SELF_EXEC_ID": ("task_struct", "self_exec_id"),
    "TASK_PTRACE": ("task_struct", "ptrace"),
    "TASK_PARENT": ("task_struct", "parent"),
    "TASK_REAL_PARENT": ("task_struct", "real_parent"),
    "TASK_MM": ("task_struct", "mm"),
    "TASK_FS": ("task_struct", "fs"),
    "TASK_SIGNAL": ("task_struct", "signal"),
    "TASK_EXIT_CODE": ("task_struct", "exit_code"),
    "TASK_JOBCTL": ("task_struct", "jobctl"),
    "SIGNAL_TTY": ("signal_struct", "tty"),
    "SIGNAL_LIVE": ("signal_struct", "live"),
    "SIGNAL_GROUP_EXIT_CODE": ("signal_struct", "group_exit_code"),
    "MM_EXEC_VM": ("mm_struct", "exec_vm"),
    "MM_ARG_START": ("mm_struct", "arg_start"),
    "MM_ARG_END": ("mm_struct", "arg_end"),
    "CGROUP_SELF": ("cgroup", "self"),
    "CGROUP_KN": ("cgroup", "kn"),
    "CGROUP_ROOT": ("cgroup", "root"),
    "CGROUP_ROOT_HIERARCHY_ID": ("cgroup_root", "hierarchy_id"),
    "CSS_PARENT": ("cgroup_subsys_state", "parent"),
    "KERNFS_NODE_ID": ("kernfs_node", "id"),
    "FS_PWD": ("fs_struct", "pwd"),
    "PATH_MNT": ("path", "mnt"),
    "PATH_DENTRY": ("path", "dentry"),
    "MOUNT_MNT": ("mount", "mnt"),
    "MOUNT_MNT_PARENT": ("mount", "mnt_parent"),
    "MOUNT_MNT_MOUNTPOINT": ("mount", "mnt_mountpoint"),
    "VFSMOUNT_MNT_ROOT": ("vfsmount", "mnt_root"),
    "DENTRY_D_PARENT": ("dentry", "d_parent"),
    "DENTRY_D_NAME": ("dentry", "d_name"),
    "QSTR_NAME": ("qstr", "name"),
    "BINPRM_FILENAME": ("linux_binprm", "filename"),
}


def offsets(btf: Btf) -> dict[str, int]:
    """Each flag's value on this kernel. btf.BtfError when the kernel has no such member."""
    return {flag: btf.offset(*names) for flag, names in MEMBERS.items()}


def namespace(own: Path = Path("/proc/self/ns/pid")) -> dict[str, int]:
    """The flag for an agent in a pid namespace of its own, as where the node is a container; none on a machine itself."""
    number = own.stat().st_ino
    return {} if number == MACHINES else {"PID_NAMESPACE": number}
