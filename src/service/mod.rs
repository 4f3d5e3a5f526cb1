//! What ties the daemon to the service manager.

pub mod notify;
pub mod watchdog;
