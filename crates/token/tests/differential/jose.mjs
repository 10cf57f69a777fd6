// Verifies and signs with jose: one JSON document on stdin, one on stdout. The first argument is the
// folder that jose is installed in.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(`${process.argv[2]}/package.json`);
const jose = await import(pathToFileURL(installed.resolve("jose")).href);
const { version } = installed("jose/package.json");

const requiredClaims = ["iss", "aud", "exp", "iat", "sub", "jti", "client_id"];

const keySets = new Map();

function verificationKey({ secret, jwk }) {
  if (secret !== undefined) {
    return Buffer.from(secret, "base64");
  }
  const text = JSON.stringify(jwk);
  if (!keySets.has(text)) {
    keySets.set(text, jose.createLocalJWKSet({ keys: [jwk] }));
  }
  return keySets.get(text);
}

async function verify(testCase, { issuer, audience }) {
  const algorithms = [testCase.alg];
  const options = { algorithms, issuer, audience, typ: "at+jwt", requiredClaims };
  try {
    await jose.jwtVerify(testCase.token, verificationKey(testCase), options);
    return null;
  } catch (error) {
    return `${error.code ?? error.name}: ${error.message}`;
  }
}

async function sign({ alg, kid, secret, pem, claims }) {
  const key = secret === undefined
    ? await jose.importPKCS8(pem, alg)
    : Buffer.from(secret, "base64");
  return new jose.SignJWT(claims).setProtectedHeader({ alg, kid, typ: "at+jwt" }).sign(key);
}

const asked = JSON.parse(readFileSync(0, "utf8"));
const verified = [];
for (const testCase of asked.verify) {
  verified.push(await verify(testCase, asked));
}
const signed = [];
for (const testCase of asked.sign) {
  signed.push(await sign(testCase));
}
process.stdout.write(JSON.stringify({ version, verified, signed }));
