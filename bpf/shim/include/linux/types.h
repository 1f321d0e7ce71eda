/* The integer types of bcc's headers and of our programs, as the kernel spells them on x86-64. */
#ifndef SHIM_LINUX_TYPES_H
#define SHIM_LINUX_TYPES_H

#define INTEGER(bits, signed_type, unsigned_type) \
  typedef signed_type __s##bits;                  \
  typedef unsigned_type __u##bits;                \
  typedef signed_type s##bits;                    \
  typedef unsigned_type u##bits;

INTEGER(8, signed char, unsigned char)
INTEGER(16, short, unsigned short)
INTEGER(32, int, unsigned int)
INTEGER(64, long long, unsigned long long)
#undef INTEGER

typedef __u16 __le16, __be16, __sum16;
typedef __u32 __le32, __be32, __wsum;
typedef __u64 __le64, __be64;
typedef __u64 __aligned_u64 __attribute__((aligned(8)));
typedef unsigned long size_t, uintptr_t;
typedef long ssize_t;
typedef int pid_t;

typedef _Bool bool;
enum { false = 0, true = 1 };
#define NULL ((void *)0)

#endif
