-- The tables of the first release. One text for SQLite and PostgreSQL: the executor writes
-- BLOB for BYTEA and STRICT for SQLite. Times are Unix milliseconds; a state is a time.

-- Numbers that only grow: `reference` is the version of the in-memory snapshot, `revocation` the
-- last place given in the revocation feed.
CREATE TABLE counter (
    name                TEXT   NOT NULL PRIMARY KEY,
    value               BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('reference', 1), ('revocation', 0);

-- People. `user` is a reserved word in PostgreSQL.
CREATE TABLE user_ (
    id                  BYTEA  NOT NULL PRIMARY KEY,
    email               TEXT   NOT NULL,
    email_canonical     TEXT   NOT NULL,
    email_verified_at   BIGINT,
    username            TEXT,
    username_canonical  TEXT,
    name                TEXT,
    locale              TEXT,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    disabled_at         BIGINT,
    password_changed_at BIGINT
);
CREATE UNIQUE INDEX user_email_canonical ON user_ (email_canonical);
CREATE UNIQUE INDEX user_username_canonical ON user_ (username_canonical);
CREATE INDEX user_created ON user_ (created_at, id);

-- Password hashes stand apart from profiles, so that no profile query can carry one away.
CREATE TABLE password (
    user_id             BYTEA  NOT NULL PRIMARY KEY REFERENCES user_ (id) ON DELETE CASCADE,
    hash                TEXT   NOT NULL,
    updated_at          BIGINT NOT NULL
);

-- Roles: `permissions` and `scope` are names separated by spaces.
CREATE TABLE role (
    name                TEXT   NOT NULL PRIMARY KEY,
    description         TEXT   NOT NULL,
    permissions         TEXT   NOT NULL,
    scope               TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    disabled_at         BIGINT
);
CREATE TABLE user_role (
    user_id             BYTEA  NOT NULL REFERENCES user_ (id) ON DELETE CASCADE,
    role                TEXT   NOT NULL REFERENCES role (name) ON DELETE CASCADE,
    granted_at          BIGINT NOT NULL,
    PRIMARY KEY (user_id, role)
);
CREATE INDEX user_role_role ON user_role (role, user_id);

-- Clients (RFC 6749 §2). `redirect_uris` and `audiences` are JSON arrays of strings.
CREATE TABLE client (
    id                  TEXT   NOT NULL PRIMARY KEY,
    name                TEXT   NOT NULL,
    auth_method         TEXT   NOT NULL,
    grant_types         TEXT   NOT NULL,
    redirect_uris       TEXT   NOT NULL,
    scope               TEXT   NOT NULL,
    audiences           TEXT   NOT NULL,
    pkce                TEXT   NOT NULL,
    party               TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    disabled_at         BIGINT
);
-- At most two at a time: the current one, and the one before it until it expires.
CREATE TABLE client_secret (
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    hash                BYTEA  NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT,
    PRIMARY KEY (client_id, hash)
);

-- APIs, by the audience of their tokens (RFC 8707). `access_ttl` is in milliseconds.
CREATE TABLE api (
    audience            TEXT   NOT NULL PRIMARY KEY,
    name                TEXT   NOT NULL,
    access_ttl          BIGINT,
    algorithm           TEXT   NOT NULL,
    client_id           TEXT   REFERENCES client (id) ON DELETE SET NULL,
    created_at          BIGINT NOT NULL,
    disabled_at         BIGINT
);

-- Sign-ins.
CREATE TABLE session (
    user_id             BYTEA  NOT NULL REFERENCES user_ (id) ON DELETE CASCADE,
    id                  BYTEA  NOT NULL,
    authenticated_at    BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    used_at             BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    ended_at            BIGINT,
    address             TEXT,
    user_agent          TEXT,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX session_expires ON session (expires_at);

-- One row per grant. Rotation advances `generation`; rows are never added by use. `audiences` is
-- a JSON array of strings.
CREATE TABLE grant_ (
    user_id             BYTEA  NOT NULL,
    id                  BYTEA  NOT NULL,
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    session_id          BYTEA  NOT NULL,
    scope               TEXT   NOT NULL,
    audiences           TEXT   NOT NULL,
    generation          BIGINT NOT NULL,
    nonce               BYTEA  NOT NULL,
    authenticated_at    BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    rotated_at          BIGINT,
    idle_expires_at     BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    revoked_at          BIGINT,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, session_id) REFERENCES session (user_id, id) ON DELETE CASCADE
);
CREATE INDEX grant_session ON grant_ (user_id, session_id);
CREATE INDEX grant_client ON grant_ (client_id);

-- Keys. `purpose` is 'sign' or 'mac'; `sealed` is gone once the key is destroyed; `jwk` is the
-- public half of a signing key. Which key is active follows from the times.
CREATE TABLE key (
    kid                 TEXT   NOT NULL PRIMARY KEY,
    purpose             TEXT   NOT NULL,
    algorithm           TEXT   NOT NULL,
    jwk                 TEXT,
    sealed              BYTEA,
    created_at          BIGINT NOT NULL,
    activates_at        BIGINT NOT NULL,
    retires_at          BIGINT,
    destroyed_at        BIGINT
);

-- The audit trail. Rows are only added.
CREATE TABLE audit (
    id                  BYTEA  NOT NULL PRIMARY KEY,
    at                  BIGINT NOT NULL,
    kind                TEXT   NOT NULL,
    outcome             TEXT   NOT NULL,
    actor_kind          TEXT   NOT NULL,
    actor_id            TEXT,
    subject             TEXT,
    client_id           TEXT,
    address             TEXT,
    request_id          TEXT,
    detail              TEXT   NOT NULL
);
CREATE INDEX audit_subject ON audit (subject, id);

-- Settings that are changed while the server runs; `value` is JSON.
CREATE TABLE setting (
    name                TEXT   NOT NULL PRIMARY KEY,
    value               TEXT   NOT NULL,
    updated_at          BIGINT NOT NULL
);

-- The revocation feed: `not_before` in Unix seconds, as `iat`.
CREATE TABLE revocation (
    seq                 BIGINT NOT NULL PRIMARY KEY,
    kind                TEXT   NOT NULL,
    key                 TEXT   NOT NULL,
    not_before          BIGINT NOT NULL,
    until               BIGINT NOT NULL
);
CREATE INDEX revocation_until ON revocation (until);
CREATE INDEX revocation_key ON revocation (kind, key);

-- The attempt ledger, keyed by a keyed hash of the account or of what was typed.
CREATE TABLE throttle (
    key                 BYTEA  NOT NULL PRIMARY KEY,
    failures            BIGINT NOT NULL,
    last_failed_at      BIGINT NOT NULL,
    blocked_until       BIGINT,
    expires_at          BIGINT NOT NULL
);
CREATE INDEX throttle_expires ON throttle (expires_at);
