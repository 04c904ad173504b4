//! Bytes to packets and back, through the public API alone: normative statements packet by packet, and properties over arbitrary packets.

#[cfg(test)]
mod acknowledgements;
#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod connack;
#[cfg(test)]
mod connect;
#[cfg(test)]
mod fixed_header;
#[cfg(test)]
mod mqtt_3_1;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod publish;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod subscribe;
#[cfg(test)]
mod wire;
