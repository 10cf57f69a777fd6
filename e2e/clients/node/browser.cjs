// A real Chromium goes through the pages: in both languages, with JavaScript and without, and
// axe-core looks at every page on the way. Prints one line for each page that was fine.
'use strict';

const assert = require('node:assert');
const http = require('node:http');
const { createHash, randomBytes } = require('node:crypto');
const { chromium } = require('playwright-core');
const axe = require('axe-core');

const [issuer, clientId, executablePath] = process.argv.slice(2);
const shots = process.env.MUNJIGI_SCREENSHOTS;

// Where the client waits for its code.
function listen() {
  const seen = [];
  const server = http.createServer((request, answer) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    if (url.pathname === '/callback') seen.push(url);
    answer.end('<!doctype html><title>client</title>back at the client');
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ server, seen, port: server.address().port }));
  });
}

async function looksFine(page, name, { script }) {
  const lang = await page.getAttribute('html', 'lang');
  assert.ok((await page.title()).length > 0, `${name} has a title`);
  if (shots) await page.screenshot({ path: `${shots}/${lang}-${script ? 'js' : 'nojs'}-${name}.png`, fullPage: true });
  if (script) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate(() => window.axe.run());
    const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
    assert.deepStrictEqual(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
  }
  console.log(lang, script ? 'with' : 'without', 'JavaScript:', name);
}

async function walk(browser, client, locale, script) {
  // What runs axe must not be stopped by the pages' own policy; the walk without it is.
  const context = await browser.newContext({ locale, javaScriptEnabled: script, bypassCSP: script });
  const page = await context.newPage();
  const verifier = randomBytes(32).toString('base64url');
  const redirectUri = `http://127.0.0.1:${client.port}/callback`;
  const request = new URL(`${issuer}/oauth2/authorize`);
  request.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile email',
    state: 'the state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });

  await page.goto(request.href);
  assert.strictEqual(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
  await looksFine(page, 'login', { script });
  await page.fill('input[name=username]', 'minji');
  await page.press('input[name=username]', 'Enter');
  await page.waitForSelector('input[name=password]');
  await looksFine(page, 'password', { script });
  await page.fill('input[name=password]', 'not the password');
  await page.press('input[name=password]', 'Enter');
  await page.waitForSelector('[role=alert]');
  await looksFine(page, 'password-wrong', { script });
  await page.fill('input[name=password]', 'demo-minji');
  await page.press('input[name=password]', 'Enter');
  await page.waitForSelector('button[value=allow]');
  await looksFine(page, 'consent', { script });
  await page.click('button[value=allow]');
  await page.waitForURL(`${redirectUri}?**`);

  const reached = client.seen.pop();
  assert.strictEqual(reached.searchParams.get('state'), 'the state');
  assert.strictEqual(reached.searchParams.get('iss'), issuer);
  const answer = await fetch(`${issuer}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      code: reached.searchParams.get('code'),
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }),
  });
  assert.strictEqual(answer.status, 200, await answer.clone().text());
  assert.ok((await answer.json()).id_token);

  request.searchParams.set('redirect_uri', 'http://127.0.0.1:1/other');
  await page.goto(request.href);
  await looksFine(page, 'wrong-redirect-uri', { script });
  await context.close();
}

async function main() {
  const client = await listen();
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    for (const locale of ['ko-KR', 'en-US']) {
      for (const script of [true, false]) await walk(browser, client, locale, script);
    }
  } finally {
    await browser.close();
    client.server.close();
  }
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
