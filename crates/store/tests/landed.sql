DELETE FROM api WHERE audience = $1
;
DELETE FROM audit WHERE id IN (
             SELECT id FROM audit WHERE id < $1
             AND seq < (SELECT signed_size FROM audit_log WHERE name = 'log')
             ORDER BY id LIMIT $2)
;
DELETE FROM audit_checkpoint WHERE size IN (
             SELECT size FROM audit_checkpoint WHERE signed_at < $1
             AND size < (SELECT MAX(size) FROM audit_checkpoint) ORDER BY size LIMIT $2)
;
DELETE FROM client WHERE id = $1
;
DELETE FROM client_secret WHERE client_id = $1 AND hash NOT IN (
             SELECT newest.hash FROM client_secret newest WHERE newest.client_id = $1
             ORDER BY newest.created_at DESC, newest.hash LIMIT 1)
;
DELETE FROM client_secret WHERE expires_at <= $1
;
DELETE FROM code WHERE (user_id, id) IN (
             SELECT user_id, id FROM code WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)
;
DELETE FROM code WHERE user_id = $1 AND client_id = $2 AND spent_at IS NULL
;
DELETE FROM consent WHERE user_id = $1
;
DELETE FROM consent WHERE user_id = $1 AND client_id = $2
;
DELETE FROM device WHERE hash IN (
             SELECT old.hash FROM device old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM device WHERE user_id = $1 AND client_id = $2 AND spent_at IS NULL
;
DELETE FROM link WHERE (user_id, id) IN (
             SELECT old.user_id, old.id FROM link old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM outbox WHERE id IN (
             SELECT old.id FROM outbox old WHERE old.id < $1 AND old.due_at IS NULL
             ORDER BY old.id LIMIT $2)
;
DELETE FROM pushed_request WHERE hash IN (
             SELECT old.hash FROM pushed_request old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM registration_token WHERE hash = $1
;
DELETE FROM registration_token WHERE hash IN (
             SELECT old.hash FROM registration_token old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM replay WHERE (kind, key) IN (
             SELECT old.kind, old.key FROM replay old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM revocation WHERE until <= $1
         AND seq < (SELECT value FROM counter WHERE name = 'revocation')
;
DELETE FROM role WHERE name = $1
;
DELETE FROM session WHERE (user_id, id) IN (
             SELECT s.user_id, s.id FROM session s
             WHERE s.expires_at < $1 AND (s.ended_at IS NOT NULL OR NOT EXISTS (
                 SELECT 1 FROM grant_ g
                 WHERE g.user_id = s.user_id AND g.session_id = s.id AND g.revoked_at IS NULL
                 AND g.expires_at >= $1 AND g.idle_expires_at >= $1))
             ORDER BY s.expires_at LIMIT $2)
;
DELETE FROM setting WHERE name = $1
;
DELETE FROM throttle WHERE key = $1
;
DELETE FROM throttle WHERE key IN (
             SELECT old.key FROM throttle old WHERE old.expires_at <= $1
             ORDER BY old.expires_at LIMIT $2)
;
DELETE FROM user_ WHERE id = $1
;
DELETE FROM user_ WHERE id = $1 AND deletion_due_at IS NOT NULL AND deletion_due_at <= $2
;
DELETE FROM user_role WHERE user_id = $1 AND role = $2
;
INSERT INTO api (audience, name, access_ttl, algorithm, client_id, created_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
;
INSERT INTO audit (id, at, kind, outcome, actor_kind, actor_id, subject, client_id,
         address, request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
;
INSERT INTO audit_checkpoint (size, note, signed_at) VALUES ($1, $2, $3)
;
INSERT INTO audit_leaf (seq, event_id, entry, salt) VALUES ($1, $2, $3, $4)
;
INSERT INTO audit_log (name, vkey, size, root, signed_size, signed_at, term, holder,
         held_until)
         VALUES ('log', $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING
;
INSERT INTO audit_tile (level, place, hashes) VALUES ($1, $2, $3)
             ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes
;
INSERT INTO client (id, name, auth_method, grant_types, redirect_uris, scope, audiences,
         pkce, party, created_at, disabled_at, metadata, origin, used_at, refreshed_at,
         management_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
;
INSERT INTO client_secret (client_id, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4)
;
INSERT INTO code (user_id, id, hash, client_id, session_id, grant_id, redirect_uri,
         redirect_uri_named, challenge, nonce, scope, audiences, claims, dpop_jkt,
         authenticated_at, created_at, expires_at, spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
;
INSERT INTO consent (user_id, client_id, scope, audiences, granted_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, client_id) DO UPDATE
         SET scope = excluded.scope, audiences = excluded.audiences,
         granted_at = excluded.granted_at
;
INSERT INTO device (hash, user_code, client_id, scope, audiences, dpop_jkt, address,
         user_agent, created_at, expires_at, poll_interval)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
;
INSERT INTO grant_ (user_id, id, client_id, session_id, scope, audiences, generation,
         nonce, authenticated_at, created_at, rotated_at, idle_expires_at, expires_at, revoked_at,
         claims, dpop_jkt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
;
INSERT INTO key (kid, purpose, algorithm, jwk, sealed, created_at, activates_at,
         retires_at, destroyed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
;
INSERT INTO link (user_id, id, purpose, hash, email, created_at, expires_at, spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
;
INSERT INTO migration (id, name, applied_at) VALUES ($1, $2, $3)
;
INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts)
         VALUES ($1, $2, $3, $4, $4, 0)
;
INSERT INTO password (user_id, hash, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash,
         updated_at = excluded.updated_at
;
INSERT INTO pushed_request (hash, client_id, parameters, dpop_jkt, created_at, expires_at,
         spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
;
INSERT INTO registration_token (hash, created_at, expires_at, remaining)
         VALUES ($1, $2, $3, $4)
;
INSERT INTO replay (kind, key, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (kind, key) DO NOTHING RETURNING expires_at
;
INSERT INTO revocation (seq, kind, key, not_before, until) VALUES ($1, $2, $3, $4, $5)
;
INSERT INTO role (name, description, permissions, scope, created_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6)
;
INSERT INTO session (user_id, id, authenticated_at, created_at, used_at, expires_at,
         ended_at, address, user_agent, amr, cookie_hash, idle_expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
;
INSERT INTO setting (name, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
;
INSERT INTO throttle (key, failures, last_failed_at, blocked_until, expires_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (key) DO UPDATE SET failures = excluded.failures,
         last_failed_at = excluded.last_failed_at, blocked_until = excluded.blocked_until,
         expires_at = excluded.expires_at
;
INSERT INTO user_ (id, email, email_canonical, email_verified_at, username,
         username_canonical, name, locale, created_at, updated_at, disabled_at,
         password_changed_at, profile, deletion_due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
;
INSERT INTO user_role (user_id, role, granted_at) VALUES ($1, $2, $3)
;
INSERT INTO user_role (user_id, role, granted_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, role) DO NOTHING
;
SELECT COUNT(*) FROM audit WHERE seq IS NULL
;
SELECT COUNT(*) FROM client WHERE origin <> 'made'
;
SELECT COUNT(*) FROM user_
;
SELECT DISTINCT g.session_id, g.client_id, c.metadata FROM grant_ g
         JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
         JOIN client c ON c.id = g.client_id
         WHERE g.user_id = $1 AND g.session_id = $2 AND s.ended_at IS NULL
         ORDER BY g.session_id, g.client_id
;
SELECT DISTINCT g.session_id, g.client_id, c.metadata FROM grant_ g
         JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
         JOIN client c ON c.id = g.client_id
         WHERE g.user_id = $1 AND g.session_id IS DISTINCT FROM $2 AND s.ended_at IS NULL
         ORDER BY g.session_id, g.client_id
;
SELECT MAX(not_before) FROM revocation WHERE kind = $1 AND key = $2
;
SELECT a.id, a.at, a.kind, a.outcome, a.actor_kind, a.actor_id, a.subject, a.client_id, a.address, a.request_id, a.detail FROM audit a WHERE a.id < $1
         AND (CAST($2 AS TEXT) IS NULL OR a.actor_id = $2)
         AND (CAST($3 AS TEXT) IS NULL OR a.kind = $3)
         AND (CAST($4 AS TEXT) IS NULL OR a.client_id = $4)
         AND (CAST($5 AS TEXT) IS NULL OR a.outcome = $5)
         AND (CAST($6 AS BIGINT) IS NULL OR a.at >= $6)
         AND (CAST($7 AS BIGINT) IS NULL OR a.at < $7)
         AND (CAST($8 AS TEXT) IS NULL OR a.address = $8)
         ORDER BY a.id DESC LIMIT $9
;
SELECT a.id, a.at, a.kind, a.outcome, a.actor_kind, a.actor_id, a.subject, a.client_id, a.address, a.request_id, a.detail FROM audit a WHERE a.seq IS NULL ORDER BY a.id LIMIT $1
;
SELECT a.id, a.at, a.kind, a.outcome, a.actor_kind, a.actor_id, a.subject, a.client_id, a.address, a.request_id, a.detail FROM audit a WHERE a.subject = $10 AND a.id < $1
         AND (CAST($2 AS TEXT) IS NULL OR a.actor_id = $2)
         AND (CAST($3 AS TEXT) IS NULL OR a.kind = $3)
         AND (CAST($4 AS TEXT) IS NULL OR a.client_id = $4)
         AND (CAST($5 AS TEXT) IS NULL OR a.outcome = $5)
         AND (CAST($6 AS BIGINT) IS NULL OR a.at >= $6)
         AND (CAST($7 AS BIGINT) IS NULL OR a.at < $7)
         AND (CAST($8 AS TEXT) IS NULL OR a.address = $8)
         ORDER BY a.id DESC LIMIT $9
;
SELECT a.id, a.at, a.kind, a.outcome, a.actor_kind, a.actor_id, a.subject, a.client_id, a.address, a.request_id, a.detail, l.seq, l.event_id, l.entry, l.salt
             FROM audit_leaf l LEFT JOIN audit a ON a.id = l.event_id
             WHERE l.seq >= $1 ORDER BY l.seq LIMIT $2
;
SELECT a.id, a.seq, l.seq FROM audit a LEFT JOIN audit_leaf l ON l.event_id = a.id
         WHERE a.id >= $1 AND a.seq IS NOT NULL ORDER BY a.id LIMIT $2
;
SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api ORDER BY audience
;
SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api WHERE audience = $1
;
SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api WHERE audience > $1 ORDER BY audience LIMIT $2
;
SELECT client_id, hash, expires_at FROM client_secret
         ORDER BY client_id, created_at, hash
;
SELECT client_id, hash, expires_at FROM client_secret WHERE client_id = $1
             ORDER BY created_at, hash
;
SELECT failures, last_failed_at, blocked_until FROM throttle WHERE key = $1
;
SELECT g.user_id, g.id, g.client_id, g.session_id, g.scope, g.audiences, g.generation, g.nonce, g.authenticated_at, g.created_at, g.rotated_at, g.idle_expires_at, g.expires_at, g.revoked_at, g.claims, g.dpop_jkt, s.ended_at, s.kept_at, u.disabled_at, u.password_changed_at FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.id = $2
;
SELECT g.user_id, g.id, g.client_id, g.session_id, g.scope, g.audiences, g.generation, g.nonce, g.authenticated_at, g.created_at, g.rotated_at, g.idle_expires_at, g.expires_at, g.revoked_at, g.claims, g.dpop_jkt, s.ended_at, s.kept_at, u.disabled_at, u.password_changed_at FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.revoked_at IS NULL AND s.ended_at IS NULL
             AND g.expires_at > $2 AND g.idle_expires_at > $2
             ORDER BY g.id DESC LIMIT $3
;
SELECT hash FROM password WHERE user_id = $1
;
SELECT hash, client_id, parameters, dpop_jkt, created_at, expires_at, spent_at
         FROM pushed_request WHERE hash = $1
;
SELECT hash, created_at, expires_at, remaining FROM registration_token
         WHERE remaining > 0 AND expires_at > $1 ORDER BY created_at DESC, hash LIMIT $2
;
SELECT hash, user_code, client_id, scope, audiences, dpop_jkt, address, user_agent, created_at, expires_at, polled_at, poll_interval, user_id, session_id, approved_at, denied_at, spent_at FROM device WHERE hash = $1
;
SELECT hash, user_code, client_id, scope, audiences, dpop_jkt, address, user_agent, created_at, expires_at, polled_at, poll_interval, user_id, session_id, approved_at, denied_at, spent_at FROM device WHERE user_code = $1
;
SELECT hashes FROM audit_tile WHERE level = $1 AND place = $2
;
SELECT id FROM client
         WHERE origin <> 'made' AND disabled_at IS NULL AND COALESCE(used_at, created_at) < $1
         ORDER BY id LIMIT $2
;
SELECT id FROM session WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
         AND expires_at > $3 AND (idle_expires_at IS NULL OR idle_expires_at > $3)
         ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5
;
SELECT id FROM user_ LIMIT 1
;
SELECT id FROM user_ WHERE deletion_due_at IS NOT NULL AND deletion_due_at <= $1
         ORDER BY deletion_due_at, id LIMIT $2
;
SELECT id, kind, payload, created_at, due_at, attempts FROM outbox
         WHERE due_at IS NOT NULL AND due_at <= $1 AND payload IS NOT NULL
         ORDER BY due_at, id LIMIT $2
;
SELECT id, name FROM migration ORDER BY id
;
SELECT id, name, auth_method, grant_types, redirect_uris, scope, audiences, pkce, party, created_at, disabled_at, metadata, origin, used_at, refreshed_at, management_hash FROM client ORDER BY id
;
SELECT id, name, auth_method, grant_types, redirect_uris, scope, audiences, pkce, party, created_at, disabled_at, metadata, origin, used_at, refreshed_at, management_hash FROM client WHERE id = $1
;
SELECT id, name, auth_method, grant_types, redirect_uris, scope, audiences, pkce, party, created_at, disabled_at, metadata, origin, used_at, refreshed_at, management_hash FROM client WHERE id > $1 ORDER BY id LIMIT $2
;
SELECT key, MAX(not_before) FROM revocation WHERE kind = $1 AND not_before >= $2
         GROUP BY key
;
SELECT kid, purpose, algorithm, jwk, sealed, created_at, activates_at, retires_at,
         destroyed_at
         FROM key ORDER BY created_at, kid
;
SELECT kid, purpose, algorithm, jwk, sealed, created_at, activates_at, retires_at,
         destroyed_at
         FROM key WHERE kid = $1
;
SELECT l.seq FROM audit_leaf l LEFT JOIN audit a ON a.id = l.event_id
         WHERE l.seq >= $1 AND l.seq <= $2 AND a.id IS NULL
         AND EXISTS (SELECT 1 FROM audit b WHERE b.id < l.event_id AND b.seq < l.seq)
         ORDER BY l.seq LIMIT 1
;
SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role ORDER BY name
;
SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role WHERE name = $1
;
SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role WHERE name > $1 ORDER BY name LIMIT $2
;
SELECT name, value FROM setting ORDER BY name
;
SELECT r.user_id FROM user_role r WHERE r.role = $1 AND EXISTS (
             SELECT 1 FROM grant_ g WHERE g.user_id = r.user_id AND g.revoked_at IS NULL
             AND g.expires_at >= $2 AND g.idle_expires_at >= $2)
         ORDER BY r.user_id LIMIT $3
;
SELECT role FROM user_role WHERE user_id = $1
;
SELECT seq FROM audit_leaf WHERE event_id = $1
;
SELECT seq, kind, key, not_before, until FROM revocation WHERE seq > $1
         ORDER BY seq LIMIT $2
;
SELECT seq, kind, key, not_before, until FROM revocation WHERE until > $1 ORDER BY seq
;
SELECT size, note, signed_at FROM audit_checkpoint ORDER BY size DESC LIMIT 1
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at FROM user_ u
             WHERE (u.created_at, u.id) > ($1, $2)
             AND (CAST($3 AS TEXT) IS NULL
                 OR substr(u.email_canonical, 1, length(CAST($3 AS TEXT))) = $3
                 OR substr(lower(u.username), 1, length(CAST($3 AS TEXT))) = $3)
             AND (CAST($4 AS TEXT) IS NULL OR EXISTS (
                 SELECT 1 FROM user_role h WHERE h.user_id = u.id AND h.role = $4))
             AND (CAST($5 AS BIGINT) IS NULL
                 OR (CAST($5 AS BIGINT) = 0 AND u.disabled_at IS NULL)
                 OR (CAST($5 AS BIGINT) = 1 AND u.disabled_at IS NOT NULL))
             ORDER BY u.created_at, u.id LIMIT $6
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at FROM user_ u WHERE u.email_canonical = $1
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at FROM user_ u WHERE u.id = $1
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at FROM user_ u WHERE u.username_canonical = $1
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at, g.user_id, g.id, g.client_id, g.session_id, g.scope, g.audiences, g.generation, g.nonce, g.authenticated_at, g.created_at, g.rotated_at, g.idle_expires_at, g.expires_at, g.revoked_at, g.claims, g.dpop_jkt, s.ended_at, s.kept_at, s.amr FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.id = $2
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at, p.hash FROM user_ u LEFT JOIN password p ON p.user_id = u.id
                 WHERE u.email_canonical = $1
;
SELECT u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, u.deletion_due_at, p.hash FROM user_ u LEFT JOIN password p ON p.user_id = u.id
                 WHERE u.username_canonical = $1
;
SELECT user_id FROM user_role WHERE role = $1 ORDER BY user_id LIMIT $2
;
SELECT user_id, client_id, scope, audiences, granted_at
         FROM consent WHERE user_id = $1 AND client_id = $2
;
SELECT user_id, client_id, scope, audiences, granted_at
         FROM consent WHERE user_id = $1 ORDER BY granted_at DESC, client_id LIMIT $2
;
SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at, address,
         user_agent, amr, cookie_hash, idle_expires_at
         FROM session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
         AND (idle_expires_at IS NULL OR idle_expires_at > $2)
         ORDER BY used_at DESC, id DESC LIMIT $3
;
SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at, address,
         user_agent, amr, cookie_hash, idle_expires_at
         FROM session WHERE user_id = $1 AND id = $2
;
SELECT user_id, id, hash, client_id, session_id, grant_id, redirect_uri,
         redirect_uri_named, challenge, nonce, scope, audiences, claims, dpop_jkt,
         authenticated_at, created_at, expires_at, spent_at
         FROM code WHERE user_id = $1 AND id = $2
;
SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND id = $2
;
SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND purpose = $2 AND created_at = $3 AND email = $4
         ORDER BY CASE WHEN spent_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT 1
;
SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND purpose = $2 AND spent_at IS NULL AND expires_at > $3
         ORDER BY id DESC LIMIT 1
;
SELECT value FROM counter WHERE name = 'reference'
;
SELECT value FROM counter WHERE name = 'revocation'
;
SELECT value FROM setting WHERE name = $1
;
SELECT vkey, size, root, signed_size, signed_at, term, holder, held_until
         FROM audit_log WHERE name = 'log'
;
UPDATE api SET disabled_at = $2 WHERE audience = $1 AND disabled_at IS NULL
;
UPDATE api SET disabled_at = NULL WHERE audience = $1 AND disabled_at IS NOT NULL
;
UPDATE api SET name = $2, access_ttl = $3, algorithm = $4, client_id = $5
         WHERE audience = $1
;
UPDATE audit SET address = NULL, detail = '{}' WHERE subject = $1
;
UPDATE audit SET seq = $2 WHERE id = $1 AND seq IS NULL
;
UPDATE audit_leaf SET salt = NULL WHERE event_id IN
         (SELECT id FROM audit WHERE subject = $1)
;
UPDATE audit_leaf SET salt = NULL WHERE event_id IN (
             SELECT id FROM audit WHERE id < $1
             AND seq < (SELECT signed_size FROM audit_log WHERE name = 'log')
             ORDER BY id LIMIT $2)
;
UPDATE audit_log SET holder = $2, held_until = $4, term = term + 1
         WHERE name = 'log' AND term = $1 AND held_until <= $3
;
UPDATE audit_log SET signed_size = $3, signed_at = $4
         WHERE name = 'log' AND term = $1 AND signed_size = $2 AND size >= $3
;
UPDATE audit_log SET size = size + $3, root = $4, held_until = $5
         WHERE name = 'log' AND term = $1 AND size = $2
;
UPDATE audit_log SET term = term + 1 WHERE name = 'log'
;
UPDATE client SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL
;
UPDATE client SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL
;
UPDATE client SET name = $2, auth_method = $3, grant_types = $4, redirect_uris = $5,
         scope = $6, audiences = $7, pkce = $8, party = $9, metadata = $10, refreshed_at = $11,
         management_hash = $12
         WHERE id = $1
;
UPDATE client SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at <= $3)
;
UPDATE client_secret SET expires_at = $2
         WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)
;
UPDATE code SET spent_at = $3 WHERE user_id = $1 AND id = $2 AND spent_at IS NULL
;
UPDATE counter SET value = value + $1 WHERE name = 'revocation' RETURNING value
;
UPDATE counter SET value = value + 1 WHERE name = 'reference'
;
UPDATE counter SET value = value + 1 WHERE name = 'reference' RETURNING value
;
UPDATE counter SET value = value + 1 WHERE name = 'revocation' RETURNING value
;
UPDATE device SET approved_at = $4
         WHERE hash = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL
;
UPDATE device SET denied_at = $4
         WHERE hash = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL
;
UPDATE device SET polled_at = $3, poll_interval = $4
         WHERE hash = $1 AND polled_at IS NOT DISTINCT FROM $2 AND spent_at IS NULL
;
UPDATE device SET spent_at = $2
         WHERE hash = $1 AND approved_at IS NOT NULL AND spent_at IS NULL
;
UPDATE device SET user_id = $2, session_id = $3
         WHERE hash = $1 AND (user_id IS NULL OR user_id = $2)
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL
;
UPDATE grant_ SET generation = $4, rotated_at = $5, idle_expires_at = $6, dpop_jkt = $7
         WHERE user_id = $1 AND id = $2 AND generation = $3 AND revoked_at IS NULL
;
UPDATE grant_ SET revoked_at = $2
         WHERE user_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $3
;
UPDATE grant_ SET revoked_at = $3
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL
         RETURNING id
;
UPDATE grant_ SET revoked_at = $3
         WHERE user_id = $1 AND session_id = $2 AND revoked_at IS NULL
;
UPDATE grant_ SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL
;
UPDATE key SET retires_at = $2
         WHERE kid = $1 AND retires_at IS NULL AND destroyed_at IS NULL
;
UPDATE key SET sealed = $2 WHERE kid = $1 AND destroyed_at IS NULL
;
UPDATE key SET sealed = NULL, destroyed_at = $2
         WHERE kid = $1 AND destroyed_at IS NULL
;
UPDATE link SET spent_at = $3 WHERE user_id = $1 AND id = $2 AND spent_at IS NULL
;
UPDATE link SET spent_at = $3 WHERE user_id = $1 AND purpose = $2 AND spent_at IS NULL
;
UPDATE link SET spent_at = $4
         WHERE user_id = $1 AND purpose = $2 AND id > $3 AND spent_at IS NULL
;
UPDATE outbox SET due_at = $3 WHERE id = $1 AND due_at = $2
;
UPDATE outbox SET due_at = $3, attempts = attempts + 1 WHERE id = $1 AND due_at = $2
;
UPDATE outbox SET failed_at = $3, due_at = NULL, payload = NULL
         WHERE id = $1 AND due_at = $2
;
UPDATE outbox SET sent_at = $2, due_at = NULL, payload = NULL
         WHERE id = $1 AND sent_at IS NULL
;
UPDATE password SET hash = $3, updated_at = $4 WHERE user_id = $1 AND hash = $2
;
UPDATE pushed_request SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL
;
UPDATE registration_token SET remaining = remaining - 1
         WHERE hash = $1 AND remaining > 0 AND expires_at > $2
;
UPDATE role SET description = $2, permissions = $3, scope = $4 WHERE name = $1
;
UPDATE role SET disabled_at = $2 WHERE name = $1 AND disabled_at IS NULL
;
UPDATE role SET disabled_at = NULL WHERE name = $1 AND disabled_at IS NOT NULL
;
UPDATE session SET authenticated_at = $3
         WHERE user_id = $1 AND id = $2 AND ended_at IS NULL
;
UPDATE session SET cookie_hash = $4, idle_expires_at = $5
         WHERE user_id = $1 AND id = $2 AND cookie_hash = $3 AND ended_at IS NULL
;
UPDATE session SET ended_at = $2
         WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3
         RETURNING id
;
UPDATE session SET ended_at = $3 WHERE user_id = $1 AND id = $2 AND ended_at IS NULL
;
UPDATE session SET kept_at = $3 WHERE user_id = $1 AND id = $2 AND ended_at IS NULL
;
UPDATE session SET used_at = $3
         WHERE user_id = $1 AND id = $2 AND used_at <= $4 AND ended_at IS NULL
;
UPDATE session SET used_at = $3, idle_expires_at = $5
         WHERE user_id = $1 AND id = $2 AND used_at <= $4 AND ended_at IS NULL
         AND cookie_hash IS NOT NULL AND idle_expires_at > $3
;
UPDATE user_ SET deletion_due_at = $2, updated_at = $3
             WHERE id = $1 AND deletion_due_at IS NULL
;
UPDATE user_ SET deletion_due_at = NULL, updated_at = $2
             WHERE id = $1 AND deletion_due_at IS NOT NULL
;
UPDATE user_ SET disabled_at = $2, updated_at = $3
             WHERE id = $1 AND disabled_at IS NULL
;
UPDATE user_ SET disabled_at = NULL, updated_at = $2
             WHERE id = $1 AND disabled_at IS NOT NULL
;
UPDATE user_ SET email = $2, email_canonical = $3, email_verified_at = $4, username = $5,
         username_canonical = $6, name = $7, locale = $8, updated_at = $9, profile = $10
         WHERE id = $1
;
UPDATE user_ SET password_changed_at = $2, updated_at = $2 WHERE id = $1
;
