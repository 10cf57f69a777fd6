-- Several nodes, and databases that are restored or promoted. Only additions, so that the version
-- before keeps working on it.

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
