//! What a caller may do: roles, permissions and the one function that decides.
