//! The time of day where the program runs, and `strftime` as the C library does it in the C locale.

use std::fmt::Write as _;

use jiff::{Timestamp, Zoned};

/// A moment, with the local calendar.
pub(crate) struct LocalTime(Zoned);

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

impl LocalTime {
    pub(crate) fn now() -> Self {
        Self(Zoned::now())
    }

    /// Below a second, 0 to 999,999,999.
    pub(crate) fn nanoseconds(&self) -> i32 {
        self.0.subsec_nanosecond()
    }

    /// One conversion of `strftime`; what it does not know comes out as it stands.
    pub(crate) fn conversion(&self, letter: u8) -> Vec<u8> {
        match self.known(letter) {
            Some(text) => text.into_bytes(),
            None => vec![b'%', letter],
        }
    }

    /// The conversions in a text, each behind a `%`.
    pub(crate) fn text(&self, format: &str) -> String {
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match (letter, letters.clone().next()) {
                ('%', Some(conversion)) => {
                    letters.next();
                    text.push_str(&u8::try_from(conversion).ok().and_then(|letter| self.known(letter)).unwrap_or_default());
                }
                _ => text.push(letter),
            }
        }
        text
    }

    fn known(&self, letter: u8) -> Option<String> {
        let time = &self.0;
        let two = |number: i8| format!("{number:02}");
        let blank = |number: i8| format!("{number:2}");
        Some(match letter {
            b'a' => self.day_name().get(..3)?.to_owned(),
            b'A' => self.day_name().to_owned(),
            b'b' | b'h' => self.month_name().get(..3)?.to_owned(),
            b'B' => self.month_name().to_owned(),
            b'c' => self.text("%a %b %e %H:%M:%S %Y"),
            b'C' => format!("{:02}", time.year() / 100),
            b'd' => two(time.day()),
            b'D' | b'x' => self.text("%m/%d/%y"),
            b'e' => blank(time.day()),
            b'F' => self.text("%Y-%m-%d"),
            b'g' => format!("{:02}", self.iso_week().0 % 100),
            b'G' => self.iso_week().0.to_string(),
            b'H' => two(time.hour()),
            b'I' => two(self.hour_of_twelve()),
            b'j' => format!("{:03}", time.day_of_year()),
            b'k' => blank(time.hour()),
            b'l' => blank(self.hour_of_twelve()),
            b'm' => two(time.month()),
            b'M' => two(time.minute()),
            b'n' => "\n".to_owned(),
            b'p' => if time.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            b'P' => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
            b'r' => self.text("%I:%M:%S %p"),
            b'R' => self.text("%H:%M"),
            b's' => time.timestamp().as_second().to_string(),
            b'S' => two(time.second()),
            b't' => "\t".to_owned(),
            b'T' | b'X' => self.text("%H:%M:%S"),
            b'u' => time.weekday().to_monday_one_offset().to_string(),
            b'U' => self.week(time.weekday().to_sunday_zero_offset()),
            b'V' => format!("{:02}", self.iso_week().1),
            b'w' => time.weekday().to_sunday_zero_offset().to_string(),
            b'W' => self.week(time.weekday().to_monday_zero_offset()),
            b'y' => format!("{:02}", time.year().rem_euclid(100)),
            b'Y' => time.year().to_string(),
            b'z' => self.offset(),
            b'Z' => time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned(),
            b'%' => "%".to_owned(),
            _ => return None,
        })
    }

    fn day_name(&self) -> &'static str {
        usize::try_from(self.0.weekday().to_sunday_zero_offset()).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or("?")
    }

    fn month_name(&self) -> &'static str {
        usize::try_from(self.0.month() - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or("?")
    }

    fn hour_of_twelve(&self) -> i8 {
        (self.0.hour() + 11) % 12 + 1
    }

    /// Week of the year, where weeks begin on the day that `day` counts from.
    fn week(&self, day: i8) -> String {
        format!("{:02}", (self.0.day_of_year() - 1 + 7 - i16::from(day)) / 7)
    }

    fn iso_week(&self) -> (i16, i8) {
        let week = self.0.date().iso_week_date();
        (week.year(), week.week())
    }

    fn offset(&self) -> String {
        let minutes = self.0.offset().seconds() / 60;
        let mut text = String::new();
        let sign = if minutes < 0 { '-' } else { '+' };
        // Writing into a String cannot fail.
        let _ = write!(text, "{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60);
        text
    }
}

impl From<Timestamp> for LocalTime {
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.to_zoned(jiff::tz::TimeZone::system()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_those_of_the_c_locale() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-5));
        let moment: Timestamp = "2026-01-04T18:07:09.000000042Z".parse().unwrap();
        let time = LocalTime(moment.to_zoned(zone));
        for (letter, text) in [
            ('a', "Sun"),
            ('A', "Sunday"),
            ('b', "Jan"),
            ('c', "Sun Jan  4 13:07:09 2026"),
            ('C', "20"),
            ('D', "01/04/26"),
            ('e', " 4"),
            ('G', "2026"),
            ('I', "01"),
            ('j', "004"),
            ('l', " 1"),
            ('p', "PM"),
            ('r', "01:07:09 PM"),
            ('s', "1767550029"),
            ('u', "7"),
            ('U', "01"),
            ('V', "01"),
            ('w', "0"),
            ('W', "00"),
            ('z', "-0500"),
            ('f', "%f"),
            ('@', "%@"),
        ] {
            assert_eq!(String::from_utf8(time.conversion(u8::try_from(letter).unwrap())).unwrap(), text, "{letter}");
        }
        assert_eq!(time.nanoseconds(), 42);
        assert_eq!(time.text("%FT%T"), "2026-01-04T13:07:09");
    }
}
