// openid-client (npm) through the whole code flow: discovery, PKCE, ID token, UserInfo, refresh,
// and a code that comes a second time. With an algorithm, ID tokens and UserInfo are signed by it.
'use strict';

const assert = require('node:assert');
const { Issuer, generators } = require('openid-client');
const { Person } = require('./steps.cjs');

async function main() {
  const [url, clientId, clientSecret, redirectUri, algorithm] = process.argv.slice(2);
  const issuer = await Issuer.discover(url);
  const client = new issuer.Client({
    client_id: clientId,
    client_secret: clientSecret,
    redirect_uris: [redirectUri],
    response_types: ['code'],
    ...(algorithm && {
      id_token_signed_response_alg: algorithm,
      userinfo_signed_response_alg: algorithm,
    }),
  });
  const minji = new Person(url, 'minji', 'demo-minji');

  const verifier = generators.codeVerifier();
  const checks = {
    state: generators.state(),
    nonce: generators.nonce(),
    code_verifier: verifier,
    response_type: 'code',
    max_age: 300,
  };
  const request = client.authorizationUrl({
    scope: 'openid profile email',
    state: checks.state,
    nonce: checks.nonce,
    code_challenge: generators.codeChallenge(verifier),
    code_challenge_method: 'S256',
    max_age: 300,
  });
  const reached = await minji.authorize(request);
  const parameters = client.callbackParams(reached);
  assert.strictEqual(parameters.iss, url, 'RFC 9207');
  const tokens = await client.callback(redirectUri, parameters, checks);
  assert.ok(tokens.claims().auth_time);
  console.log('code');

  const told = await client.userinfo(tokens);
  assert.strictEqual(told.email, 'minji@demo.local');
  assert.strictEqual(told.sub, tokens.claims().sub);
  console.log('userinfo');

  const renewed = await client.refresh(tokens);
  assert.notStrictEqual(renewed.access_token, tokens.access_token);
  assert.strictEqual(renewed.claims().auth_time, tokens.claims().auth_time);
  assert.strictEqual((await client.introspect(renewed.access_token)).active, true);
  console.log('refresh');

  await assert.rejects(client.callback(redirectUri, parameters, checks), /invalid_grant/);
  await assert.rejects(client.userinfo(renewed.access_token));
  await assert.rejects(client.refresh(renewed), /invalid_grant/);
  console.log('replay');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
