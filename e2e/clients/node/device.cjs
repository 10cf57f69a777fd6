// openid-client (npm) as a device without a keyboard (RFC 8628): it asks, shows a code, and polls,
// while a person answers elsewhere: with forms; and with Chromium, if its path is given, in both
// languages, with JavaScript and without, where axe-core looks at every page.
'use strict';

const assert = require('node:assert');
const { Issuer } = require('openid-client');
const axe = require('axe-core');
const { chromium } = require('playwright-core');
const { Person } = require('./steps.cjs');

const [url, clientId, executablePath] = process.argv.slice(2);
const shots = process.env.MUNJIGI_SCREENSHOTS;

// Signs in, if need be, and presses a button beside the code; what the page says in the end.
async function answer(person, complete, action) {
  let at = complete;
  let page = await person.fetch(at);
  while (page.status === 303) {
    at = new URL(page.headers.get('location'), at).href;
    page = await person.fetch(at);
    if (new URL(at).pathname === '/login') {
      page = await person.fetch(at, { username: person.username, password: person.password });
    }
  }
  assert.strictEqual(at, complete, 'the browser is back with the code');
  const userCode = new URL(at).searchParams.get('user_code');
  const asked = await person.fetch(`${url}/device`, { user_code: userCode, action: 'continue' });
  assert.match(await asked.text(), /Television/);
  const done = await person.fetch(`${url}/device`, { user_code: userCode, action });
  assert.strictEqual(done.status, 200);
}

async function looksFine(page, name, script) {
  const lang = await page.getAttribute('html', 'lang');
  if (shots) await page.screenshot({ path: `${shots}/${lang}-${script ? 'js' : 'nojs'}-${name}.png`, fullPage: true });
  if (!script) return;
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  assert.deepStrictEqual(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], name);
}

async function answerInBrowser(browser, handle, { locale, script, action }) {
  const context = await browser.newContext({ locale, javaScriptEnabled: script, bypassCSP: script });
  const page = await context.newPage();
  await page.goto(handle.verification_uri);
  assert.strictEqual(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
  await page.fill('input[name=username]', 'jun');
  await page.press('input[name=username]', 'Enter');
  await page.waitForSelector('input[name=password]');
  await page.fill('input[name=password]', 'demo-jun');
  await page.press('input[name=password]', 'Enter');
  await page.waitForSelector('input[name=user_code]');
  await looksFine(page, 'device', script);
  await page.fill('input[name=user_code]', 'bbbb bbbb');
  await page.press('input[name=user_code]', 'Enter');
  await page.waitForSelector('[role=alert]');
  await looksFine(page, 'device-wrong', script);
  await page.fill('input[name=user_code]', handle.user_code.toLowerCase().replace('-', ' '));
  await page.press('input[name=user_code]', 'Enter');
  await page.waitForSelector('button[value=allow]');
  assert.match(await page.textContent('main'), /Television/);
  await looksFine(page, 'device-confirm', script);
  await page.click(`button[value=${action}]`);
  await page.waitForSelector('button[value=allow]', { state: 'detached' });
  await looksFine(page, `device-${action}`, script);
  await context.close();
}

async function main() {
  const issuer = await Issuer.discover(url);
  const client = new issuer.Client({ client_id: clientId, token_endpoint_auth_method: 'none' });
  const ask = () => client.deviceAuthorization({ scope: 'openid profile offline_access' });
  const minji = new Person(url, 'minji', 'demo-minji');

  const [allowed, denied] = [await ask(), await ask()];
  const polls = [allowed.poll(), denied.poll()];
  polls.forEach((poll) => poll.catch(() => {}));
  await answer(minji, allowed.verification_uri_complete, 'allow');
  await answer(minji, denied.verification_uri_complete, 'deny');
  const tokens = await polls[0];
  assert.strictEqual((await client.userinfo(tokens)).sub, tokens.claims().sub);
  assert.ok((await client.refresh(tokens)).access_token);
  console.log('allowed');
  await assert.rejects(polls[1], /access_denied/);
  console.log('denied');
  await assert.rejects(allowed.poll(), /invalid_grant/);
  console.log('once');
  if (!executablePath) return;

  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const ways = [
      { locale: 'ko-KR', script: true, action: 'allow' },
      { locale: 'en-US', script: false, action: 'allow' },
      { locale: 'en-US', script: true, action: 'deny' },
    ];
    for (const way of ways) {
      const handle = await ask();
      await answerInBrowser(browser, handle, way);
      if (way.action === 'allow') assert.ok((await handle.poll()).id_token);
      else await assert.rejects(handle.poll(), /access_denied/);
    }
  } finally {
    await browser.close();
  }
  console.log('seen');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
