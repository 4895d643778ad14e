//! What outlives a call: the database.
