//! Calls without a phone: text legs on a simulated clock, conversation tests.
