//! Topic rules by statement.
