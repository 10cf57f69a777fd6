-- The keys that the audit trail is signed with, one after the other. Only additions, so that the
-- version before keeps working on it, as long as nobody asks for another key.

-- Those that followed the first one, which is derived from the root key. `note` is the checkpoint
-- that introduced it: signed by the key before, and by it. Rows are only added.
CREATE TABLE audit_key (
    vkey                TEXT   NOT NULL PRIMARY KEY,
    sealed              BYTEA  NOT NULL,
    note                TEXT   NOT NULL,
    created_at          BIGINT NOT NULL
);

-- Since when another key is wanted; nothing once it was introduced.
ALTER TABLE audit_log ADD COLUMN rotation_asked_at BIGINT;
