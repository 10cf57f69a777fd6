-- OpenID Connect and the pages: what an authorization request, a browser and a mailbox need.
-- Only additions, so that the version before keeps working on it.

-- Further metadata of a client (RFC 7591 §2, OpenID Connect Registration §2) as one JSON object,
-- since nothing is ever looked for by it. `origin` is 'made' by an operator, 'registered' by the
-- client itself (RFC 7591) or read from a 'document' (Client ID Metadata Document).
ALTER TABLE client ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE client ADD COLUMN origin TEXT NOT NULL DEFAULT 'made';
ALTER TABLE client ADD COLUMN used_at BIGINT;
ALTER TABLE client ADD COLUMN refreshed_at BIGINT;
ALTER TABLE client ADD COLUMN management_hash BYTEA;

-- Further claims of a person (OpenID Connect Core §5.1) as one JSON object, and the day on which an
-- account that its owner gave up is deleted.
ALTER TABLE user_ ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE user_ ADD COLUMN deletion_due_at BIGINT;
CREATE INDEX user_deletion_due ON user_ (deletion_due_at) WHERE deletion_due_at IS NOT NULL;

-- A session that a browser holds has the hash of its cookie's secret, and dies of disuse. `amr` is
-- a list of RFC 8176 names separated by spaces.
ALTER TABLE session ADD COLUMN cookie_hash BYTEA;
ALTER TABLE session ADD COLUMN idle_expires_at BIGINT;
ALTER TABLE session ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';
-- Its owner proved who they are, and so kept its grants, though they were given before.
ALTER TABLE session ADD COLUMN kept_at BIGINT;

-- What a grant's ID tokens repeat, and the key that its tokens are bound to (RFC 9449 §6).
ALTER TABLE grant_ ADD COLUMN claims TEXT;
ALTER TABLE grant_ ADD COLUMN dpop_jkt TEXT;

-- Authorization codes (RFC 6749 §4.1.2). A spent one is kept for a day: a second use ends what the
-- first one issued. `audiences` is a JSON array of strings, `claims` what was asked for by the
-- `claims` parameter.
CREATE TABLE code (
    user_id             BYTEA  NOT NULL,
    id                  BYTEA  NOT NULL,
    hash                BYTEA  NOT NULL,
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    session_id          BYTEA  NOT NULL,
    grant_id            BYTEA  NOT NULL,
    redirect_uri        TEXT   NOT NULL,
    redirect_uri_named  BIGINT NOT NULL,
    challenge           TEXT,
    nonce               TEXT,
    scope               TEXT   NOT NULL,
    audiences           TEXT   NOT NULL,
    claims              TEXT,
    dpop_jkt            TEXT,
    authenticated_at    BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    spent_at            BIGINT,
    PRIMARY KEY (user_id, id),
    FOREIGN KEY (user_id, session_id) REFERENCES session (user_id, id) ON DELETE CASCADE
);
CREATE INDEX code_expires ON code (expires_at);

-- What a person allowed a client, remembered until they take it back.
CREATE TABLE consent (
    user_id             BYTEA  NOT NULL REFERENCES user_ (id) ON DELETE CASCADE,
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    scope               TEXT   NOT NULL,
    audiences           TEXT   NOT NULL,
    granted_at          BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);
CREATE INDEX consent_client ON consent (client_id);

-- Pushed authorization requests (RFC 9126), by the hash of their reference.
CREATE TABLE pushed_request (
    hash                BYTEA  NOT NULL PRIMARY KEY,
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    parameters          TEXT   NOT NULL,
    dpop_jkt            TEXT,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    spent_at            BIGINT
);
CREATE INDEX pushed_request_expires ON pushed_request (expires_at);

-- Device authorizations (RFC 8628), by the hash of the device code; `user_code` in its canonical
-- form.
CREATE TABLE device (
    hash                BYTEA  NOT NULL PRIMARY KEY,
    user_code           TEXT   NOT NULL,
    client_id           TEXT   NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    scope               TEXT   NOT NULL,
    audiences           TEXT   NOT NULL,
    dpop_jkt            TEXT,
    address             TEXT,
    user_agent          TEXT,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    polled_at           BIGINT,
    poll_interval       BIGINT NOT NULL,
    user_id             BYTEA,
    session_id          BYTEA,
    approved_at         BIGINT,
    denied_at           BIGINT,
    spent_at            BIGINT
);
CREATE UNIQUE INDEX device_user_code ON device (user_code);
CREATE INDEX device_expires ON device (expires_at);
CREATE INDEX device_user ON device (user_id) WHERE user_id IS NOT NULL;

-- What may be seen once: the `jti` of DPoP proofs (RFC 9449 §11.1) and of client assertions
-- (RFC 7523 §3), by kind, so that no kind can use up another's.
CREATE TABLE replay (
    kind                TEXT   NOT NULL,
    key                 BYTEA  NOT NULL,
    expires_at          BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX replay_expires ON replay (expires_at);

-- Links that were mailed: `purpose` is 'verify', 'recover', 'change_new', 'change_old' or 'undo';
-- `email` is the address that it is about.
CREATE TABLE link (
    user_id             BYTEA  NOT NULL REFERENCES user_ (id) ON DELETE CASCADE,
    id                  BYTEA  NOT NULL,
    purpose             TEXT   NOT NULL,
    hash                BYTEA  NOT NULL,
    email               TEXT   NOT NULL,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    spent_at            BIGINT,
    PRIMARY KEY (user_id, id)
);
CREATE INDEX link_expires ON link (expires_at);

-- What is to be sent: `kind` is 'mail' or 'logout'. The payload is sealed, and gone once it is
-- sent or given up. Nodes take a row by moving `due_at` on: whoever changed it sends it.
CREATE TABLE outbox (
    id                  BYTEA  NOT NULL PRIMARY KEY,
    kind                TEXT   NOT NULL,
    payload             BYTEA,
    created_at          BIGINT NOT NULL,
    due_at              BIGINT,
    attempts            BIGINT NOT NULL,
    sent_at             BIGINT,
    failed_at           BIGINT
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;

-- Tokens that let somebody register a client (RFC 7591 §3): each is good for some registrations.
CREATE TABLE registration_token (
    hash                BYTEA  NOT NULL PRIMARY KEY,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    remaining           BIGINT NOT NULL
);
