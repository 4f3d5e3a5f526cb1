//! Dead letters as a tool: what there is ([`Letters`]), which of it is meant ([`Filter`]), how much of
//! what kind ([`Counts`]), and back with it ([`replay`]).
//!
//! Nothing here needs a running daemon. What has been replayed is kept in the cluster ([`replayed`]), in
//! one transaction with what was written for it.

pub mod counts;
mod destination;
mod filter;
mod letters;
mod place;
pub mod replay;
pub mod replayed;
mod stop;

pub use counts::Counts;
pub use destination::Destination;
pub use filter::Filter;
pub use letters::{Letter, Letters, Next};
pub use place::{Origin, Place};
pub use stop::Stop;
