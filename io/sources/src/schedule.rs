//! When to fetch again: numbers only, so that a year of outages is a unit test.
//!
//! Every function takes the time as an argument. Pauses are spread by ±10 %, so that a thousand brokers that started together do not ask a
//! CA together.

use std::time::Duration;

/// The first pause after a failure.
pub(crate) const BACKOFF_MINIMUM: Duration = Duration::from_secs(1);
/// The longest pause after failures, however many.
pub(crate) const BACKOFF_MAXIMUM: Duration = Duration::from_secs(15 * 60);
/// No pause is shorter, whatever a list says about its successor.
const SHORTEST: Duration = Duration::from_secs(1);

/// The pause after so many failures in a row: 1 s, 2 s, 4 s … 15 min.
pub(crate) fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    BACKOFF_MINIMUM.saturating_mul(1 << doublings).min(BACKOFF_MAXIMUM)
}

/// The pause, 10 % shorter to 10 % longer. `random`: any number.
pub(crate) fn jittered(pause: Duration, random: u64) -> Duration {
    let tenth = pause / 10;
    let span = u64::try_from(tenth.as_nanos().saturating_mul(2)).unwrap_or(u64::MAX);
    pause - tenth + Duration::from_nanos(if span == 0 { 0 } else { random % span })
}

/// The pause after a list was fetched: at most `refresh`, and nine tenths of what is left until its nextUpdate, so that the successor is asked
/// for before it is needed, ever more often as the time draws near.
///
/// `stale` counts the fetches in a row that brought nothing newer than what is overdue: then the pause grows as after failures.
/// Times in seconds since 1970-01-01 UTC.
pub(crate) fn after_list(now: i64, next_update: Option<i64>, stale: u32, refresh: Duration) -> Duration {
    let Some(left) = next_update.map(|at| at.saturating_sub(now)) else { return refresh.max(SHORTEST) };
    match u64::try_from(left) {
        Ok(left) if left > 0 => (Duration::from_secs(left) * 9 / 10).min(refresh).max(SHORTEST),
        _ => backoff(stale.max(1)).min(refresh.max(SHORTEST)),
    }
}

/// The pause before an OCSP answer is asked for again: half of its life, at most `refresh`: a revocation is heard of by asking
/// only, and responders answer for days.
pub(crate) fn after_answer(now: i64, this_update: i64, next_update: Option<i64>, refresh: Duration) -> Duration {
    let Some(next_update) = next_update else { return refresh.max(SHORTEST) };
    let half = this_update.saturating_add(next_update.saturating_sub(this_update) / 2);
    // Asked for in the second half of its life already: half of what is left.
    let at = if half > now { half } else { now.saturating_add(next_update.saturating_sub(now) / 2) };
    Duration::from_secs(u64::try_from(at.saturating_sub(now)).unwrap_or(0)).min(refresh).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn pauses_double_from_one_second_to_a_quarter_of_an_hour() {
        let pauses: Vec<u64> = (0..14).map(|failures| backoff(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(backoff(u32::MAX), BACKOFF_MAXIMUM);
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_reaches_both_ends() {
        let pause = seconds(100);
        assert_eq!(jittered(pause, 0), seconds(90));
        assert_eq!(jittered(pause, 10_000_000_000), pause);
        for random in [1, 7, u64::MAX, u64::MAX / 3, 19_999_999_999] {
            let jittered = jittered(pause, random);
            assert!(jittered >= seconds(90) && jittered < seconds(110), "{jittered:?}");
        }
        assert!(jittered(pause, 19_999_999_999) > seconds(109));
        assert_eq!(jittered(Duration::ZERO, 5), Duration::ZERO);
    }

    #[test]
    fn a_list_is_fetched_again_before_its_successor_is_due() {
        let quarter = seconds(900);
        assert_eq!(after_list(1000, None, 0, quarter), quarter);
        assert_eq!(after_list(1000, Some(1000 + 7 * 86_400), 0, quarter), quarter);
        assert_eq!(after_list(1000, Some(1100), 0, quarter), seconds(90));
        assert_eq!(after_list(1000, Some(1010), 0, quarter), seconds(9));
        assert_eq!(after_list(1000, Some(1001), 0, quarter), seconds(1));
        // Time passes as the function says: the successor is asked for some times before it is due, not hundreds of times.
        let (mut now, mut count) = (0_i64, 0);
        while now < 86_400 {
            now += i64::try_from(after_list(now, Some(86_400), 0, seconds(86_400)).as_secs()).unwrap();
            count += 1;
        }
        assert!((4..20).contains(&count), "{count}");
    }

    #[test]
    fn an_overdue_list_is_asked_for_less_and_less_often() {
        let pauses: Vec<u64> = (1..6).map(|stale| after_list(2000, Some(1000), stale, seconds(900)).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16]);
        assert_eq!(after_list(2000, Some(1000), 40, seconds(60)), seconds(60), "not less often than a fresh one");
    }

    #[test]
    fn an_answer_is_refreshed_at_half_its_life() {
        let refresh = seconds(900);
        assert_eq!(after_answer(1000, 1000, Some(2000), refresh), seconds(500));
        assert_eq!(after_answer(1800, 1000, Some(2000), refresh), seconds(100), "late already");
        assert_eq!(after_answer(3000, 1000, Some(2000), refresh), seconds(1), "over");
        assert_eq!(after_answer(1000, 1000, Some(1_000_000), refresh), refresh);
        assert_eq!(after_answer(1000, 1000, None, refresh), refresh);
    }
}
