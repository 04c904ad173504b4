//! Dynamic security: clients, groups and roles that are administered by messages to `$CONTROL/dynamic-security/v1`, as Mosquitto's plugin of that
//! name has them. Decides; whoever calls it keeps the file and ends the sessions that it names.
