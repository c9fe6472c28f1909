//! How times are spread: median, p99, the greatest.

use std::fmt;
use std::time::Duration;

/// Times in their order.
pub struct Spread(Vec<Duration>);

impl Spread {
    pub fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort();
        Self(sorted)
    }

    /// By the nearest rank: `percent` of a hundred are not longer.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "median {:.2} ms, p99 {:.2} ms, most {:.2} ms of {}",
            ms(self.percentile(50)),
            ms(self.percentile(99)),
            ms(self.percentile(100)),
            self.0.len()
        )
    }
}

/// How many times as long `a` is as `b`: the medians, and the p99s.
pub fn ratios(a: &[Duration], b: &[Duration]) -> String {
    let (a, b) = (Spread::of(a), Spread::of(b));
    let ratio = |percent| a.percentile(percent).as_secs_f64() / b.percentile(percent).as_secs_f64();
    format!("median {:.2}, p99 {:.2}", ratio(50), ratio(99))
}
