//! The store as a whole, on a disk that loses power, runs full and fails.

mod crash;
mod model;
mod threads;
