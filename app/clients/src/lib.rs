//! Programs that have the flags, the output and the exit codes of Mosquitto's: pub, sub, rr and passwd.
