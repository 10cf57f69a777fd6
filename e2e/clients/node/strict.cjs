// openid-client (npm) as the strictest client that there is: it signs for itself (private_key_jwt),
// pushes its request, and holds a key that its tokens are bound to (DPoP with the server's nonce).
//
//   strict.cjs new-key FILE                     keeps a private key, and prints the public one
//   strict.cjs go ISSUER CLIENT_ID REDIRECT_URI FILE
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { Issuer, generators } = require('openid-client');
const { calculateJwkThumbprint, exportJWK, generateKeyPair } = require('jose');
const { Person } = require('./steps.cjs');

async function newKey(file) {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const named = { kid: '1', alg: 'ES256', use: 'sig' };
  fs.writeFileSync(file, JSON.stringify({ ...(await exportJWK(privateKey)), ...named }));
  console.log(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), ...named }] }));
}

async function go(url, clientId, redirectUri, file) {
  const issuer = await Issuer.discover(url);
  const own = JSON.parse(fs.readFileSync(file, 'utf8'));
  const metadata = {
    client_id: clientId,
    redirect_uris: [redirectUri],
    response_types: ['code'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
  };
  const client = new issuer.Client(metadata, { keys: [own] });
  const held = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const DPoP = held.privateKey;
  const minji = new Person(url, 'minji', 'demo-minji');

  const verifier = generators.codeVerifier();
  const checks = {
    state: generators.state(),
    nonce: generators.nonce(),
    code_verifier: verifier,
    response_type: 'code',
  };
  const pushed = await client.pushedAuthorizationRequest({
    scope: 'openid profile email',
    response_type: 'code',
    redirect_uri: redirectUri,
    state: checks.state,
    nonce: checks.nonce,
    code_challenge: generators.codeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await calculateJwkThumbprint(held.publicKey.export({ format: 'jwk' })),
  });
  const request = `${issuer.authorization_endpoint}?${new URLSearchParams({
    client_id: clientId,
    request_uri: pushed.request_uri,
  })}`;
  const parameters = client.callbackParams(await minji.authorize(request));
  assert.strictEqual(parameters.iss, url, 'RFC 9207');
  console.log('pushed');

  // The first proof has no nonce; the library makes another with the one that it is told.
  const tokens = await client.callback(redirectUri, parameters, checks, { DPoP });
  assert.strictEqual(tokens.token_type, 'DPoP');
  const told = await client.userinfo(tokens, { DPoP });
  assert.strictEqual(told.sub, tokens.claims().sub);
  console.log('bound');

  await assert.rejects(client.userinfo(tokens.access_token), 'as a bearer token');
  const other = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  await assert.rejects(client.userinfo(tokens, { DPoP: other }), 'with another key');
  await assert.rejects(client.refresh(tokens), /invalid_dpop_proof/);
  const stranger = new issuer.Client(metadata, { keys: [{ ...own, ...(await strange()) }] });
  await assert.rejects(stranger.refresh(tokens, { DPoP }), /invalid_client/);
  console.log('refused');

  const renewed = await client.refresh(tokens, { DPoP });
  assert.notStrictEqual(renewed.access_token, tokens.access_token);
  console.log('refresh');

  const again = client.callbackParams(await minji.authorize(request));
  assert.strictEqual(again.error, 'invalid_request_uri');
  const replay = client.callback(redirectUri, parameters, checks, { DPoP });
  await assert.rejects(replay, /invalid_grant/);
  await assert.rejects(client.userinfo(renewed, { DPoP }));
  await assert.rejects(client.refresh(renewed, { DPoP }), /invalid_grant/);
  console.log('replay');
}

// Another private key.
async function strange() {
  return exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey);
}

const [verb, ...args] = process.argv.slice(2);
(verb === 'new-key' ? newKey : go)(...args).catch((error) => {
  console.error(error);
  process.exit(1);
});
