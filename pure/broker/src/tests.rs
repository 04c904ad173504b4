//! Scripted clients over several shards, all in memory and in virtual time. One file per chapter of what a broker does; a test that proves
//! a normative statement carries its number.

mod asking;
mod conduct;
mod connecting;
mod control;
mod crash;
mod denying;
mod durability;
mod ending;
mod limits;
mod mounts;
mod paper;
mod publishing;
mod reconnecting;
mod refusing;
mod restarting;
mod reviewing;
mod rig;
mod sharing;
mod subscribing;
mod tenants;
mod wills;
mod workload;
