//! What ties the daemon to the service manager: what it is told, and how the service is installed.

pub mod files;
pub mod install;
pub mod notify;
pub mod watchdog;
