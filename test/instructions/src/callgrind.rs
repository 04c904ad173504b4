//! Runs this program under callgrind and reads what it wrote down: one part for each case.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What callgrind looks at, by the name of the function; see `case.rs`.
const COUNTED: &str = "signet_instructions::case::counted_operations";

/// Functions of the C library that give memory. Each call counts as one allocation.
const ALLOCATING: [&str; 6] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// The C library copies and compares memory in the best way the processor has, and there is one for every generation. This makes it the same way
/// everywhere: the one of all 64-bit x86 processors. What a library does not know it ignores.
const SAME_EVERYWHERE: &str = "glibc.cpu.hwcaps=-AVX,-AVX_Usable,-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-AVX512BW,-EVEX,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,\
     -BMI1,-BMI2,-MOVBE,-LZCNT,-POPCNT,-XSAVE,-XSAVEC,-RTM,-AVX_Fast_Unaligned_Load,-Fast_Copy_Backward,-Fast_Unaligned_Copy";

/// Lines of a profile.
const SHOWN: usize = 40;

/// What was counted during one case, all its operations together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Instructions of this program and of all that is linked into it.
    pub(crate) program: u64,
    /// Instructions of other objects: the C library, which copies, compares and gives memory.
    pub(crate) library: u64,
    /// Calls of what gives memory.
    pub(crate) allocations: u64,
}

/// Does all cases under callgrind. What it wrote for each is in their order.
pub(crate) fn count(cases: usize) -> Result<Vec<Counts>, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program does not know where it is: {error}"))?;
    let directory = directory(&program)?;
    run(&program, &directory, &[], &["--dump-line=no"])?;
    let part = |number: usize| {
        let file = directory.join(format!("counts.{number}"));
        let text = fs::read_to_string(&file).map_err(|error| format!("callgrind has not written `{}`: {error}", file.display()))?;
        read(&text, &program).map_err(|error| format!("`{}`: {error}", file.display()))
    };
    (1..=cases).map(part).collect()
}

/// Where the instructions of one case go: by function and by line of the source, what is inlined by its own line.
pub(crate) fn profile(name: &str, operations: usize) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program does not know where it is: {error}"))?;
    let directory = directory(&program)?;
    run(&program, &directory, &[name], &["--dump-line=yes"])?;
    let file = directory.join("counts.1");
    let text = fs::read_to_string(&file).map_err(|error| format!("callgrind has not written `{}`: {error}", file.display()))?;
    Ok(costs(&text).for_people(operations))
}

/// An empty place beside the program.
fn directory(program: &Path) -> Result<PathBuf, String> {
    let directory = program.with_file_name("instructions");
    // Not there before the first time.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).map_err(|error| format!("cannot make `{}`: {error}", directory.display()))?;
    Ok(directory)
}

fn run(program: &Path, directory: &Path, names: &[&str], options: &[&str]) -> Result<(), String> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--vgdb=no"])
        .arg(format!("--zero-before={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", directory.join("counts").display()))
        .args(options)
        .arg(program)
        .arg("run")
        .args(names)
        // The environment stands on the stack: whoever has a larger one must not count otherwise.
        .env_clear()
        .env("GLIBC_TUNABLES", SAME_EVERYWHERE)
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null());
    let output = valgrind.output().map_err(|error| format!("cannot start `valgrind`: {error}; test/setup installs it"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("valgrind ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// One line of a part that says something. The format: <https://valgrind.org/docs/manual/cl-format.html>.
enum Line<'a> {
    Object(&'a str),
    File(&'a str),
    Function(&'a str),
    /// So many calls of this function from the present one. Behind it stands what was spent in them, which is written where it was spent too, and left
    /// out here.
    Calls(&'a str, u64),
    /// Spent in the present function, at a line of the present file.
    Cost(&'a str, u64),
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut called, mut is_call) = ("", false);
    text.lines().filter_map(move |line| {
        let number = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        match line.split_once('=') {
            Some(("ob", object)) => Some(Line::Object(object)),
            Some(("fl" | "fi" | "fe", file)) => Some(Line::File(file)),
            Some(("fn", function)) => Some(Line::Function(function)),
            Some(("cfn", function)) => {
                // A call within a call of the same function is written with a number, and a function that has versions with that.
                called = function.split(['\'', '@']).next().unwrap_or(function);
                None
            }
            Some(("calls", calls)) => {
                is_call = true;
                Some(Line::Calls(called, number(calls.split(' ').next())))
            }
            None if line.starts_with(|first: char| first.is_ascii_digit()) => {
                let mut fields = line.split(' ');
                let (at, cost) = (fields.next().unwrap_or_default(), number(fields.next()));
                if std::mem::take(&mut is_call) { None } else { Some(Line::Cost(at, cost)) }
            }
            _ => None,
        }
    })
}

/// Reads one part.
fn read(text: &str, program: &Path) -> Result<Counts, String> {
    let program = program.to_string_lossy();
    let (mut counts, mut is_program) = (Counts::default(), false);
    for line in lines(text) {
        match line {
            Line::Object(object) => is_program = *object == *program,
            Line::Calls(function, number) if ALLOCATING.contains(&function) => counts.allocations += number,
            Line::Cost(_, cost) if is_program => counts.program += cost,
            Line::Cost(_, cost) => counts.library += cost,
            Line::File(_) | Line::Function(_) | Line::Calls(..) => {}
        }
    }
    if counts.program == 0 {
        return Err(format!("nothing was counted in this program: has `{COUNTED}` another name?"));
    }
    Ok(counts)
}

/// What was spent where.
#[derive(Debug, Default)]
struct Costs<'a> {
    by_function: BTreeMap<&'a str, u64>,
    by_line: BTreeMap<(&'a str, &'a str), u64>,
    /// How often each function was called.
    calls: BTreeMap<&'a str, u64>,
}

fn costs(text: &str) -> Costs<'_> {
    let (mut file, mut function) = ("", "");
    let mut costs = Costs::default();
    for line in lines(text) {
        match line {
            Line::Object(_) => {}
            Line::File(name) => file = name,
            Line::Function(name) => function = name,
            Line::Calls(name, number) => *costs.calls.entry(name).or_default() += number,
            Line::Cost(at, cost) => {
                *costs.by_function.entry(function).or_default() += cost;
                *costs.by_line.entry((file, at)).or_default() += cost;
            }
        }
    }
    costs
}

impl Costs<'_> {
    fn for_people(&self, operations: usize) -> String {
        let each =
            |cost: u64| f64::from(u32::try_from(cost).unwrap_or(u32::MAX)) / f64::from(u32::try_from(operations).unwrap_or(u32::MAX));
        let mut functions: Vec<(&str, u64)> = self.by_function.iter().map(|(name, cost)| (*name, *cost)).collect();
        functions.sort_by_key(|(_, cost)| Reverse(*cost));
        let mut text = "instructions      calls  function\n".to_owned();
        for (name, cost) in functions.into_iter().take(SHOWN) {
            let calls = self.calls.get(name.split('@').next().unwrap_or(name)).copied().unwrap_or(0);
            // Nothing that is written to a text fails.
            let _ = writeln!(text, "{:12.1} {:10.2}  {name}", each(cost), each(calls));
        }
        let mut lines: Vec<((&str, &str), u64)> = self.by_line.iter().map(|(place, cost)| (*place, *cost)).collect();
        lines.sort_by_key(|(_, cost)| Reverse(*cost));
        text.push_str("\ninstructions  line\n");
        for ((file, line), cost) in lines.into_iter().take(SHOWN) {
            let _ = writeln!(text, "{:12.1}  {file}:{line}", each(cost));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npart: 1\npositions: line\nevents: Ir\nsummary: 60\n\n\
        ob=/usr/lib/libc.so.6\nfl=???\nfn=malloc\n0 40\n\n\
        ob=/target/release/counting\nfl=src/case.rs\nfn=signet_instructions::case::counted_operations\n0 15\n\
        cob=/usr/lib/libc.so.6\ncfi=???\ncfn=malloc\ncalls=2 0\n0 40\n\
        cfi=src/case.rs\ncfn=other\ncalls=1 0\n0 5\n\nfn=other\n0 5\n\ntotals: 60\n";

    #[test]
    fn a_part_is_read() {
        let counts = read(PART, Path::new("/target/release/counting")).unwrap();
        assert_eq!(counts, Counts { program: 20, library: 40, allocations: 2 });
    }

    #[test]
    fn a_profile_leaves_out_what_was_spent_in_calls() {
        let costs = costs(PART);
        assert_eq!(costs.by_function.values().sum::<u64>(), 60);
        assert_eq!(costs.calls.get("malloc"), Some(&2));
        assert!(costs.for_people(10).contains("         1.5  src/case.rs:0"), "{}", costs.for_people(10));
    }

    #[test]
    fn a_part_without_this_program_is_none() {
        assert!(read(PART, Path::new("/target/release/another")).unwrap_err().contains("counted_operations"));
    }
}
