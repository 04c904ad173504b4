//! Requests: what a message to `$CONTROL/…` asks for, and what is answered.
//!
//! A request is a list of commands, which are carried out in turn. Each has an answer, and one that fails does not keep the next from being tried.

mod clients;
mod general;
mod groups;
mod roles;

use crate::bounds::Bounds;
use crate::json::Json;
use crate::state::{About, Memberships, State, bounded_priority};
use crate::text;

/// Makes password hashes.
pub trait Passwords {
    /// The hash of a password, as password files hold it: `$7$…`. `None`: it cannot be made.
    fn hash(&mut self, password: &str) -> Option<String>;
}

/// Knows who is connected.
pub trait Connections {
    /// The addresses from which a client is connected now; with this Client Identifier only, where there is one.
    fn addresses(&self, username: &str, client_identifier: Option<&str>) -> Vec<String>;
}

/// Who sent a request, for the log.
#[derive(Debug, Clone, Copy)]
pub struct Administrator<'a> {
    /// Its Client Identifier.
    pub client_identifier: &'a str,
    /// Its user name.
    pub username: Option<&'a str>,
}

/// What a request is carried out with.
pub struct Surroundings<'a> {
    /// Makes password hashes.
    pub passwords: &'a mut dyn Passwords,
    /// Knows who is connected.
    pub connections: &'a dyn Connections,
    /// Who sent the request.
    pub administrator: Administrator<'a>,
    /// How much there may be of everything.
    pub bounds: &'a Bounds,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("administrator", &self.administrator).finish_non_exhaustive()
    }
}

/// Whose sessions end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kick {
    /// Those of the client with this user name.
    Client(String),
    /// Those of clients that are nobody in particular.
    Anonymous,
}

/// What came of a request.
#[derive(Debug)]
pub struct Executed {
    /// What is to be published to [`crate::RESPONSE_TOPIC`].
    pub response: String,
    /// What there is now, to be put in force before the response is sent.
    pub state: State,
    /// Whether it is different from before in what a file holds, and has to be durable first.
    pub is_changed: bool,
    /// Whose sessions end, each once.
    pub kicks: Vec<Kick>,
    /// Lines for the log, in Mosquitto's words. Without secrets and control characters.
    pub log: Vec<String>,
}

/// Carries out a request. Nothing is in force or durable yet: see [`Executed::state`].
#[must_use]
pub fn execute(state: &State, request: &[u8], surroundings: Surroundings<'_>) -> Executed {
    let bounds = *surroundings.bounds;
    let mut work = Work { state: state.clone(), surroundings, is_changed: false, kicks: Vec::new(), log: Vec::new() };
    let response = control_responses(request, &bounds, &mut |command, fields| {
        let found = COMMANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(command));
        let Some((name, carry_out)) = found else { return Err("Unknown command") };
        carry_out(&mut work, fields).map(|data| data.map(|data| (*name, data)))
    });
    let Work { mut state, is_changed, kicks, log, .. } = work;
    for kick in &kicks {
        if let Kick::Client(username) = kick {
            state.renew(username);
        }
    }
    Executed { response, state, is_changed, kicks, log }
}

/// Data to show under a command's name, nothing to show, or why it was not carried out.
type Answer = Result<Option<Json>, &'static str>;

type Command = fn(&mut Work<'_>, &Json) -> Answer;

/// Every command, in the order of Mosquitto's documentation.
const COMMANDS: [(&str, Command); 32] = [
    ("setDefaultACLAccess", general::set_default_access),
    ("getDefaultACLAccess", general::get_default_access),
    ("getDetails", general::get_details),
    ("createClient", clients::create),
    ("deleteClient", clients::delete),
    ("getClient", clients::get),
    ("listClients", clients::list),
    ("modifyClient", clients::modify),
    ("setClientPassword", clients::set_password),
    ("setClientId", clients::set_identifier),
    ("addClientRole", clients::add_role),
    ("removeClientRole", clients::remove_role),
    ("enableClient", clients::enable),
    ("disableClient", clients::disable),
    ("addGroupClient", groups::add_client),
    ("createGroup", groups::create),
    ("deleteGroup", groups::delete),
    ("getGroup", groups::get),
    ("listGroups", groups::list),
    ("modifyGroup", groups::modify),
    ("removeGroupClient", groups::remove_client),
    ("addGroupRole", groups::add_role),
    ("removeGroupRole", groups::remove_role),
    ("setAnonymousGroup", groups::set_anonymous),
    ("getAnonymousGroup", groups::get_anonymous),
    ("createRole", roles::create),
    ("getRole", roles::get),
    ("listRoles", roles::list),
    ("modifyRole", roles::modify),
    ("deleteRole", roles::delete),
    ("addRoleACL", roles::add_acl),
    ("removeRoleACL", roles::remove_acl),
];

/// Data to show and the name under which it is, nothing to show, or why the command was not carried out.
pub type CommandAnswer = Result<Option<(&'static str, Json)>, &'static str>;

/// The answer to a request to a topic below `$CONTROL`, whose commands `carry_out` knows: it is given a command's name and its fields.
#[must_use]
pub fn control_responses(request: &[u8], bounds: &Bounds, carry_out: &mut dyn FnMut(&str, &Json) -> CommandAnswer) -> String {
    let mut responses = Vec::new();
    let mut octets = 0;
    let failed = |error: &'static str| Json::object([("command", Json::text("Unknown command")), ("error", Json::text(error))]);
    let read = if request.len() > bounds.request_bytes { None } else { Json::read(request) };
    let commands = read.as_ref().map(|read| read.get("commands").and_then(Json::as_list));
    match commands {
        None if request.len() > bounds.request_bytes => responses.push(failed("Request too large")),
        None => responses.push(failed("Payload not valid JSON")),
        Some(None) => responses.push(failed("Invalid/missing commands")),
        Some(Some(commands)) if commands.len() > bounds.commands => responses.push(failed("Too many commands")),
        Some(Some(commands)) => {
            for command in commands {
                let Some(name) = command.is_object().then(|| command.text_of("command")) else {
                    responses.push(failed("Command not an object"));
                    break;
                };
                let Some(name) = name else {
                    responses.push(failed("Missing command"));
                    break;
                };
                let mut response = Json::object([("command", Json::text(name))]);
                let Ok(correlation) = command.optional_text("correlationData") else {
                    response.put("error", Json::text("Invalid correlationData data type."));
                    responses.push(response);
                    break;
                };
                let answer = if octets > bounds.response_bytes { Err("Response too large") } else { carry_out(name, command) };
                match answer {
                    Ok(None) => {}
                    Ok(Some((name, data))) => response = Json::object([("command", Json::text(name)), ("data", data)]),
                    Err(error) => response.put("error", Json::text(error)),
                }
                response.put_text("correlationData", correlation);
                octets += response.to_line().len();
                responses.push(response);
            }
        }
    }
    Json::object([("responses", Json::List(responses))]).to_line()
}

/// A request that is being carried out.
struct Work<'a> {
    state: State,
    surroundings: Surroundings<'a>,
    is_changed: bool,
    kicks: Vec<Kick>,
    log: Vec<String>,
}

impl Work<'_> {
    /// Something was changed.
    fn save(&mut self) {
        self.state.change_index = self.state.change_index.saturating_add(1);
        self.is_changed = true;
    }

    fn kick(&mut self, username: &str) {
        self.note(Kick::Client(username.to_owned()));
    }

    fn kick_anonymous(&mut self) {
        self.note(Kick::Anonymous);
    }

    fn note(&mut self, kick: Kick) {
        if !self.kicks.contains(&kick) {
            self.kicks.push(kick);
        }
    }

    /// A line for the log: the command, and what it is about.
    fn log(&mut self, command: &str, about: &[(&str, &str)]) {
        let Administrator { client_identifier, username } = self.surroundings.administrator;
        let mut line =
            format!("dynsec: {}/{} | {command}", text::shown(client_identifier), username.map_or_else(|| "(null)".to_owned(), text::shown));
        for (name, value) in about {
            line.push_str(&format!(" | {name}={}", text::shown(value)));
        }
        self.log.push(line);
    }

    /// A role by its name.
    fn has_role(&self, name: &str) -> Result<(), &'static str> {
        if self.state.roles.contains_key(name) { Ok(()) } else { Err("Role not found") }
    }

    /// The roles that a command lists, all of which have to be there; `None`: it lists none.
    fn roles(&self, fields: &Json) -> Result<Option<Memberships>, RolesError> {
        let Some(listed) = fields.get("roles") else { return Ok(None) };
        let mut roles = Memberships::default();
        for role in listed.as_list().ok_or(RolesError::Invalid)? {
            let name = role.text_of("rolename").ok_or(RolesError::Invalid)?;
            let (name, _) = self.state.roles.get_key_value(name).ok_or(RolesError::NotFound)?;
            roles.add(name, priority(role));
        }
        if roles.len() > self.surroundings.bounds.memberships { Err(RolesError::TooMany) } else { Ok(Some(roles)) }
    }

    /// Text that a command gives to something, which may be missing.
    fn about(&self, fields: &Json) -> Result<About, &'static str> {
        Ok(About {
            name: self.optional(fields, "textname", "Invalid/missing textname")?.map(Into::into),
            description: self.optional(fields, "textdescription", "Invalid/missing textdescription")?.map(Into::into),
        })
    }

    /// The same, of which only what is there counts.
    fn change_about(&self, fields: &Json, about: &mut About) -> Result<(), &'static str> {
        for (key, place) in [("textname", &mut about.name), ("textdescription", &mut about.description)] {
            if let Some(text) = fields.text_of(key) {
                *place = Some(self.bounded(text)?.into());
            }
        }
        Ok(())
    }

    fn optional<'f>(&self, fields: &'f Json, key: &str, invalid: &'static str) -> Result<Option<&'f str>, &'static str> {
        fields.optional_text(key).map_err(|_| invalid)?.map(|text| self.bounded(text)).transpose()
    }

    fn bounded<'f>(&self, text: &'f str) -> Result<&'f str, &'static str> {
        if text.len() > self.surroundings.bounds.text_bytes { Err("Text too long") } else { Ok(text) }
    }

    /// Room for one more.
    fn room(&self, held: usize, maximum: impl FnOnce(&Bounds) -> usize, full: &'static str) -> Result<(), &'static str> {
        if held < maximum(self.surroundings.bounds) { Ok(()) } else { Err(full) }
    }
}

/// What is wrong with the roles of a command.
enum RolesError {
    Invalid,
    NotFound,
    TooMany,
}

impl RolesError {
    /// In Mosquitto's words, which differ for a list that is none.
    fn words(self, invalid: &'static str) -> &'static str {
        match self {
            Self::Invalid => invalid,
            Self::NotFound => "Role not found",
            Self::TooMany => TOO_MANY_MEMBERSHIPS,
        }
    }
}

const TOO_MANY_MEMBERSHIPS: &str = "Too many roles or groups";
const ROLES_INVALID: &str = "'roles' not an array or missing/invalid rolename";

/// A name that a command has to have.
#[derive(Clone, Copy)]
struct Named {
    key: &'static str,
    missing: &'static str,
    invalid: &'static str,
}

const USERNAME: Named = Named { key: "username", missing: "Invalid/missing username", invalid: "Username not valid UTF-8" };
const GROUP: Named = Named { key: "groupname", missing: "Invalid/missing groupname", invalid: "Group name not valid UTF-8" };
const ROLE: Named = Named { key: "rolename", missing: "Invalid/missing rolename", invalid: "Role name not valid UTF-8" };

impl Named {
    fn of(self, fields: &Json) -> Result<&str, &'static str> {
        let name = fields.text_of(self.key).ok_or(self.missing)?;
        if text::is_valid(name) { Ok(name) } else { Err(self.invalid) }
    }

    /// The same for something new.
    fn new_of<'f>(self, fields: &'f Json, empty: &'static str) -> Result<&'f str, &'static str> {
        match fields.text_of(self.key) {
            Some("") => Err(empty),
            _ => self.of(fields),
        }
    }
}

/// Of a membership: -1, which is not shown, where there is none.
fn priority(fields: &Json) -> i32 {
    bounded_priority(fields.int_or("priority", -1))
}

/// Which part of a list is wanted.
struct Page {
    count: i32,
    offset: usize,
    is_verbose: bool,
}

impl Page {
    fn of(fields: &Json) -> Self {
        let offset = usize::try_from(fields.int_or("offset", 0)).unwrap_or(0);
        Self { count: fields.int_or("count", -1), offset, is_verbose: fields.bool_or("verbose", false) }
    }

    /// The part of all entries. A count of 0 gives one, as with Mosquitto.
    fn cut<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let count = usize::try_from(self.count).map_or(usize::MAX, |count| count.max(1));
        all.skip(self.offset).take(count)
    }

    fn log(&self, work: &mut Work<'_>, command: &str) {
        let verbose = if self.is_verbose { "true" } else { "false" };
        work.log(command, &[("verbose", verbose), ("count", &self.count.to_string()), ("offset", &self.offset.to_string())]);
    }

    /// All there are, and the part of them that is wanted.
    fn shown(total: usize, key: &'static str, entries: Vec<Json>) -> Json {
        Json::object([("totalCount", Json::count(total)), (key, Json::List(entries))])
    }
}

#[cfg(test)]
mod tests;
