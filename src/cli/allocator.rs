//! How the C library hands out memory, which it reads from its environment before `main`.
//!
//! Left to itself it keeps what was once freed: every thread gets a heap of its own, and after the
//! first large block is given back, large blocks come from these heaps as well, between small ones
//! that live long. On a store of 20,000 messages that is two thirds of all memory. So the program
//! starts itself once more with an environment that says otherwise. It keeps its process id and
//! its arguments; where that fails it runs as it is.

/// One heap for all threads (nearly everything happens on one), blocks from 32 KiB on from the
/// system and back to it, and the free end of the heap too. Bytes, as of mallopt(3).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const WISHES: [(&str, &str); 4] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "32768"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
    ("MALLOC_TOP_PAD_", "32768"),
];

/// Returns at once if the environment has a word on it already, as it has the second time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn be_frugal() {
    if WISHES
        .iter()
        .any(|(name, _)| std::env::var_os(name).is_some())
    {
        return;
    }
    // Returns only if it did not work, and then nothing is lost but memory.
    let _ = super::start_anew(WISHES);
}

/// Other C libraries have other habits.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn be_frugal() {}
