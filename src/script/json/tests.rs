//! The view against serde_json.
