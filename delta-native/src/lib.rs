//! Delta on hosts.
