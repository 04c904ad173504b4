//! Averages over the last minute, five and fifteen minutes, as Mosquitto makes them: events per minute, older ones counting ever less.

/// Minutes of the three averages.
pub(crate) const WINDOWS: [f64; 3] = [1.0, 5.0, 15.0];

/// The averages of one count that only rises.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    last: u64,
    averages: [f64; 3],
}

impl Load {
    /// Takes the count as it is `seconds` after the last one.
    pub(crate) fn update(&mut self, count: u64, seconds: f64) {
        let risen = count.saturating_sub(self.last);
        self.last = count;
        if seconds <= 0.0 {
            return;
        }
        let per_minute = number(risen) * 60.0 / seconds;
        for (average, minutes) in self.averages.iter_mut().zip(WINDOWS) {
            let kept = (-seconds / 60.0 / minutes).exp();
            *average = per_minute + kept * (*average - per_minute);
        }
    }

    /// The averages in the order of [`WINDOWS`].
    pub(crate) fn averages(&self) -> [f64; 3] {
        self.averages
    }
}

/// The nearest floating-point number.
pub(crate) fn number(count: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX));
    half(count >> 32) * 4_294_967_296.0 + half(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_reached_and_forgotten_at_the_pace_of_each_window() {
        let mut load = Load::default();
        for step in 1..=60 {
            load.update(step * 100, 10.0);
        }
        let [one, five, fifteen] = load.averages();
        assert!((one - 600.0).abs() < 0.1, "{one}");
        assert!(five < one && fifteen < five && fifteen > 200.0, "{five} {fifteen}");
        for _ in 0..60 {
            load.update(6_000, 10.0);
        }
        let [one, five, fifteen] = load.averages();
        assert!(one < 0.1 && five > one && fifteen > five, "{one} {five} {fifteen}");
    }

    #[test]
    fn no_time_and_large_counts_do_no_harm() {
        let mut load = Load::default();
        load.update(5, 0.0);
        assert_eq!(load.averages(), [0.0; 3]);
        assert_eq!(number(u64::from(u32::MAX) + 1), 4_294_967_296.0);
        assert_eq!(number(123), 123.0);
    }
}
