/* SPDX-License-Identifier: GPL-2.0 */
/* What daq_model.c needs of the kernel's headers, for user space. */
#ifndef _DAQ_MODEL_USER_H
#define _DAQ_MODEL_USER_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>
#include <linux/daq.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef int64_t s64;
typedef uint64_t u64;

/* As in the kernel: the message is the expression. */
#undef static_assert
#define static_assert(expr)	_Static_assert(expr, #expr)

/* Segments that there is room for in a FIFO, a power of two. */
#define DAQ_MODEL_FIFO		1024u

#define U64_MAX			UINT64_MAX
#define NSEC_PER_SEC		1000000000L
#define NSEC_PER_MSEC		1000000L
#define NSEC_PER_USEC		1000L
#define BIT_ULL(n)		(1ULL << (n))
#define __aligned(n)		__attribute__((aligned(n)))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof(*(a)))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
/* Each argument is evaluated once: some have effects. */
#define min(a, b) ({				\
	__typeof__(a) min_a_ = (a);		\
	__typeof__(b) min_b_ = (b);		\
						\
	min_a_ < min_b_ ? min_a_ : min_b_;	\
})
#define min_t(t, a, b)		min((t)(a), (t)(b))
#define max(a, b) ({				\
	__typeof__(a) max_a_ = (a);		\
	__typeof__(b) max_b_ = (b);		\
						\
	max_a_ > max_b_ ? max_a_ : max_b_;	\
})
#define lower_32_bits(n)	((u32)(n))
#define upper_32_bits(n)	((u32)((n) >> 32))
#define offsetofend(t, m)	(offsetof(t, m) + sizeof(((t *)0)->m))

#define cpu_to_le16(n)		htole16(n)
#define cpu_to_le32(n)		htole32(n)
#define cpu_to_le64(n)		htole64(n)
#define le32_to_cpu(n)		le32toh(n)
#define le64_to_cpu(n)		le64toh(n)
#define cpu_to_be16(n)		htobe16(n)
#define cpu_to_be32(n)		htobe32(n)
#define cpu_to_be64(n)		htobe64(n)
#define be32_to_cpu(n)		be32toh(n)
#define be64_to_cpu(n)		be64toh(n)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

typedef struct {
	int counter;
} atomic_t;

#define atomic_or(v, a)		((void)__atomic_fetch_or(&(a)->counter, v, __ATOMIC_SEQ_CST))
#define atomic_xchg(a, v)	__atomic_exchange_n(&(a)->counter, v, __ATOMIC_SEQ_CST)

static inline u64 div_u64(u64 n, u32 d)
{
	return n / d;
}

static inline u64 div64_u64_rem(u64 n, u64 d, u64 *rem)
{
	*rem = n % d;
	return n / d;
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (unsigned __int128)a * b >> shift;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 d)
{
	return (unsigned __int128)a * b / d;
}

#endif /* _DAQ_MODEL_USER_H */
