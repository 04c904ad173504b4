//! A small writer of SVG. A plotting library would bring bitmaps, fonts and a model of axes, and still give pictures that neither follow a reader's
//! dark mode nor can be read aloud: both are a few lines here.

use std::fmt::{Display, Write as _};

/// Colours that people with any kind of colour vision tell apart (after Okabe and Ito), for light and for dark ground. The first is for Signet.
const COLOURS: [(&str, &str); 8] = [
    ("#d55e00", "#ff8a3d"),
    ("#0072b2", "#56b4e9"),
    ("#009e73", "#2fd0a0"),
    ("#cc79a7", "#e5a5c8"),
    ("#b08a00", "#f0e442"),
    ("#7a5195", "#b79be0"),
    ("#4d4d4d", "#c4c4c4"),
    ("#8c564b", "#d19a8e"),
];

/// A picture in the making. Everything is in pixels.
pub(super) struct Picture {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// To which side of its place a text goes.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Picture {
    pub(super) fn new(width: f64, height: f64, title: &str, description: &str) -> Self {
        Self { width, height, title: title.into(), description: description.into(), body: String::new() }
    }

    /// A thin line of the frame.
    pub(super) fn rule(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.add(format_args!(r#"<path class="rule" d="M{:.1} {:.1}L{:.1} {:.1}"/>"#, from.0, from.1, to.0, to.1));
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, text: &str) {
        self.write(at, anchor, "", text);
    }

    /// A text that says what a group is.
    pub(super) fn heading(&mut self, at: (f64, f64), text: &str) {
        self.write(at, Anchor::Start, " class=\"heading\"", text);
    }

    fn write(&mut self, at: (f64, f64), anchor: Anchor, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.add(format_args!(r#"<text{class} x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#, at.0, at.1, escaped(text)));
    }

    /// A horizontal bar with a whisker from one x to another; `words` are read aloud and shown by a pointer.
    pub(super) fn bar(&mut self, at: (f64, f64), size: (f64, f64), whisker: (f64, f64), colour: usize, words: &str) {
        let ((x, y), (width, height)) = (at, size);
        let middle = y + height / 2.0;
        self.add(format_args!(
            r#"<g><title>{}</title><rect class="c{colour}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/><path class="whisker" d="M{:.1} {middle:.1}H{:.1}M{:.1} {:.1}v4M{:.1} {:.1}v4"/></g>"#,
            escaped(words),
            whisker.0,
            whisker.1,
            whisker.0,
            middle - 2.0,
            whisker.1,
            middle - 2.0
        ));
    }

    /// A line through points, each with its whisker from one y to another and its words.
    pub(super) fn line(&mut self, points: &[Point], colour: usize) {
        let mut path = String::new();
        for (number, point) in points.iter().enumerate() {
            let _ = write!(path, "{}{:.1} {:.1}", if number == 0 { "M" } else { "L" }, point.x, point.y);
        }
        self.add(format_args!(r#"<path class="line s{colour}" d="{path}"/>"#));
        for point in points {
            self.add(format_args!(
                r#"<g><title>{}</title><path class="line s{colour}" d="M{:.1} {:.1}V{:.1}"/><circle class="c{colour}" cx="{:.1}" cy="{:.1}" r="3.5"/></g>"#,
                escaped(&point.words),
                point.x,
                point.whisker.0,
                point.whisker.1,
                point.x,
                point.y
            ));
        }
    }

    /// A square of a colour, for a legend.
    pub(super) fn sample(&mut self, at: (f64, f64), colour: usize) {
        self.add(format_args!(r#"<rect class="c{colour}" x="{:.1}" y="{:.1}" width="11" height="11"/>"#, at.0, at.1));
    }

    fn add(&mut self, what: impl Display) {
        let _ = writeln!(self.body, "{what}");
    }

    /// The whole document.
    pub(super) fn finish(self) -> String {
        let (mut light, mut dark) = (String::new(), String::new());
        for (number, (on_light, on_dark)) in COLOURS.iter().enumerate() {
            let _ = write!(light, ".c{number}{{fill:{on_light}}}.s{number}{{stroke:{on_light}}}");
            let _ = write!(dark, ".c{number}{{fill:{on_dark}}}.s{number}{{stroke:{on_dark}}}");
        }
        let Self { width, height, title, description, body } = self;
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-labelledby="title description">
<title id="title">{}</title>
<desc id="description">{}</desc>
<style>
text{{font:12px system-ui,sans-serif;fill:#222}}.heading{{font-weight:600}}.ground{{fill:#fff}}.rule{{stroke:#ddd}}.whisker{{stroke:#222;fill:none}}.line{{fill:none;stroke-width:1.8}}{light}
@media(prefers-color-scheme:dark){{text{{fill:#ddd}}.ground{{fill:#16181d}}.rule{{stroke:#3a3d45}}.whisker{{stroke:#eee}}{dark}}}
</style>
<rect class="ground" width="100%" height="100%"/>
{body}</svg>
"#,
            escaped(&title),
            escaped(&description)
        )
    }
}

/// A point of a line.
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) whisker: (f64, f64),
    pub(super) words: String,
}

/// Which colour is the so manieth.
pub(super) fn colour(number: usize) -> usize {
    number % COLOURS.len()
}

/// Text as it may stand between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML 1.0 has no other control characters, not even escaped.
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A logarithmic axis: values from `least` to `most` become places from `begin` to `end`.
pub(super) struct Axis {
    least: f64,
    most: f64,
    begin: f64,
    end: f64,
}

impl Axis {
    /// One that has room for all values, from one of its lines to another. None without a value above zero.
    pub(super) fn of(values: impl IntoIterator<Item = f64>, begin: f64, end: f64) -> Option<Self> {
        let positive: Vec<f64> = values.into_iter().filter(|value| *value > 0.0 && value.is_finite()).collect();
        let least = positive.iter().copied().min_by(f64::total_cmp)?;
        let most = positive.iter().copied().max_by(f64::total_cmp)?;
        let lines = || (-12..12).flat_map(|power| LINES.map(|factor| factor * 10_f64.powi(power)));
        // A value at the very edge would have a bar of no length.
        let from = lines().rfind(|line| *line < least * 0.95)?;
        let to = lines().find(|line| *line >= most && *line > from * 5.0)?;
        Some(Self { least: from.log10(), most: to.log10(), begin, end })
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let part = (value.max(f64::MIN_POSITIVE).log10() - self.least) / (self.most - self.least);
        self.begin + part.clamp(0.0, 1.0) * (self.end - self.begin)
    }

    /// Where lines of a grid go, with what they say: powers of ten, and 2 and 5 times those where there is room.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let is_wide = self.most - self.least > 3.5;
        let lines = (-12..12).flat_map(|power| LINES.map(|factor| (power, factor)));
        let shown = lines.filter(|(_, factor)| *factor == 1.0 || !is_wide).filter_map(|(power, factor)| {
            let value = factor * 10_f64.powi(power);
            let is_inside = (self.least - 1e-9..=self.most + 1e-9).contains(&value.log10());
            let digits = usize::try_from(-power).unwrap_or_default();
            is_inside.then(|| (self.place(value), format!("{value:.digits$}")))
        });
        shown.collect()
    }
}

/// Lines of the grid in a power of ten.
const LINES: [f64; 3] = [1.0, 2.0, 5.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_tags() {
        assert_eq!(escaped("a<b & \"c\" 'd'>\u{1}"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt; ");
        let mut picture = Picture::new(10.0, 10.0, "<t>", "d & e");
        picture.bar((0.0, 0.0), (1.0, 1.0), (0.0, 1.0), 0, "<script>");
        picture.text((0.0, 0.0), Anchor::Start, "</text>");
        let text = picture.finish();
        assert!(text.contains("<title id=\"title\">&lt;t&gt;</title>") && text.contains("d &amp; e"), "{text}");
        assert!(text.contains("<title>&lt;script&gt;</title>") && text.contains(">&lt;/text&gt;</text>"), "{text}");
    }

    #[test]
    fn both_grounds_have_colours() {
        let text = Picture::new(10.0, 10.0, "t", "d").finish();
        let (light, dark) = text.split_once("prefers-color-scheme:dark").unwrap();
        assert!(light.contains(".c0{fill:#d55e00}") && dark.contains(".c0{fill:#ff8a3d}"));
        assert!(text.contains("role=\"img\" aria-labelledby=\"title description\""));
    }

    #[test]
    fn the_axis_is_logarithmic() {
        let axis = Axis::of([0.12, 95.0], 0.0, 300.0).unwrap();
        assert!((axis.place(0.1) - 0.0).abs() < 1e-9);
        assert!((axis.place(1.0) - 100.0).abs() < 1e-9);
        assert!((axis.place(10.0) - 200.0).abs() < 1e-9);
        let ticks: Vec<String> = axis.ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100"]);
        // No wider than the lines around the values.
        let ticks = Axis::of([3.0, 24.0], 0.0, 300.0).unwrap().ticks();
        assert_eq!((ticks[0].1.as_str(), ticks[ticks.len() - 1].1.as_str()), ("2", "50"));
        assert!(Axis::of([0.0], 0.0, 1.0).is_none());
        // A single value has room on both sides.
        let axis = Axis::of([100.0], 0.0, 100.0).unwrap();
        assert!(axis.place(100.0) > 10.0 && axis.place(100.0) < 100.1);
    }
}
