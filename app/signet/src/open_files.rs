//! Room for the connections that the configuration allows: each is an open file, and many systems start a process with 1024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides connections: listeners, epoll, ledger, admin socket, and what a reload reads.
const RESERVE: u64 = 256;

/// Raises the limit of open files to what `connections` need, as far as the system lets us, and warns when that is not enough.
pub(crate) fn make_room(connections: u64) {
    let needed = connections.saturating_add(RESERVE);
    // Without a number there is no limit.
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let reachable = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum }).is_ok();
    let allowed = if raised { Some(reachable) } else { current };
    if allowed.is_some_and(|allowed| allowed < needed) {
        tracing::warn!(
            open_files = allowed,
            maximum_connections = connections,
            "the system allows fewer open files than the listeners allow connections: connections beyond wait or are refused; \
             raise the limit (`LimitNOFILE=` of a service, `ulimit -n` of a shell) or lower `maximum_connections`"
        );
    }
}
