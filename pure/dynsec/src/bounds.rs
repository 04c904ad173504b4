//! Every bound of what a request or a file can make us hold or do.

/// Bounds. What is beyond one of them is refused, and nothing is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a request. Default 4 MiB.
    pub request_bytes: usize,
    /// Commands in one. Default 10,000.
    pub commands: usize,
    /// Bytes of a response, about. A command whose answer would go beyond is answered with an error. Default 16 MiB.
    pub response_bytes: usize,
    /// Bytes of the file. Default 256 MiB.
    pub document_bytes: usize,
    /// Clients. Default 1,000,000.
    pub clients: usize,
    /// Groups. Default 100,000.
    pub groups: usize,
    /// Roles. Default 100,000.
    pub roles: usize,
    /// Access rules of one role, of all kinds. Default 10,000.
    pub acls: usize,
    /// Roles of one client or group, and groups of one client. Default 1,000.
    pub memberships: usize,
    /// Bytes of a name, a topic, or a text about either: what MQTT can carry. Default 65,535.
    pub text_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            request_bytes: 4 << 20,
            commands: 10_000,
            response_bytes: 16 << 20,
            document_bytes: 256 << 20,
            clients: 1_000_000,
            groups: 100_000,
            roles: 100_000,
            acls: 10_000,
            memberships: 1_000,
            text_bytes: 65_535,
        }
    }
}
