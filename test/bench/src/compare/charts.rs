//! The pictures: bars for the table, lines for the curves.

use super::curves::{CURVES, Curve};
use super::results::{Results, RowResults};
use super::rows::Measure;
use super::statistics::number;
use super::svg::{Anchor, Axis, Picture, Point, colour};

/// A picture and its file.
pub(super) struct Chart {
    pub(super) file: String,
    pub(super) title: String,
    pub(super) svg: String,
}

/// Pictures of bars: their rows, and what they say.
const BARS: [(&str, &str); 6] = [
    ("connect", "Connecting: broker CPU for one connection"),
    ("idle", "Idle connections: resident memory for each"),
    ("qos0", "QoS 0: broker CPU for one message delivered"),
    ("qos1", "QoS 1: broker CPU for one message delivered"),
    ("qos2", "QoS 2: broker CPU for one message delivered"),
    ("latency", "Latency at a fixed moderate rate"),
];

const WIDTH: f64 = 820.0;
const LEFT: f64 = 110.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 160.0;
const BAR: f64 = 13.0;

/// All that these results have something for.
pub(super) fn all(results: &Results) -> Vec<Chart> {
    let bars = BARS.iter().filter_map(|(name, title)| bars(results, name, title));
    let lines = CURVES.iter().filter_map(|curve| lines(results, curve));
    bars.chain(lines).collect()
}

/// The colour of a broker: its place among all that are compared, Signet's first.
fn colour_of(results: &Results, peer: &str) -> usize {
    let mut names: Vec<&str> = results.peers.iter().map(|facts| facts.name.as_str()).collect();
    names.sort_by_key(|name| !name.starts_with("signet"));
    colour(names.iter().position(|name| *name == peer).unwrap_or_default())
}

fn bars(results: &Results, name: &str, title: &str) -> Option<Chart> {
    let rows: Vec<&RowResults> = results.rows.iter().filter(|row| row.row.chart == name && row.row.point.is_none()).collect();
    let groups: Vec<(&RowResults, Measure)> =
        rows.into_iter().flat_map(|row| row.row.measures.iter().map(move |measure| (row, *measure))).collect();
    let peers = results.measured();
    let values = groups.iter().flat_map(|(row, measure)| peers.iter().flat_map(|peer| row.values(peer, *measure)));
    let axis = Axis::of(values.map(|(_, value)| value), LEFT, WIDTH - RIGHT)?;
    let unit = groups.first()?.1.unit();
    let bars_of = |(row, _): &(&RowResults, Measure)| peers.iter().filter(|peer| row.counted(peer).1 > 0).count();
    let lines: usize = groups.iter().map(|group| bars_of(group) + 2).sum();
    let (top, step) = (52.0, BAR + 4.0);
    let bottom = top + step * f64::from(u32::try_from(lines).ok()?);
    let description = description(title, unit, groups.iter().flat_map(|(row, measure)| sentences(row, *measure, &peers)));
    let mut picture = Picture::new(WIDTH, bottom + 46.0, title, &description);
    picture.heading((12.0, 24.0), &format!("{title}, {unit} (logarithmic; less is better)"));
    for (x, text) in axis.ticks() {
        picture.rule((x, top - 6.0), (x, bottom));
        picture.text((x, bottom + 16.0), Anchor::Middle, &text);
    }
    picture.text((LEFT, bottom + 36.0), Anchor::Start, "Bars: median of the rounds. Whiskers: least and most of them.");
    let mut y = top;
    for (row, measure) in &groups {
        picture.heading((12.0, y + 11.0), &group_title(row, *measure));
        y += step;
        for peer in peers.iter().filter(|peer| row.counted(peer).1 > 0) {
            picture.text((LEFT - 8.0, y + 11.0), Anchor::End, peer);
            match row.spread(peer, *measure) {
                Some(spread) => {
                    let words = format!("{peer}: {} {unit}", spread.text());
                    let whisker = (axis.place(spread.least), axis.place(spread.most));
                    let width = axis.place(spread.median) - LEFT;
                    picture.bar((LEFT, y), (width, BAR), whisker, colour_of(results, peer), &words);
                    picture.text((whisker.1.max(LEFT + width) + 8.0, y + 11.0), Anchor::Start, &number(spread.median));
                }
                None => picture.text(
                    (LEFT + 4.0, y + 11.0),
                    Anchor::Start,
                    if row.counted(peer).0 == 0 { "no valid run" } else { "too little to tell" },
                ),
            }
            y += step;
        }
        y += step;
    }
    Some(Chart { file: format!("{name}.svg"), title: title.into(), svg: picture.finish() })
}

/// The title of a row, and what is read from it where that is not the same for the whole picture.
fn group_title(row: &RowResults, measure: Measure) -> String {
    match measure {
        Measure::HalfLatency | Measure::TailLatency => format!("{}: {}", row.row.title, measure.words()),
        Measure::Processor | Measure::Memory => row.row.title.clone(),
    }
}

fn sentences(row: &RowResults, measure: Measure, peers: &[&str]) -> Vec<String> {
    let of_peer = |peer: &&str| Some(format!("{peer} {}", number(row.spread(peer, measure)?.median)));
    let figures: Vec<String> = peers.iter().filter_map(of_peer).collect();
    vec![format!("{}: {}.", group_title(row, measure), figures.join(", "))]
}

fn description(title: &str, unit: &str, sentences: impl Iterator<Item = String>) -> String {
    format!("{title}. Medians in {unit}. {}", sentences.collect::<Vec<_>>().join(" "))
}

fn lines(results: &Results, curve: &Curve) -> Option<Chart> {
    let points: Vec<&RowResults> = results.rows.iter().filter(|row| row.row.chart == curve.name && row.row.point.is_some()).collect();
    let peers = results.measured();
    let values = points.iter().flat_map(|row| peers.iter().flat_map(|peer| row.values(peer, Measure::Processor)));
    let (top, height, right) = (56.0, 300.0, 130.0);
    let axis = Axis::of(values.map(|(_, value)| value), top + height, top)?;
    let begin = 60.0;
    let step = (WIDTH - begin - right) / f64::from(u32::try_from(points.len()).ok()?);
    let place = |number: usize| begin + step * (f64::from(u32::try_from(number).unwrap_or_default()) + 0.5);
    let unit = Measure::Processor.unit();
    let described = points.iter().flat_map(|row| sentences(row, Measure::Processor, &peers));
    let mut picture = Picture::new(WIDTH, top + height + 52.0, curve.title, &description(curve.title, unit, described));
    picture.heading((12.0, 24.0), curve.title);
    picture.text((12.0, 42.0), Anchor::Start, &format!("broker CPU for one operation, {unit} (logarithmic; less is better)"));
    for (y, text) in axis.ticks() {
        picture.rule((begin, y), (WIDTH - right, y));
        picture.text((begin - 8.0, y + 4.0), Anchor::End, &text);
    }
    for (number, row) in points.iter().enumerate() {
        picture.text((place(number), top + height + 18.0), Anchor::Middle, row.row.point.as_deref().unwrap_or_default());
    }
    picture.text((begin + step * 0.5, top + height + 40.0), Anchor::Start, curve.axis);
    let mut y = top;
    for peer in &peers {
        let of_point = |(number, row): (usize, &&RowResults)| {
            let spread = row.spread(peer, Measure::Processor)?;
            let words = format!("{peer}, {}: {} {unit}", row.row.point.as_deref().unwrap_or_default(), spread.text());
            let whisker = (axis.place(spread.least), axis.place(spread.most));
            Some(Point { x: place(number), y: axis.place(spread.median), whisker, words })
        };
        let drawn: Vec<Point> = points.iter().enumerate().filter_map(of_point).collect();
        if drawn.is_empty() {
            continue;
        }
        picture.line(&drawn, colour_of(results, peer));
        picture.sample((WIDTH - right + 20.0, y), colour_of(results, peer));
        picture.text((WIDTH - right + 38.0, y + 10.0), Anchor::Start, peer);
        y += 18.0;
    }
    Some(Chart { file: format!("curve-{}.svg", curve.name), title: curve.title.into(), svg: picture.finish() })
}

#[cfg(test)]
mod tests {
    use super::super::curves;
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn rows_are_drawn_as_bars() {
        let results = results("fanin0-tls", &[("mosquitto", &[9.0, 10.0, 8.0]), ("nats", &[-1.0]), ("signet", &[1.0, 1.25, 1.1])]);
        let charts = all(&results);
        assert_eq!(charts.iter().map(|chart| chart.file.as_str()).collect::<Vec<_>>(), ["qos0.svg"]);
        let svg = &charts[0].svg;
        assert!(svg.contains("mosquitto: 9.00 (8.00–10.0) µs") && svg.contains("signet: 1.10 (1.00–1.25) µs"), "{svg}");
        assert_eq!(svg.matches("no valid run").count(), 1, "{svg}");
        assert!(svg.contains("QoS 0 fan-in 50→1, TLS: mosquitto 9.00, signet 1.10."), "{svg}");
    }

    #[test]
    fn points_are_drawn_as_lines() {
        let mut results = results("fanin0-tls", &[("signet", &[1.0, 2.0])]);
        let runs = results.rows[0].runs.clone();
        let points = curves::all().into_iter().filter(|row| row.chart == "payload");
        results.rows = points.map(|row| RowResults { row, runs: runs.clone() }).collect();
        let charts = all(&results);
        assert_eq!(charts.iter().map(|chart| chart.file.as_str()).collect::<Vec<_>>(), ["curve-payload.svg"]);
        assert_eq!(charts[0].svg.matches("<circle").count(), 7);
        assert!(charts[0].svg.contains("signet, 64k: 1.50 (1.00–2.00) µs"));
    }
}
