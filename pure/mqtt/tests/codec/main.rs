//! Bytes to packets and back, through the public API alone: normative statements packet by packet, and properties over arbitrary packets.

mod acknowledgements;
mod arbitrary;
mod connack;
mod connect;
mod fixed_header;
mod mutation;
mod publish;
mod round_trip;
mod subscribe;
mod wire;
