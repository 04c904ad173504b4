//! One thing that is counted.

use std::hint::black_box;

/// How often an operation is done before it is counted: memories are filled by then, and buffers as large as they get.
pub(crate) const WARM_UP: usize = 10;

/// Does the operation once. Returns how many results it had: packets, or matches.
pub type Operation = Box<dyn FnMut() -> usize>;

/// One thing that is counted.
pub struct Case {
    /// Names it in the table.
    pub name: &'static str,
    /// How often it is done while it is counted.
    pub operations: usize,
    /// How many results each operation has to have. One that goes wrong early costs little, and must not be taken for fast.
    pub results: usize,
    /// Makes everything ready for so many operations.
    pub prepare: Box<dyn Fn(usize) -> Operation>,
}

impl Case {
    pub(crate) fn new(name: &'static str, operations: usize, results: usize, prepare: impl Fn(usize) -> Operation + 'static) -> Self {
        Self { name, operations, results, prepare: Box::new(prepare) }
    }

    /// Does it, first uncounted and then counted.
    ///
    /// # Errors
    /// Says so if an operation has other results than it should.
    pub fn run(&self) -> Result<(), String> {
        let mut operation = (self.prepare)(WARM_UP + self.operations);
        let first = (0..WARM_UP).map(|_| operation()).sum::<usize>();
        let results = first + counted_operations(self.operations, &mut *operation);
        let expected = (WARM_UP + self.operations) * self.results;
        if results == expected {
            Ok(())
        } else {
            Err(format!("`{}` had {results} results, expected {expected}: it does not do what its name says", self.name))
        }
    }
}

/// What callgrind looks at: it starts from zero where this begins and writes down what it has where this ends. The name is in `callgrind.rs`.
#[inline(never)]
fn counted_operations(operations: usize, operation: &mut dyn FnMut() -> usize) -> usize {
    (0..operations).map(|_| black_box(operation())).sum()
}
