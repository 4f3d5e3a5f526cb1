//! Dead letters as a tool: what there is ([`Letters`]), which of it is meant ([`Filter`]), how much of
//! what kind ([`Counts`]), and back with it ([`Replay`]).
//!
//! Nothing here needs a running daemon. What has been replayed is kept in the cluster ([`replayed`]), in
//! one transaction with what was written for it.

pub mod counts;
mod destination;
mod filter;
mod letters;
mod order;
mod place;
mod replay;
pub mod replayed;
mod stop;

pub use counts::Counts;
pub use destination::{Destination, Homes};
pub use filter::Filter;
pub use letters::{Letter, Letters, Next};
pub use order::{End, Failure, Order, Tally};
pub use place::{Origin, Place};
pub use replay::Replay;
pub use stop::Stop;
