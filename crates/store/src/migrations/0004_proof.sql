-- Keys that are withdrawn and secrets that single APIs share; databases that are restored or
-- promoted; keys of the audit trail that follow each other. Only additions, so that the version
-- before keeps working on it.

-- When it last signed, to five minutes; written now and then, never when it signs.
ALTER TABLE key ADD COLUMN last_used_at BIGINT;
-- Since when nothing that it signed is taken: it was withdrawn before its time.
ALTER TABLE key ADD COLUMN withdrawn_at BIGINT;

-- Secrets for HS256, each of one API. It signs from `activates_at` until a later one of its API
-- does, and is taken until `expires_at`. The version before issues for such an API what the API's
-- row says.
CREATE TABLE api_secret (
    kid                 TEXT   NOT NULL PRIMARY KEY,
    audience            TEXT   NOT NULL REFERENCES api (audience) ON DELETE CASCADE,
    sealed              BYTEA  NOT NULL,
    created_at          BIGINT NOT NULL,
    activates_at        BIGINT NOT NULL,
    expires_at          BIGINT
);
CREATE INDEX api_secret_audience ON api_secret (audience);

-- The lives of these rows. A new one begins when they turn out to stand in another database than
-- before: a backup that was restored, a standby that was promoted. `identity` names the database
-- that it began in, `cause` says what was seen. `ended_before` is when everything that was given
-- before was ended, where something may have been lost; nothing otherwise.
CREATE TABLE epoch (
    number              BIGINT NOT NULL PRIMARY KEY,
    identity            TEXT   NOT NULL,
    cause               TEXT   NOT NULL,
    began_at            BIGINT NOT NULL,
    ended_before        BIGINT
);

-- `beat` is moved on every few seconds in which something was written. Whoever has seen a number
-- and finds a smaller one has an older state before them.
INSERT INTO counter (name, value) VALUES ('beat', 0);

-- The keys of the audit trail that followed the first one, which is derived from the root key.
-- `note` is the checkpoint that introduced it: signed by the key before, and by it. Rows are only
-- added.
CREATE TABLE audit_key (
    vkey                TEXT   NOT NULL PRIMARY KEY,
    sealed              BYTEA  NOT NULL,
    note                TEXT   NOT NULL,
    created_at          BIGINT NOT NULL
);

-- Since when another key is wanted; nothing once it was introduced.
ALTER TABLE audit_log ADD COLUMN rotation_asked_at BIGINT;
