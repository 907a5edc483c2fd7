//! The server against what is wrong with requests.
