//! Whether differences are found, and no others.

use super::*;

fn row(name: &str, program: f64, library: f64, allocations: f64) -> Row {
    Row { name: name.to_owned(), program, library, allocations }
}

fn table(rows: Vec<Row>) -> Table {
    Table { compiler: "1.95.0".to_owned(), processor: "x86_64".to_owned(), tolerances: Tolerances::default(), rows }
}

#[test]
fn what_is_written_is_read_again() {
    let table = table(vec![row("a `b`, 16 B", 1234.0, 56.0, 1.25), row("c", 7.0, 0.0, 0.0)]);
    assert_eq!(Table::read(&table.written()).unwrap(), table);
}

#[test]
fn dearer_and_cheaper_are_both_found() {
    let expected = table(vec![row("a", 1000.0, 100.0, 1.0)]);
    let of = |program, library, allocations| table(vec![row("a", program, library, allocations)]).differences(&expected);
    assert!(of(1029.0, 119.0, 1.01).is_empty());
    assert!(of(1031.0, 100.0, 1.0)[0].contains("+3.1 %"));
    assert!(of(969.0, 100.0, 1.0)[0].contains("-3.1 %"));
    assert!(of(1000.0, 121.0, 1.0)[0].contains("C library"));
    assert!(of(1000.0, 100.0, 1.1)[0].contains("1.1 allocations, expected 1"));
}

#[test]
fn another_compiler_has_more_room_and_another_processor_all() {
    let expected = table(vec![row("a", 1000.0, 100.0, 1.0)]);
    let mut found = table(vec![row("a", 1140.0, 100.0, 1.0)]);
    found.compiler = "1.96.0".to_owned();
    assert!(found.differences(&expected).is_empty());
    found.rows = vec![row("a", 1160.0, 100.0, 1.0)];
    assert_eq!(found.differences(&expected).len(), 1);
    found.processor = "aarch64".to_owned();
    assert!(found.differences(&expected).is_empty());
    found.rows = vec![row("a", 1160.0, 100.0, 2.0)];
    assert_eq!(found.differences(&expected).len(), 1, "an allocation is one everywhere");
}

#[test]
fn what_is_missing_or_new_is_found() {
    let differences = table(vec![row("new", 1.0, 0.0, 0.0)]).differences(&table(vec![row("old", 1.0, 0.0, 0.0)]));
    assert_eq!(differences.len(), 2, "{differences:?}");
}

#[test]
fn cost_that_grows_with_the_number_of_filters_is_found() {
    let names = ("match a literal filter among 10", "match a literal filter among 100,000");
    let of = |more: f64| table(vec![row(names.0, 1000.0, 0.0, 0.0), row(names.1, 1000.0 + more, 0.0, 0.0)]).broken_relations();
    assert!(of(50.0).is_empty());
    assert_eq!(of(200.0).len(), 1);
}

#[test]
fn every_relation_is_about_cases_that_there_are() {
    let names: Vec<&str> = crate::cases().iter().map(|case| case.name).collect();
    for relation in RELATIONS {
        assert!(names.contains(&relation.one) && names.contains(&relation.other), "{} {}", relation.one, relation.other);
    }
}
