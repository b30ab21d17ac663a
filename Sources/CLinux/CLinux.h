#pragma once
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

/// 0 where all that was printed has arrived, else why not: an earlier failure has left no cause.
static inline int lockstep_flush_output(void) {
    if (fflush(stdout) != 0) return errno;
    return ferror(stdout) ? EIO : 0;
}

/// One heap for all threads. Each other one would take 64 MB of address space for a start.
static inline void lockstep_use_one_heap(void) { mallopt(M_ARENA_MAX, 1); }

/// The system ends this process when the thread that has started it ends, also while it is stopped.
static inline void lockstep_end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

/// What tools call the thread that calls, and where it is the first of its process, that.
static inline void lockstep_set_name(const char *name) { prctl(PR_SET_NAME, name); }
