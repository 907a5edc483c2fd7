//! The server: listeners, limits and the way of a request.
