-- What a key was used for and why it ended, and the secrets that single APIs share. Only additions,
-- so that the version before keeps working on it.

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
