-- The audit trail as a tree that shows tampering (RFC 6962; C2SP tlog-tiles). Only additions, so
-- that the version before keeps working on it: what it writes is numbered all the same.

-- The place of an event in the tree. Nothing until the sequencer gave it one, in whatever order
-- events were committed.
ALTER TABLE audit ADD COLUMN seq BIGINT;
CREATE INDEX audit_unnumbered ON audit (id) WHERE seq IS NULL;

-- The leaves, as they were hashed. `salt` hides what tells about a person in the leaf's `pii`; with
-- it erased, nobody can find out what that was, and the tree still holds.
CREATE TABLE audit_leaf (
    seq                 BIGINT NOT NULL PRIMARY KEY,
    event_id            BYTEA  NOT NULL,
    entry               TEXT   NOT NULL,
    salt                BYTEA
);
CREATE UNIQUE INDEX audit_leaf_event ON audit_leaf (event_id);

-- The hashes of each tile, 32 bytes after 32 bytes; the last of each level grows.
CREATE TABLE audit_tile (
    level               BIGINT NOT NULL,
    place               BIGINT NOT NULL,
    hashes              BYTEA  NOT NULL,
    PRIMARY KEY (level, place)
);

-- What was signed: a signed note for each size.
CREATE TABLE audit_checkpoint (
    size                BIGINT NOT NULL PRIMARY KEY,
    note                TEXT   NOT NULL,
    signed_at           BIGINT NOT NULL
);

-- One row, named 'log': how far the tree has come, and which node goes on with it. Whoever writes
-- the tree names the term and the size that it knows; somebody else's write changes one of them.
CREATE TABLE audit_log (
    name                TEXT   NOT NULL PRIMARY KEY,
    vkey                TEXT   NOT NULL,
    size                BIGINT NOT NULL,
    root                BYTEA  NOT NULL,
    signed_size         BIGINT NOT NULL,
    signed_at           BIGINT NOT NULL,
    term                BIGINT NOT NULL,
    holder              BYTEA  NOT NULL,
    held_until          BIGINT NOT NULL
);
