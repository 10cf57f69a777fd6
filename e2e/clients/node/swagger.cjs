// Swagger UI in a real Chromium: Authorize by code and PKCE with nothing to type but who one is,
// then a call that only the signed-in person may make.
'use strict';

const assert = require('node:assert');
const { chromium } = require('playwright-core');

const [issuer, executablePath] = process.argv.slice(2);

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${issuer}/docs/`);
    await page.click('.auth-wrapper button.authorize');
    const flow = page.locator('.auth-container').filter({ has: page.locator('#client_id_authorizationCode') }).last();
    assert.strictEqual(await flow.locator('input#client_id_authorizationCode').inputValue(), 'swagger');
    await flow.getByText('select all').first().click();
    const opened = page.waitForEvent('popup');
    await flow.locator('button.authorize').first().click();
    const popup = await opened;
    await popup.fill('input[name=username]', 'minji');
    await popup.press('input[name=username]', 'Enter');
    await popup.fill('input[name=password]', 'demo-minji');
    await popup.press('input[name=password]', 'Enter');
    await page.locator('.auth-container').getByText('Logout').first().waitFor();
    console.log('authorized');

    await page.locator('button.btn-done').first().click();
    const operation = page.locator('.opblock-get').filter({ hasText: '/api/v1/users/me' }).first();
    await operation.locator('.opblock-summary').click();
    const answered = page.waitForResponse(`${issuer}/api/v1/users/me`);
    await operation.locator('button.execute').click();
    const answer = await answered;
    assert.strictEqual(answer.status(), 200);
    assert.strictEqual((await answer.json()).email, 'minji@demo.local');
    console.log('called');
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
