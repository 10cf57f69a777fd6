//! OAuth 2.1: clients, scopes, grants and refresh tokens.
