// jose (npm) as a resource server: verifies one access token for each line, with a key set that it
// fetches again for a key that it does not know, at most every five seconds (half a minute unless
// said otherwise, which is longer than the test has).
'use strict';

const readline = require('node:readline');
const { createRemoteJWKSet, jwtVerify } = require('jose');

async function main() {
  const [issuer, audience] = process.argv.slice(2);
  const url = new URL(`${issuer}/.well-known/jwks.json`);
  const keys = createRemoteJWKSet(url, { cooldownDuration: 5_000 });
  await keys.reload();
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      const expected = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'] };
      const { payload } = await jwtVerify(line.trim(), keys, expected);
      console.log(`ok ${payload.sub}`);
    } catch (error) {
      console.error(`refused: ${error}`);
      console.log('refused');
    }
  }
}

main();
