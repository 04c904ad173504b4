//! The program that writes password files: flags, messages and exit codes of mosquitto_passwd.
//!
//! It differs where Mosquitto's loses something: comments stay, a line that nobody understands ends it before the file is touched, a last line without an
//! end gets one before another follows, and `-U` leaves what is hashed already. Salts have 12 octets, which every version of Mosquitto reads.

mod file;
mod flags;
mod password;
mod text;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::process::ExitCode;

use file::PasswordFile;
use flags::{Request, Task};
use password::Asked;

/// Why it ends early: what stderr gets, if anything, and the exit code.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    message: Vec<u8>,
    code: u8,
}

impl Failure {
    fn new(message: impl Into<Vec<u8>>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Parts of a message, some of which are names in whatever encoding.
    fn of(parts: &[&[u8]]) -> Self {
        Self::new(parts.concat())
    }
}

/// Runs the program with the arguments behind its name; `program` is that name as its help shows it.
pub fn run(program: &str, arguments: Vec<OsString>) -> ExitCode {
    let arguments: Vec<Vec<u8>> = arguments.into_iter().map(OsString::into_vec).collect();
    let outcome = match flags::parse(&arguments) {
        Ok(Some(request)) => carry_out(&request),
        Ok(None) => {
            say(help(program).as_bytes());
            return ExitCode::FAILURE;
        }
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(code) => code,
        Err(Failure { message, code }) => {
            if !message.is_empty() {
                complain(&[&message[..], b"\n"].concat());
            }
            ExitCode::from(code)
        }
    }
}

fn carry_out(request: &Request) -> Result<ExitCode, Failure> {
    let hash = |password: &[u8]| request.hash.make(password).map_err(|_| Failure::new("Error: Unable to hash password."));
    match &request.task {
        Task::Print { user, password } => {
            let Some(password) = given_or_asked(password.as_deref())? else { return Ok(ExitCode::SUCCESS) };
            say(&text::line(user, &hash(&password)?));
        }
        Task::Create { path, user, password } => {
            let path = file::full(path)?;
            let Some(password) = given_or_asked(password.as_deref())? else { return Ok(ExitCode::SUCCESS) };
            let line = text::line(user, &hash(&password)?);
            file::create(&path, &line)?;
            say(&[b"Adding password for user ", &user[..], b"\n"].concat());
        }
        Task::Set { path, user, password } => {
            let mut file = PasswordFile::open(&file::full(path)?)?;
            let Some(password) = given_or_asked(password.as_deref())? else { return Ok(ExitCode::SUCCESS) };
            let line = text::line(user, &hash(&password)?);
            let (changed, was_there) = text::set(file.text(), user, &line)?;
            file.replace(&changed)?;
            say(&[if was_there { b"Updating" } else { &b"Adding"[..] }, b" password for user ", user, b"\n"].concat());
        }
        Task::Delete { path, user } => {
            let mut file = PasswordFile::open(&file::full(path)?)?;
            let changed = text::delete(file.text(), user)?;
            file.replace(&changed)?;
        }
        Task::Upgrade { path } => {
            let mut file = PasswordFile::open(&file::full(path)?)?;
            let changed = text::upgrade(file.text(), hash)?;
            file.replace(&changed)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `None`: whoever was asked gave up.
fn given_or_asked(given: Option<&[u8]>) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, Failure> {
    match given {
        Some(password) => Ok(Some(password.to_vec().into())),
        None => match password::ask()? {
            Asked::Password(password) => Ok(Some(password)),
            Asked::GivenUp => Ok(None),
        },
    }
}

fn help(program: &str) -> String {
    format!(
        "{program} writes files of user names and hashed passwords.\n\
         \n\
         Usage: {program} [-H METHOD] [-I ITERATIONS] [-c | -D] FILE USER\n\
         \x20      {program} [-H METHOD] [-I ITERATIONS] [-c] -b FILE USER PASSWORD\n\
         \x20      {program} [-H METHOD] -U FILE\n\
         \n\
         \x20-b  take the password from the command line, where other users of this machine see it\n\
         \x20-c  make a new file, which must not be there yet; with `-` as FILE the line goes to the standard output\n\
         \x20-D  remove the user\n\
         \x20-H  how to hash: sha512-pbkdf2 (the default), argon2id, or sha512\n\
         \x20-I  rounds of sha512-pbkdf2, 1000 by default\n\
         \x20-U  hash the passwords of a file that has them in plain text\n\
         \n"
    )
}

/// Output. A reader that went away is no failure.
fn say(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Words for the person at the terminal.
fn complain(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}
