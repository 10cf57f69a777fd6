// A real Chromium goes through the pages, from sign-up to sign-out: in both languages, with
// JavaScript and without, and axe-core looks at every page on the way. Prints one line for each
// page that was fine.
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

// What fills a form in and sends it as most people do.
async function type(page, fields) {
  for (const [name, value] of Object.entries(fields)) await page.fill(`input[name=${name}]`, value);
  await page.press(`input[name=${Object.keys(fields).pop()}]`, 'Enter');
}

// The mails to an address, the newest first.
async function mailsTo(address) {
  const { messages } = await (await fetch(`${issuer}/dev/mail.json`)).json();
  return messages.filter(({ to }) => to === address);
}

// Sign-up, and the link of the mail that comes of it.
async function signUp(page, shown, person) {
  await page.click('a[href*="/signup"]');
  await shown('sign-up');
  await type(page, { email: person.email, username: person.username, name: person.name, password: 'password' });
  await page.waitForSelector('[role=alert]');
  assert.strictEqual(await page.inputValue('input[name=email]'), person.email, 'what was typed is kept');
  await shown('sign-up-wrong');
  await type(page, { password: person.password });
  await page.waitForSelector('[role=status]');
  await shown('sign-up-sent');
  await page.goto(`${issuer}/dev/mail`);
  await page.getByText(person.email).first().waitFor();
  await shown('mailbox');
  const [mail] = await mailsTo(person.email);
  await page.goto(`${issuer}/dev/mail/${mail.id}`);
  await shown('mail');
  await page.goto(mail.links.find((link) => link.includes('/verify?')));
  await shown('verify');
  await page.click('main form button');
  await page.waitForSelector('[role=status]');
  await shown('verified');
}

// Sign-in, with a slip of the hand, and consent.
async function signIn(page, shown, person) {
  await shown('login');
  await type(page, { username: person.username });
  await page.waitForSelector('input[name=password]');
  await shown('password');
  await type(page, { password: 'not the password' });
  await page.waitForSelector('[role=alert]');
  await shown('password-wrong');
  await type(page, { password: person.password });
  await page.waitForSelector('button[value=allow]');
  await shown('consent');
  await page.click('button[value=allow]');
}

// One's own account: the profile, where one is signed in, which applications have access.
async function account(page, shown, person) {
  await page.goto(`${issuer}/account`);
  await page.getByText(person.email).first().waitFor();
  await shown('account');
  await page.click('.menu a[href$="/account/profile"]');
  await shown('account-profile');
  await type(page, { name: `${person.name} II` });
  await page.waitForSelector('.notice');
  assert.strictEqual(await page.inputValue('input[name=name]'), `${person.name} II`);
  await shown('account-profile-saved');
  await page.click('.menu a[href$="/account/password"]');
  await shown('account-password');
  await page.click('.menu a[href$="/account/sessions"]');
  assert.strictEqual(await page.locator('.row').count(), 1);
  await shown('account-sessions');
  await page.click('.menu a[href$="/account/applications"]');
  await page.getByText('Photo album').first().waitFor();
  await shown('account-applications');
  await page.click('button[value=remove]');
  await page.waitForSelector('.notice');
  assert.strictEqual(await page.locator('.row').count(), 0);
  await shown('account-applications-none');
  await page.click('.menu a[href$="/account/data"]');
  await shown('account-data');
  await page.goto(`${issuer}/device`);
  await shown('device');
}

async function signOut(page, shown) {
  await page.goto(`${issuer}/account`);
  await page.click('.menu button[value=sign-out]');
  await page.waitForSelector('main h1');
  if (await page.locator('main form button[value=sign-out]').count()) {
    await shown('sign-out');
    await page.click('main form button[value=sign-out]');
  }
  await page.waitForSelector('[role=status]');
  await shown('signed-out');
  await page.goto(`${issuer}/account`);
  assert.match(page.url(), /\/login/, 'nobody is signed in any more');
}

// The first page of `munjigi dev`: from sign-in to a token that is refused.
async function devHome(page, shown) {
  await page.goto(`${issuer}/`);
  await shown('dev-home');
  await page.click('a[href$="/dev/sign-in"]');
  await type(page, { username: 'jun' });
  await page.waitForSelector('input[name=password]');
  await type(page, { password: 'demo-jun' });
  await page.waitForSelector('button[value=call]');
  await shown('dev-token');
  await page.click('button[value=call]');
  await page.getByText('200 OK').waitFor();
  await page.click('button[value=revoke]');
  await page.click('button[value=call-again]');
  await page.getByText('401 Unauthorized').waitFor();
  await shown('dev-refused');
  await page.click('button[value=reset]');
  await page.waitForSelector('a[href$="/dev/sign-in"]');
}

async function redeem(reached, redirectUri, verifier) {
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
}

function authorizationRequest(redirectUri, verifier) {
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
  return request;
}

async function walk(browser, client, locale, script) {
  // What runs axe must not be stopped by the pages' own policy; the walk without it is.
  const context = await browser.newContext({ locale, javaScriptEnabled: script, bypassCSP: script });
  const page = await context.newPage();
  const shown = async (name) => {
    assert.strictEqual(await page.getAttribute('html', 'lang'), locale.slice(0, 2), name);
    await looksFine(page, name, { script });
  };
  const username = `walker-${locale.slice(0, 2)}-${script ? 'with' : 'without'}`;
  const person = { username, email: `${username}@example.com`, name: '한걸음', password: randomBytes(15).toString('base64url') };
  const verifier = randomBytes(32).toString('base64url');
  const redirectUri = `http://127.0.0.1:${client.port}/callback`;
  const request = authorizationRequest(redirectUri, verifier);

  await page.goto(request.href);
  await signUp(page, shown, person);
  await page.goto(request.href);
  await signIn(page, shown, person);
  await page.waitForURL(`${redirectUri}?**`);
  await redeem(client.seen.pop(), redirectUri, verifier);
  await account(page, shown, person);
  await signOut(page, shown);
  await page.goto(`${issuer}/recover`);
  await shown('recover');
  await devHome(page, shown);
  request.searchParams.set('redirect_uri', 'http://127.0.0.1:1/other');
  await page.goto(request.href);
  await shown('wrong-redirect-uri');
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
