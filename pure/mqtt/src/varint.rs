//! Variable Byte Integer (§1.5.5): one to four bytes, seven bits each, low bits first.

/// The highest number it can hold.
pub const MAXIMUM_VARIABLE_BYTE_INTEGER: u32 = 268_435_455;
