/// Counts what a thread allocates, for tests of code that is to allocate nothing.
///
/// A program that links this has its allocation functions here: they count, and pass on to glibc's.
#pragma once

/// From now on this thread's allocations are counted, from 0.
void allocation_counter_begin(void);

/// Stops counting.
///
/// Returns the count of allocations since `begin`.
long allocation_counter_end(void);

/// Who made the first allocation that was counted last: the symbols of the calls, innermost first, one a
/// line. It lives until this thread asks again.
const char *allocation_counter_first(void);
