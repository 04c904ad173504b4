//! What is expected, what was found, and whether the one is the other.

use std::fmt::Write as _;

use crate::callgrind::Counts;
use crate::case::Case;

/// Instructions that never matter: a few more or less of a hundred.
const NEVERTHELESS: f64 = 4.0;

/// Allocations are whole numbers but for buffers that grow now and then.
const ALLOCATIONS_APART: f64 = 0.02;

/// What one operation takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Instructions of the program.
    pub(crate) program: f64,
    /// Instructions of the C library.
    pub(crate) library: f64,
    pub(crate) allocations: f64,
}

/// What all take, and where that was counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// What has compiled the program: `1.95.0`.
    pub(crate) compiler: String,
    /// For what processor: `x86_64`.
    pub(crate) processor: String,
    pub(crate) tolerances: Tolerances,
    pub(crate) rows: Vec<Row>,
}

/// By how many percent instructions may differ, up or down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tolerances {
    /// Those of the program.
    pub(crate) program: f64,
    /// The same, compiled by another compiler than what is expected.
    pub(crate) other_compiler: f64,
    /// Those of the C library, whose version may be another.
    pub(crate) library: f64,
}

impl Default for Tolerances {
    fn default() -> Self {
        Self { program: 3.0, other_compiler: 15.0, library: 20.0 }
    }
}

impl Row {
    /// From what all operations of a case took.
    pub(crate) fn new(case: &Case, counts: Counts) -> Self {
        let operations = number(u64::try_from(case.operations).unwrap_or(u64::MAX));
        Self {
            name: case.name.to_owned(),
            program: (number(counts.program) / operations).round(),
            library: (number(counts.library) / operations).round(),
            allocations: (number(counts.allocations) / operations * 100.0).round() / 100.0,
        }
    }

    fn instructions(&self) -> f64 {
        self.program + self.library
    }
}

impl Table {
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// Reads `expected.toml`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("is no TOML: {error}"))?;
        let word = |key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned).ok_or_else(|| format!("has no `{key}`"));
        let part = |key: &str| table.get(key).and_then(toml::Value::as_table).ok_or_else(|| format!("has no `[{key}]`"));
        let (tolerances, counts) = (part("tolerance_percent")?, part("counts")?);
        let rows = counts.iter().map(|(name, values)| {
            let list = values.as_array().map(Vec::as_slice);
            let Some([program, library, allocations]) = list else {
                return Err(format!("`{name}` has not three numbers: instructions, those of the C library, allocations"));
            };
            let (program, library, allocations) = (float(program)?, float(library)?, float(allocations)?);
            Ok(Row { name: name.clone(), program, library, allocations })
        });
        let percent = |key: &str| tolerances.get(key).ok_or_else(|| format!("has no `tolerance_percent.{key}`")).and_then(float);
        Ok(Self {
            compiler: word("compiler")?,
            processor: word("processor")?,
            tolerances: Tolerances {
                program: percent("program")?,
                other_compiler: percent("other_compiler")?,
                library: percent("library")?,
            },
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    /// Writes `expected.toml`.
    pub(crate) fn written(&self) -> String {
        let Tolerances { program, other_compiler, library } = self.tolerances;
        let mut text = format!(
            "# What one operation takes. Written by `cargo run --release -p signet-instructions -- --write`; CONTRIBUTING.md says when.\n\
             compiler = \"{}\"\nprocessor = \"{}\"\n\n\
             # By how much instructions may differ, up or down. Allocations may not.\n\
             [tolerance_percent]\nprogram = {program}\nother_compiler = {other_compiler}\nlibrary = {library}\n\n\
             # Instructions of the program, those of the C library, allocations.\n[counts]\n",
            self.compiler, self.processor
        );
        for Row { name, program, library, allocations } in &self.rows {
            // Nothing that is written to a text fails.
            let _ = writeln!(text, "\"{name}\" = [{program}, {library}, {allocations}]");
        }
        text
    }

    /// What differs from what was expected, in words.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for row in &self.rows {
            let Some(known) = expected.row(&row.name) else {
                differences.push(format!("`{}` is not expected: it is new, or has another name", row.name));
                continue;
            };
            self.compare(row, known, expected, &mut differences);
        }
        for known in expected.rows.iter().filter(|known| self.row(&known.name).is_none()) {
            differences.push(format!("`{}` is expected and was not counted: no case has this name", known.name));
        }
        differences
    }

    fn compare(&self, row: &Row, known: &Row, expected: &Self, differences: &mut Vec<String>) {
        let name = &row.name;
        if (row.allocations - known.allocations).abs() > ALLOCATIONS_APART {
            differences.push(format!("`{name}`: {} allocations, expected {}", row.allocations, known.allocations));
        }
        // Another processor has other instructions.
        if self.processor != expected.processor {
            return;
        }
        let Tolerances { program, other_compiler, library } = expected.tolerances;
        let program = if self.compiler == expected.compiler { program } else { other_compiler };
        for (found, known, tolerance, of) in
            [(row.program, known.program, program, "instructions"), (row.library, known.library, library, "instructions in the C library")]
        {
            let apart = found - known;
            if apart.abs() > (known * tolerance / 100.0).max(NEVERTHELESS) {
                let percent = apart / known.max(1.0) * 100.0;
                differences.push(format!("`{name}`: {found} {of}, expected {known}: {percent:+.1} %, allowed are ±{tolerance} %"));
            }
        }
    }

    /// What must be so whatever is expected.
    pub(crate) fn broken_relations(&self) -> Vec<String> {
        RELATIONS.iter().filter_map(|relation| relation.broken(self)).collect()
    }

    /// The table for people.
    pub(crate) fn for_people(&self) -> String {
        let mut text = "| One | Instructions | of these in the C library | Allocations |\n|---|---:|---:|---:|\n".to_owned();
        for row in &self.rows {
            // Nothing that is written to a text fails.
            let _ = writeln!(text, "| {} | {} | {} | {} |", row.name, row.instructions(), row.library, row.allocations);
        }
        text
    }
}

/// How the cost of one grows from another's.
struct Relation {
    one: &'static str,
    other: &'static str,
    /// Each further one of so many may take so much.
    further: f64,
    instructions: f64,
    allocations: f64,
    why: &'static str,
}

/// What must be so.
const RELATIONS: [Relation; 4] = [
    Relation {
        one: "match a literal filter among 10",
        other: "match a literal filter among 100,000",
        further: 99_990.0,
        instructions: 0.001,
        allocations: 0.0,
        why: "the cost of a match must not depend on how many other filters there are",
    },
    Relation {
        one: "match a filter with `+` among 10",
        other: "match a filter with `+` among 10,000",
        further: 9_990.0,
        instructions: 0.01,
        allocations: 0.0,
        why: "the cost of a match must not depend on how many other filters there are",
    },
    Relation {
        one: "route to 50 receivers, QoS 0",
        other: "route to 500 receivers, QoS 0",
        further: 450.0,
        instructions: 1_500.0,
        allocations: 0.05,
        why: "a message is shared by its receivers: each further one costs little, and no memory",
    },
    Relation {
        one: "bytes in to bytes out, QoS 0 to 1 receiver, 256 B, 3.1.1",
        other: "bytes in to bytes out, QoS 0 to 500 receivers, 256 B, 3.1.1",
        further: 499.0,
        instructions: 2_000.0,
        allocations: 0.05,
        why: "a message is shared by its receivers: each further one costs little, and no memory",
    },
];

impl Relation {
    fn broken(&self, table: &Table) -> Option<String> {
        let (one, other) = table.row(self.one).zip(table.row(self.other))?;
        let instructions = (other.instructions() - one.instructions()) / self.further;
        let allocations = (other.allocations - one.allocations) / self.further;
        if instructions <= self.instructions && allocations <= self.allocations {
            return None;
        }
        Some(format!(
            "`{}` takes {instructions:.3} instructions and {allocations:.3} allocations more than `{}` for each further one, allowed are {} and {}: {}",
            self.other, self.one, self.instructions, self.allocations, self.why
        ))
    }
}

fn float(value: &toml::Value) -> Result<f64, String> {
    match value {
        toml::Value::Float(value) => Ok(*value),
        toml::Value::Integer(value) => u64::try_from(*value).map(number).map_err(|_| format!("`{value}` is negative")),
        other => Err(format!("`{other}` is no number")),
    }
}

/// Exact as far as numbers of instructions go: below 2^53.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "there is no other way, and the numbers are small")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
