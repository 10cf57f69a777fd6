// WB-02: a real Chromium is shown programs wherever somebody can write something: names, hints,
// states, languages, user agents, mails. None of them runs, and what has to be shown is text. The
// pages' own policy is off, so that it is not what saves them.
'use strict';

const assert = require('node:assert');
const http = require('node:http');
const { createHash, randomBytes } = require('node:crypto');
const { chromium } = require('playwright-core');

const [issuer, clientId, clientName, executablePath] = process.argv.slice(2);

// Ends whatever it stands in, runs at once, and asks for something at the client's.
const program = (port) =>
  `"'></textarea></title></script><img src=http://127.0.0.1:${port}/ran onerror="window.ran=1"><script>window.ran=1</script>`;

// Where the client waits; what was asked for there.
function listen() {
  const seen = [];
  const server = http.createServer((request, answer) => {
    let body = '';
    request.on('data', (more) => { body += more; });
    request.on('end', () => {
      seen.push({ path: new URL(request.url, 'http://127.0.0.1').pathname, body });
      answer.end('<!doctype html><title>client</title>back at the client');
    });
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => done({ server, seen, port: server.address().port }));
  });
}

async function hasRun(page, client) {
  await page.waitForLoadState('networkidle');
  const ran = await page.evaluate(() => window.ran === 1 || document.querySelector('img[onerror]') !== null);
  return ran || client.seen.some(({ path }) => path === '/ran');
}

function authorize(port, verifier, more) {
  const request = new URL(`${issuer}/oauth2/authorize`);
  request.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: `http://127.0.0.1:${port}/callback`,
    response_type: 'code',
    response_mode: 'form_post',
    scope: 'openid profile email',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...more,
  });
  return request.href;
}

async function main() {
  const client = await listen();
  const hostile = program(client.port);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const context = await browser.newContext({ bypassCSP: true, userAgent: `Walker ${hostile}` });
  const page = await context.newPage();
  page.on('dialog', () => assert.fail('a dialog'));
  const fine = async (name, text) => {
    assert.ok(!(await hasRun(page, client)), name);
    if (text) assert.ok((await page.innerText('body')).includes(text), `${name} shows ${text}`);
    console.log(name);
  };
  try {
    // What has to be noticed.
    await page.setContent(`<p>${hostile}</p>`);
    assert.ok(await hasRun(page, client), 'the program does not run where it would');
    client.seen.length = 0;

    const person = { email: 'hostile@example.com', password: randomBytes(15).toString('base64url') };
    const made = await fetch(`${issuer}/api/v1/users/signup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...person, name: hostile.slice(0, 200) }),
    });
    assert.strictEqual(made.status, 201, await made.text());

    const verifier = randomBytes(32).toString('base64url');
    for (const [name, more] of [
      ['an address that is not registered', { redirect_uri: hostile }],
      ['a client that is not there', { client_id: hostile }],
      ['a response type', { response_type: hostile }],
      ['a language', { ui_locales: hostile }],
    ]) {
      await page.goto(authorize(client.port, verifier, more));
      await fine(name);
    }
    await page.goto(authorize(client.port, verifier, { login_hint: hostile, state: hostile }));
    await fine('sign-in', clientName);
    await page.fill('input[name=username]', hostile);
    await page.press('input[name=username]', 'Enter');
    await fine('a name that nobody has');
    if (await page.locator('input[name=password]').count()) {
      await page.fill('input[name=password]', 'wrong, and long enough');
      await page.press('input[name=password]', 'Enter');
      await page.waitForSelector('[role=alert]');
      await fine('refused');
    }

    await page.goto(authorize(client.port, verifier, { state: hostile }));
    await page.fill('input[name=username]', person.email);
    await page.press('input[name=username]', 'Enter');
    await page.waitForSelector('input[name=password]');
    await page.fill('input[name=password]', person.password);
    await page.press('input[name=password]', 'Enter');
    await page.waitForSelector('button[value=allow]');
    await fine('consent', clientName);
    await page.click('button[value=allow]');
    await page.waitForURL(`http://127.0.0.1:${client.port}/callback`);
    const { body } = client.seen.findLast(({ path }) => path === '/callback');
    assert.strictEqual(new URLSearchParams(body).get('state'), hostile, 'the state comes back as it was');
    console.log('form post');

    await page.goto(`${issuer}/account`);
    await fine('account');
    await page.goto(`${issuer}/account/profile`);
    await fine('profile');
    assert.strictEqual(await page.inputValue('input[name=name]'), hostile.slice(0, 200));
    await page.goto(`${issuer}/account/sessions`);
    await fine('sessions');
    await page.goto(`${issuer}/account/applications`);
    await fine('applications', clientName);
    await page.goto(`${issuer}/device?user_code=${encodeURIComponent(hostile)}`);
    await fine('device');
    await page.goto(`${issuer}/recover`);
    await page.fill('input[name=email]', person.email);
    await page.press('input[name=email]', 'Enter');
    await page.waitForSelector('[role=status]');
    await fine('recovery');
    const { messages } = await (await fetch(`${issuer}/dev/mail.json`)).json();
    await page.goto(`${issuer}/dev/mail/${messages[0].id}`);
    await fine('mail');
    await page.goto(`${issuer}/${encodeURIComponent(hostile)}`);
    await fine('a page that is not there');
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
