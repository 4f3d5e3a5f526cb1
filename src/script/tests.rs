//! What the room promises, from the outside of its modules.
